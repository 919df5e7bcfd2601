package commands

import (
	"context"
	"fmt"
	"strings"

	"github.com/google/uuid"

	"chancery/domain"
	"chancery/internal/dcb"
)

// AppPlan is what putting a version of an app to work in a tenant would come to.
type AppPlan struct {
	Position    int64 // that it has seen
	App         domain.App
	Enabled     bool          // it is
	From        domain.Semver // the version at work, or the last one; empty for none
	To          domain.Semver
	Hash        string // by which it is confirmed
	Deprecated  bool
	Diff        domain.ManifestDiff
	Needs       []PlannedNeed
	Secrets     []PlannedSecret
	Missing     []domain.Place     // all that is not there and must be; none: it can be done
	Consent     []domain.Privilege // to be agreed to by name
	ConfigValid bool               // what the tenant configured will do
}

// PlannedNeed is another app that a version needs.
type PlannedNeed struct {
	App     domain.App
	Range   domain.SemverRange
	Enabled bool
	Number  domain.Semver // that is there; empty for none
	Met     bool
}

// PlannedSecret is a secret that a version needs.
type PlannedSecret struct {
	Ref         domain.SecretRef
	Description string
	There       bool
}

// PlanApp tells what a version of an app would come to in a tenant, and changes nothing. Without a version it is the one that the app is
// pinned to, else of one that was disabled the one that it had, else the latest that is no earlier than the one at work.
func (e *Engine) PlanApp(ctx context.Context, tenant domain.TenantID, name domain.App, version domain.Semver) (AppPlan, error) {
	if err := checkApp(name, version); err != nil {
		return AppPlan{}, err
	}
	env := e.env(Order{Tenant: tenant, Rights: System{}})
	ch := env.appChange(name, nil, func(ch *appChange) (domain.Semver, error) {
		here := ch.here.Value
		switch {
		case version != "":
			return version, nil
		case here.Pinned != "":
			return here.Pinned, nil
		case here.Known && !here.Enabled:
			return here.Number, nil
		}
		latest, err := ch.latest()
		if err == nil && (!here.Enabled || latest.Compare(here.Number) >= 0) || !here.Enabled {
			return latest, err
		}
		return here.Number, nil
	})
	v := newView(ctx, e.Store, tenant.UUID)
	if _, _, err := ch.decide(func() ([]dcb.Event, error) { return nil, nil }).Run(ctx, tenant.UUID, v.claim, v.ask); err != nil {
		return AppPlan{}, err
	}
	p := ch.plan()
	p.Position = v.head
	return p, nil
}

func (c *appChange) plan() AppPlan {
	here := c.here.Value
	p := AppPlan{
		App: c.name, Enabled: here.Enabled, From: here.Number, To: c.target.Number, Hash: c.target.Hash, Deprecated: c.target.Deprecated,
		Diff: domain.ManifestChanges(c.from, c.to), Consent: c.unagreed(), ConfigValid: len(c.judged.Wrong) == 0,
	}
	for i, d := range c.to.Compatibility.Apps {
		other := c.needs[i].Value
		n := PlannedNeed{App: d.App, Range: d.Range, Enabled: other.Enabled, Number: other.Number}
		n.Met = other.Enabled && d.Range.Holds(other.Number)
		p.Needs = append(p.Needs, n)
	}
	for i, s := range c.to.Secrets {
		there := c.secrets[i].holder.Value != uuid.Nil
		p.Secrets = append(p.Secrets, PlannedSecret{Ref: c.secrets[i].ref, Description: s.Description, There: there})
	}
	for _, s := range c.secrets[len(c.to.Secrets):] {
		p.ConfigValid = p.ConfigValid && s.holder.Value != uuid.Nil
	}
	if c.target.Yanked {
		p.Missing = append(p.Missing, domain.Place{Pointer: "/version", Detail: domain.ErrVersionYanked.Text})
	}
	if here.Pinned != "" && here.Pinned != p.To {
		p.Missing = append(p.Missing, domain.Place{Pointer: "/app", Detail: fmt.Sprintf("is pinned to %s", here.Pinned)})
	}
	p.Missing = append(append(p.Missing, c.missing()...), c.broken()...)
	return p
}

// unread is the refusal of a change that is not confirmed. It tells the hash, what changes, and what is missing.
func (c *appChange) unread(confirm string) error {
	p := c.plan()
	if confirm == p.Hash {
		return nil
	}
	places := []domain.Place{{Pointer: "/confirm", Detail: fmt.Sprintf("must be %s, the hash of the manifest of %s %s", p.Hash, p.App, p.To)}}
	for _, words := range told(p.Diff) {
		places = append(places, domain.Place{Pointer: "/version", Detail: words})
	}
	if len(p.Consent) > 0 {
		places = append(places, domain.Place{Pointer: "/consent", Detail: "must name " + list(p.Consent, plain)})
	}
	return domain.Refused(domain.ErrUpgradeUnread, append(places, p.Missing...))
}

// told words what changes, what the tenant gives before what it gets.
func told(d domain.ManifestDiff) (all []string) {
	say := func(words, things string) {
		if things != "" {
			all = append(all, words+" "+things)
		}
	}
	say("brings the privileges", list(d.PrivilegesAdded, func(p domain.ManifestPrivilege) string { return string(p.Name) }))
	say("no longer brings the privileges", list(d.PrivilegesRemoved, plain))
	say("serves", list(d.RoutesAdded, addressOf))
	say("no longer serves", list(d.RoutesRemoved, addressOf))
	say("brings the roles", list(d.RolesAdded, func(r domain.ManifestRole) string { return r.Title + " with " + list(r.Privileges, plain) }))
	say("changes the roles", list(d.RolesChanged, roleChange))
	say("empties the roles", list(d.RolesRemoved, func(r domain.ManifestRole) string { return r.Title }))
	say("needs the apps", list(d.NeedsAdded, func(n domain.Dependency) string { return string(n.App) + " " + string(n.Range) }))
	say("no longer needs the apps", list(d.NeedsRemoved, plain))
	say("needs the secrets", list(d.SecretsAdded, func(s domain.ManifestSecret) string { return s.Name }))
	say("no longer needs the secrets", list(d.SecretsRemoved, plain))
	say("hears of", list(d.ConsumesAdded, plain))
	say("no longer hears of", list(d.ConsumesRemoved, plain))
	if d.LicenseAdded {
		all = append(all, "needs a licence")
	}
	if d.LicenseRemoved {
		all = append(all, "no longer needs a licence")
	}
	if d.ConfigChanged {
		all = append(all, "judges the configuration by another schema")
	}
	return all
}

func list[T any](things []T, word func(T) string) string {
	words := make([]string, len(things))
	for i, t := range things {
		words[i] = word(t)
	}
	return strings.Join(words, ", ")
}

func plain[T ~string](s T) string { return string(s) }

// addressOf is a route as one reads it.
func addressOf(r domain.Route) string {
	words := r.Host + r.Path
	if len(r.Methods) > 0 {
		words = strings.Join(r.Methods, " ") + " " + words
	}
	switch {
	case r.Public:
		return words + " (public)"
	case r.Privilege != "":
		return words + " (" + string(r.Privilege) + ")"
	}
	return words
}

func roleChange(r domain.RoleDiff) string {
	var parts []string
	for _, p := range r.Added {
		parts = append(parts, "+"+string(p))
	}
	for _, p := range r.Removed {
		parts = append(parts, "-"+string(p))
	}
	if r.Reworded {
		parts = append(parts, "reworded")
	}
	return r.Title + " (" + strings.Join(parts, ", ") + ")"
}
