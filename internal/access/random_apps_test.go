package access_test

import (
	"slices"

	"github.com/google/uuid"

	"chancery/domain"
	"chancery/internal/access"
	"chancery/internal/dcb"
)

// brought are privileges that apps bring, if anybody does; repo is also the first word of privileges of the platform.
var brought = []domain.Privilege{"wiki.read", "wiki.write", "repo.push"}

var names = []domain.App{"wiki", "repo"}

const licenses = 8

// installs is something about apps and licences, at times told to the wrong tenant, or of one.
func (c chance) installs(w world, t uuid.UUID) []told {
	tenant, name := domain.TenantID{UUID: t}, pick(c, names...)
	switch c.IntN(16) {
	case 0:
		return []told{{pick(c, domain.Root.UUID, t), domain.AppRegistered{App: name.ID(), Name: name}}}
	case 1:
		return []told{{t, pick[dcb.Event](c, domain.PrivilegeRegistered{Privilege: pick(c, privileges...)}, domain.PrivilegeRegistered{Privilege: pick(c, brought...)})}}
	case 2, 3, 4, 5, 6:
		return []told{{t, c.runs(tenant, name)}}
	case 7:
		return []told{{t, domain.AppDisabled{TenantApp: c.inTenant(tenant, name), Name: name}}}
	case 8, 9:
		return c.issues(domain.LicenseID{UUID: named('L', c.IntN(licenses))}, tenant, name)
	case 10, 11:
		return c.consumes(w)
	}
	return c.rules(w)
}

// inTenant is the id of the app there, now and then of another tenant's.
func (c chance) inTenant(t domain.TenantID, name domain.App) domain.TenantAppID {
	if c.IntN(10) == 0 {
		t.UUID = c.tenant()
	}
	return name.In(t)
}

func (c chance) runs(t domain.TenantID, name domain.App) dcb.Event {
	id, needs := c.inTenant(t, name), c.IntN(2) == 0
	var brings []domain.Brought
	for _, p := range brought {
		if c.IntN(3) > 0 {
			brings = append(brings, domain.Brought{Privilege: p})
		}
	}
	return pick[dcb.Event](c,
		domain.AppEnabled{TenantApp: id, Name: name, Number: "1.0.0", Brings: brings, LicenseRequired: needs},
		domain.AppUpgraded{TenantApp: id, Name: name, From: "1.0.0", Number: "2.0.0", Brings: brings, LicenseRequired: needs},
		domain.AppRolledBack{TenantApp: id, Name: name, From: "2.0.0", Number: "1.0.0", Brings: brings, LicenseRequired: needs})
}

func (c chance) terms() domain.Terms {
	return domain.Terms{
		Window: domain.Window{From: c.instantOrNone(), Until: c.instantOrNone()}, GraceDays: c.IntN(2),
		Entitlements: []domain.Entitlement{{Name: "calls", Kind: domain.Meter, Limit: int64(c.IntN(10)), Period: domain.PerMonth}},
	}
}

// issues is a licence, in the log of its holder and of its vendor; now and then in one of them alone.
func (c chance) issues(id domain.LicenseID, holder domain.TenantID, name domain.App) []told {
	e := domain.LicenseIssued{
		License: id, Holder: domain.HomeIn(holder), Vendor: domain.HomeID{UUID: c.tenant()}, App: domain.OfApp(name.ID()), Held: name.HeldBy(holder), Name: name, Revision: 1, Terms: c.terms(),
	}
	return c.toBoth(e.Holder.UUID, e.Vendor.UUID, e)
}

func (c chance) toBoth(holder, vendor uuid.UUID, e dcb.Event) []told {
	switch {
	case c.IntN(8) == 0:
		return []told{{vendor, e}}
	case holder == vendor:
		return []told{{holder, e}}
	}
	return []told{{holder, e}, {vendor, e}}
}

