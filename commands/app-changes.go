package commands

import (
	"fmt"
	"slices"
	"strings"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/google/uuid"

	"chancery/domain"
	"chancery/internal/dcb"
)

// appChange is a version of an app on its way to work in a tenant: what that rests on, what is missing for it, and what it comes to.
type appChange struct {
	env    Env
	name   domain.App
	config jsontext.Value                          // that comes with it; empty: the tenant's stays
	pick   func(*appChange) (domain.Semver, error) // which version; none without an error: there is nothing to do

	app      *dcb.Fact[domain.RegisteredApp]
	here     *dcb.Fact[domain.TenantApp]
	licenses *dcb.Fact[domain.Licenses]
	rest     *appEnding // what comes to rest on it

	// Known once the version is.
	target       domain.PublishedVersion
	err          error // why there is none
	before, text *dcb.Fact[string]

	// Known once the manifests are.
	read     bool
	from, to domain.Manifest
	needs    []*dcb.Fact[domain.TenantApp] // as to has them
	secrets  []secretNeeded
	roles    appRoles
	judged   domain.AppConfig
}

// secretNeeded is a secret that must be there, and where it is asked for.
type secretNeeded struct {
	pointer string
	ref     domain.SecretRef
	holder  *dcb.Fact[uuid.UUID]
}

func (env Env) appChange(name domain.App, config jsontext.Value, pick func(*appChange) (domain.Semver, error)) *appChange {
	rest := env.appEnding(name)
	return &appChange{
		env: env, name: name, config: config, pick: pick,
		app: domain.AppNamed(name), here: rest.top().here, licenses: domain.LicensesFor(env.Tenant, name), rest: rest,
	}
}

// decide goes on once all is known.
func (c *appChange) decide(rule func() ([]dcb.Event, error), more ...dcb.AnyFact) dcb.Decision {
	more = append(more, c.app, c.licenses)
	return dcb.From(append(more, c.rest.facts()...)...).Then(c.rest.next).Then(c.next).Decide(func() ([]dcb.Event, error) {
		if c.err != nil {
			return nil, c.err
		}
		return rule()
	})
}

func (c *appChange) next() []dcb.AnyFact {
	switch {
	case c.text == nil:
		return c.choose()
	case !c.read:
		c.read = true
		return c.study()
	}
	return nil
}

// choose finds the version, and asks for its manifest and for that of the version before it.
func (c *appChange) choose() []dcb.AnyFact {
	if !c.app.Value.Known {
		c.err = domain.At("/app", domain.ErrAppUnknown)
		return nil
	}
	n, err := c.pick(c)
	if err != nil || n == "" {
		c.err = err
		return nil
	}
	v, known := c.app.Value.Version(n)
	if !known {
		c.err = domain.At("/version", domain.ErrVersionOfApp)
		return nil
	}
	c.target, c.text = v, domain.ManifestOf(c.name, n)
	facts := []dcb.AnyFact{c.text}
	if c.here.Value.Known {
		c.before = domain.ManifestOf(c.name, c.here.Value.Number)
		facts = append(facts, c.before)
	}
	return facts
}

// study reads the manifests, and asks for all that the version needs.
func (c *appChange) study() (facts []dcb.AnyFact) {
	if c.to, c.err = domain.ReadManifest(c.text.Value); c.err != nil {
		return nil
	}
	if c.before != nil {
		if c.from, c.err = domain.ReadManifest(c.before.Value); c.err != nil {
			return nil
		}
	}
	for _, d := range c.to.Compatibility.Apps {
		f := domain.TenantAppOf(c.env.Tenant, d.App)
		c.needs, facts = append(c.needs, f), append(facts, f)
	}
	for _, s := range c.to.Secrets {
		c.secrets = append(c.secrets, c.env.secretNeeded("/app", domain.SecretRef{App: c.name, Name: s.Name}))
	}
	c.judgeConfig()
	for _, use := range c.judged.Refers {
		c.secrets = append(c.secrets, c.env.secretNeeded(use.Pointer, use.Secret))
	}
	for _, s := range c.secrets {
		facts = append(facts, s.holder)
	}
	c.roles = c.env.appRoles(c.name, c.from, c.to)
	return append(facts, c.roles.facts()...)
}

func (env Env) secretNeeded(pointer string, r domain.SecretRef) secretNeeded {
	return secretNeeded{pointer, r, domain.SecretHolder(r.Key(env.Tenant))}
}

// judgeConfig judges what the configuration will be. A version without one leaves alone what the tenant configured for another.
func (c *appChange) judgeConfig() {
	config := c.config
	switch {
	case len(config) > 0:
	case len(c.to.Config) == 0:
		return
	case c.here.Value.Config != "":
		config = jsontext.Value(c.here.Value.Config)
	default:
		config = jsontext.Value(`{}`)
	}
	c.judged = domain.JudgeConfig(c.to, config)
}

