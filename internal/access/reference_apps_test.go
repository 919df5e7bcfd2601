package access_test

import (
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"

	"chancery/domain"
	"chancery/internal/dcb"
)

// installing is what history says of apps and licences.
type installing struct {
	apps       map[domain.App]bool       // registered
	privileges map[domain.Privilege]bool // that the platform has registered
	running    map[installed]version
	held       map[uuid.UUID]*domain.LicenseIssued // by licence, with its newest terms
	issued     []uuid.UUID                         // in order
	stopped    map[uuid.UUID]string                // suspended or revoked
	ended      map[uuid.UUID]time.Time             // when it was said to have ended
	used       map[domain.Key]domain.UsageRecorded // the newest of a meter: what it shows
}

type installed struct {
	tenant uuid.UUID
	app    domain.App
}

type version struct {
	brings []domain.Brought
	needs  bool
}

func nothingInstalled() installing {
	return installing{
		map[domain.App]bool{}, map[domain.Privilege]bool{}, map[installed]version{}, map[uuid.UUID]*domain.LicenseIssued{}, nil,
		map[uuid.UUID]string{}, map[uuid.UUID]time.Time{}, map[domain.Key]domain.UsageRecorded{},
	}
}

// installs takes an event. What is said of an app in a tenant counts if that tenant says it, and what is said of a licence if its holder
// does.
func (i *installing) installs(r dcb.Recorded) {
	here := domain.TenantID{UUID: r.Tenant}
	run := func(id domain.TenantAppID, name domain.App, v version) {
		if id == name.In(here) {
			i.running[installed{r.Tenant, name}] = v
		}
	}
	holds := func(id uuid.UUID) bool { return i.held[id] != nil && i.held[id].Holder.UUID == r.Tenant }
	terms := func(e domain.LicenseIssued) {
		if holds(e.License.UUID) {
			i.held[e.License.UUID].Terms = e.Terms
		}
	}
	switch e := r.Event.(type) {
	case domain.AppRegistered:
		i.apps[e.Name] = i.apps[e.Name] || here == domain.Root
	case domain.PrivilegeRegistered:
		i.privileges[e.Privilege] = i.privileges[e.Privilege] || here == domain.Root
	case domain.AppEnabled:
		run(e.TenantApp, e.Name, version{e.Brings, e.LicenseRequired})
	case domain.AppUpgraded:
		run(e.TenantApp, e.Name, version{e.Brings, e.LicenseRequired})
	case domain.AppRolledBack:
		run(e.TenantApp, e.Name, version{e.Brings, e.LicenseRequired})
	case domain.AppDisabled:
		if e.TenantApp == e.Name.In(here) {
			delete(i.running, installed{r.Tenant, e.Name})
		}
	case domain.LicenseIssued:
		if i.held[e.License.UUID] == nil && e.Holder.UUID == r.Tenant {
			i.held[e.License.UUID] = &e
			i.issued = append(i.issued, e.License.UUID)
		}
	case domain.LicenseRenewed:
		terms(domain.LicenseIssued(e))
	case domain.LicenseChanged:
		terms(domain.LicenseIssued(e))
	case domain.LicenseSuspended:
		if holds(e.License.UUID) && i.stopped[e.License.UUID] != "revoked" {
			i.stopped[e.License.UUID] = "suspended"
		}
	case domain.LicenseReinstated:
		if holds(e.License.UUID) && i.stopped[e.License.UUID] == "suspended" {
			delete(i.stopped, e.License.UUID)
		}
	case domain.LicenseRevoked:
		if holds(e.License.UUID) {
			i.stopped[e.License.UUID] = "revoked"
		}
	case domain.LicenseEnded:
		if holds(e.License.UUID) {
			i.ended[e.License.UUID] = e.Ended
		}
	case domain.UsageRecorded:
		if holds(e.License.UUID) {
			i.used[e.Meter] = e
		}
	case domain.UsageReversed:
		if now := i.used[e.Meter]; holds(e.License.UUID) && now.Period == e.Period {
			now.Total = e.Total
			i.used[e.Meter] = now
		}
	}
}

// valid reports whether a licence is in force: its window is open, or its days of grace are not over.
func (i installing) valid(id uuid.UUID, at time.Time) bool {
	terms := i.held[id].Terms
	if i.stopped[id] != "" || at.Before(terms.Window.From) {
		return false
	}
	if terms.Window.Until.IsZero() {
		return true
	}
	end := terms.Window.Until.Add(time.Duration(terms.GraceDays) * 24 * time.Hour)
	said := i.ended[id]
	return at.Before(end) && (said.IsZero() || said.Before(end))
}

// licensed reports whether some licence of a tenant for an app is in force.
func (i installing) licensed(tenant uuid.UUID, name domain.App, at time.Time) bool {
	return slices.ContainsFunc(i.issued, func(id uuid.UUID) bool {
		return i.held[id].Holder.UUID == tenant && i.held[id].Name == name && i.valid(id, at)
	})
}

// asleep reports whether a privilege has no effect in a tenant, because the app that it belongs to is not at work there.
func (i installing) asleep(tenant uuid.UUID, p domain.Privilege, at time.Time) bool {
	name := domain.App(strings.Split(string(p), ".")[0])
	if !i.apps[name] || i.privileges[p] {
		return false
	}
	return !i.brought(tenant, p) || i.running[installed{tenant, name}].needs && !i.licensed(tenant, name, at)
}

// brought reports whether an app that is enabled in a tenant brings a privilege.
func (i installing) brought(tenant uuid.UUID, p domain.Privilege) bool {
	v, enabled := i.running[installed{tenant, domain.App(strings.Split(string(p), ".")[0])}]
	return enabled && slices.ContainsFunc(v.brings, func(b domain.Brought) bool { return b.Privilege == p })
}

// metered is how much of a meter may be consumed in a tenant at an instant, and how much was.
func (i installing) metered(tenant uuid.UUID, name domain.App, entitlement string, at time.Time) (limit, used, left int64) {
	for _, id := range i.issued {
		l := i.held[id]
		for _, e := range l.Terms.Entitlements {
			if l.Holder.UUID != tenant || l.Name != name || e.Name != entitlement || !i.valid(id, at) {
				continue
			}
			shown := i.used[domain.MeterKey(l.License, entitlement)]
			if shown.Period != at.UTC().Format("2006-01") {
				shown.Total = 0
			}
			limit, used, left = limit+e.Limit, used+shown.Total, left+max(0, e.Limit-shown.Total)
		}
	}
	return limit, used, left
}