// rules is what becomes of a licence, mostly of one that there is.
func (c chance) rules(w world) []told {
	if len(w.issued) == 0 {
		return c.issues(domain.LicenseID{UUID: named('L', c.IntN(licenses))}, domain.TenantID{UUID: c.tenant()}, pick(c, names...))
	}
	is := *w.held[pick(c, w.issued...)]
	id, holder, vendor := is.License, is.Holder, is.Vendor
	is.Terms = c.terms()
	end := is.Terms.GraceUntil()
	if until := w.held[id.UUID].Terms.GraceUntil(); !until.IsZero() {
		end = until
	}
	e := pick[dcb.Event](c,
		domain.LicenseRenewed(is), domain.LicenseRenewed(is), domain.LicenseChanged(is), domain.LicenseChanged(is),
		domain.LicenseSigned{License: id, Holder: holder, Vendor: vendor},
		domain.LicenseSuspended{License: id, Holder: holder, Vendor: vendor},
		domain.LicenseReinstated{License: id, Holder: holder, Vendor: vendor}, domain.LicenseReinstated{License: id, Holder: holder, Vendor: vendor},
		domain.LicenseRevoked{License: id, Holder: holder, Vendor: vendor},
		domain.LicenseExpired{License: id, Holder: holder, Vendor: vendor, Ended: end},
		domain.LicenseEnded{License: id, Holder: holder, Vendor: vendor, Ended: end})
	return c.toBoth(holder.UUID, vendor.UUID, e)
}

// consumes is a consumption, or one taken back; at times in the log of somebody who has no such licence.
func (c chance) consumes(w world) []told {
	id := domain.LicenseID{UUID: named('L', c.IntN(licenses))}
	t := c.tenant()
	if l := w.held[id.UUID]; l != nil && c.IntN(5) > 0 {
		t = l.Holder.UUID
	}
	e := domain.UsageRecorded{
		Meter: domain.MeterKey(id, "calls"), License: domain.OfLicense(id), Name: "calls",
		Period: pick(c, "2025-12", "2026-01", "2026-01"), Total: int64(c.IntN(12)),
	}
	return []told{{t, pick[dcb.Event](c, e, e, domain.UsageReversed{Meter: e.Meter, License: e.License, Name: e.Name, Period: e.Period, Total: e.Total})}}
}

// installedAtFirst is what is there from the beginning.
func (c chance) installedAtFirst() (first []told) {
	for _, name := range names {
		first = append(first, told{domain.Root.UUID, domain.AppRegistered{App: name.ID(), Name: name}})
		for _, t := range []uuid.UUID{domain.Root.UUID, named('t', 1), named('t', 2)} {
			if c.IntN(4) > 0 {
				first = append(first, told{t, c.runs(domain.TenantID{UUID: t}, name)})
			}
			if id := (domain.LicenseID{UUID: named('L', c.IntN(licenses))}); c.IntN(3) > 0 {
				first = append(first, c.issues(id, domain.TenantID{UUID: t}, name)...)
			}
		}
	}
	return first
}

// listed are all privileges that there may be in a tenant.
func (w world) listed(tenant uuid.UUID) []domain.Privilege {
	return slices.DeleteFunc(append(slices.Clone(privileges), brought...), func(p domain.Privilege) bool {
		return !w.privileges[p] && !w.brought(tenant, p)
	})
}

// unsound tells where the steps of an explanation do not add up to its answer. (A chain of delegations may need several grants.)
func unsound(q access.Question, e access.Explanation) string {
	if e.Why == access.PrivilegeMalformed {
		return ""
	}
	licensed, licenses, given, against := false, false, false, access.Rule("")
	for _, s := range e.Steps {
		switch s.Rule {
		case access.RuleGrant, access.RuleAllow:
			given = given || s.Counts
		case access.RuleLicense:
			licenses, licensed = true, licensed || s.Counts
		case access.RuleSubject, access.RuleTenant, access.RuleApp, access.RuleCeiling, access.RuleDelegation, access.RuleImpersonation:
			if !s.Counts {
				against = s.Rule
			}
		case access.RuleDeny:
			if s.Counts {
				against = s.Rule
			}
		case access.RuleConstraint, access.RuleGuest:
		}
	}
	if licenses && !licensed {
		against = access.RuleLicense
	}
	switch allowed := given && against == ""; {
	case allowed && !e.Allowed && q.Delegation.IsZero():
		return "its steps say yes"
	case e.Allowed && against != "":
		return "a step against it: " + string(against)
	case e.Allowed && !given:
		return "nothing gives it"
	case e.Why == access.AppDisabled && against == "" || e.Why == access.LicenseEnded && against != access.RuleLicense:
		return "no step says so"
	}
	return ""
}