// missing is all that is not there and must be.
func (c *appChange) missing() []domain.Place {
	var all []domain.Place
	add := func(pointer, format string, args ...any) {
		all = append(all, domain.Place{Pointer: pointer, Detail: fmt.Sprintf(format, args...)})
	}
	if state := c.licenses.Value.State(c.env.Now); c.to.LicenseRequired && !state.InForce() {
		why := state.Refusal().Text
		switch all := c.licenses.Value; len(all) {
		case 0:
			why = "the tenant has none"
		case 1:
			why = all[0].State(c.env.Now).Refusal().Text
		}
		add("/app", "needs a licence for %s that is in force: %s", c.name, why)
	}
	if core := c.to.Compatibility.Core; core != "" && !c.env.runs(core) {
		add("/version", "works with Chancery %s, and this is %s", core, c.env.Version)
	}
	resting := c.rest.inOrder(c.name, map[domain.App]bool{})
	for i, d := range c.to.Compatibility.Apps {
		switch other := c.needs[i].Value; {
		case slices.Contains(resting, d.App): // neither could ever be enabled again
			add("/app", "needs the app %s, which needs %s itself, or by way of others", d.App, c.name)
		case !other.Known:
			add("/app", "needs the app %s %s, which was never enabled here", d.App, d.Range)
		case !other.Enabled:
			add("/app", "needs the app %s %s, which is disabled", d.App, d.Range)
		case !d.Range.Holds(other.Number):
			add("/app", "needs the app %s %s, and %s is enabled", d.App, d.Range, other.Number)
		}
	}
	for _, s := range c.secrets {
		if s.holder.Value == uuid.Nil {
			add(s.pointer, "needs the secret %s, which is not there", s.ref)
		}
	}
	return slices.Concat(all, c.judged.Wrong, c.roles.untitled())
}

// runs reports whether Chancery itself is of a version in the range. A program that was built from no release is of every version.
func (env Env) runs(r domain.SemverRange) bool {
	number, _, _ := strings.Cut(strings.TrimPrefix(env.Version, "v"), "+")
	number, prerelease, _ := strings.Cut(number, "-")
	v := domain.Semver(number)
	return v.Check("") != nil || number == "0.0.0" && prerelease != "" || r.Holds(v)
}

// broken are those that depend on the app, and not on the version.
func (c *appChange) broken() []domain.Place {
	var all []domain.Place
	for _, other := range c.rest.all {
		if need, needs := needOf(other.here.Value, c.name); needs && !need.Range.Holds(c.target.Number) {
			all = append(all, domain.Place{Pointer: "/version", Detail: fmt.Sprintf("the app %s needs %s %s", other.name, c.name, need.Range)})
		}
	}
	return all
}

// needOf is what an app that is at work needs of another one.
func needOf(a domain.TenantApp, other domain.App) (n domain.Need, needs bool) {
	i := slices.IndexFunc(a.Needs, func(n domain.Need) bool { return n.App == other })
	if i < 0 || !a.Enabled {
		return n, false
	}
	return a.Needs[i], true
}

// unagreed are the privileges that the tenant must agree to by name: those that are new since the app was at work, within a major version.
func (c *appChange) unagreed() (names []domain.Privilege) {
	if !c.here.Value.Known || c.here.Value.Number.Major() != c.target.Number.Major() {
		return nil
	}
	for _, p := range c.to.Privileges {
		if !slices.ContainsFunc(c.here.Value.Brings, func(b domain.Brought) bool { return b.Privilege == p.Name }) {
			names = append(names, p.Name)
		}
	}
	return names
}

// agreed are the privileges that were agreed to by name; it is a refusal if some were not.
func (c *appChange) agreed(consent []domain.Privilege) ([]domain.Privilege, error) {
	var lacking []domain.Place
	names := c.unagreed()
	for _, p := range names {
		if !slices.Contains(consent, p) {
			lacking = append(lacking, domain.Place{Pointer: "/consent", Detail: "must name " + string(p)})
		}
	}
	return names, domain.Refused(domain.ErrConsentMissing, lacking)
}

// refusal is that the version cannot be put to work as things are.
func (c *appChange) refusal() error {
	if c.target.Yanked {
		return domain.At("/version", domain.ErrVersionYanked)
	}
	return domain.FirstError(
		domain.Refused(domain.ErrAppNotReady, c.missing()),
		domain.Refused(domain.ErrAppNeeded, c.broken()),
		c.roles.refusal(),
	)
}

// brings, needed and drops are what events say of it.
func (c *appChange) brings() (all []domain.Brought) {
	for _, p := range c.to.Privileges {
		all = append(all, domain.Brought{Privilege: p.Name, Description: p.Description})
	}
	return all
}

// previous is the other version that was at work last.
func (c *appChange) previous() domain.Semver {
	here := c.here.Value
	if here.Number == c.target.Number {
		return here.Previous
	}
	return here.Number
}

func (c *appChange) needed() (all []domain.Need) {
	for _, d := range c.to.Compatibility.Apps {
		all = append(all, domain.Need{TenantApp: d.App.In(c.env.Tenant).UUID, App: d.App, Range: d.Range})
	}
	return all
}

func (c *appChange) drops() (all []domain.Privilege) {
	now := c.brings()
	for _, b := range c.here.Value.Brings {
		if !slices.ContainsFunc(now, func(n domain.Brought) bool { return n.Privilege == b.Privilege }) {
			all = append(all, b.Privilege)
		}
	}
	return all
}

// events puts what happens to roles before the change, and the configuration that comes with it after.
func (c *appChange) events(change dcb.Event) []dcb.Event {
	events := append(c.roles.events(), change)
	if len(c.config) > 0 && c.judged.Canonical != c.here.Value.Config {
		events = append(events, domain.AppConfigured{TenantApp: c.name.In(c.env.Tenant), Name: c.name, Config: c.judged.Canonical})
	}
	return events
}
