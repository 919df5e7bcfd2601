package commands

import (
	"fmt"

	"github.com/go-json-experiment/json/jsontext"

	"chancery/domain"
	"chancery/internal/dcb"
)

// EnableApp puts an app to work in the tenant, or tells all that is missing for it.
type EnableApp struct {
	App     domain.App         `json:"app" required:"true" description:"the app, by its name"`
	Version domain.Semver      `json:"version,omitzero" description:"absent: the one that the app is pinned to, else the one that it had, else the latest that is no prerelease and was not withdrawn"`
	Resumes *bool              `json:"resumes,omitzero" description:"when its licence ends and is renewed, the app is enabled again without being asked; absent: as before, at first it is not"`
	Confirm string             `json:"confirm,omitzero" description:"where the app was enabled before in another version: the manifest_hash of this one; without it the answer tells what changes, and the hash"`
	Consent []domain.Privilege `json:"consent,omitzero" description:"privileges that are new since the app was last enabled here, in a version of the same major number: each must be named"`
	Config  jsontext.Value     `json:"config,omitzero" description:"its configuration, a JSON object as the version demands; absent: as before"`
}

func (c EnableApp) Pair(t domain.TenantID) (kind string, things []dcb.Tagger) {
	return tenantApp(t, c.App)
}

func (c EnableApp) Decide(env Env) dcb.Decision {
	if err := domain.FirstError(checkApp(c.App, c.Version), env.mayConfigure(c.Config)); err != nil {
		return refused(err)
	}
	ch := env.appChange(c.App, c.Config, c.pick)
	return ch.decide(func() ([]dcb.Event, error) {
		here := ch.here.Value
		if here.Enabled {
			return c.again(ch)
		}
		var unread error
		if here.Known && here.Number != ch.target.Number {
			unread = ch.unread(c.Confirm)
		}
		agreed, err := ch.agreed(c.Consent)
		if err := domain.FirstError(unread, err, ch.refusal()); err != nil {
			return nil, err
		}
		return ch.events(domain.AppEnabled{
			TenantApp: c.App.In(env.Tenant), Name: c.App, Number: ch.target.Number, Previous: ch.previous(), Brings: ch.brings(),
			Needs: ch.needed(), LicenseRequired: ch.to.LicenseRequired, Resumes: c.resumes(here), Consented: agreed,
		}), nil
	})
}

func (c EnableApp) pick(ch *appChange) (domain.Semver, error) {
	here := ch.here.Value
	switch {
	case here.Enabled:
		return "", nil
	case here.Pinned != "" && c.Version != "" && c.Version != here.Pinned:
		return "", domain.At("/version", domain.ErrAppPinned)
	case here.Pinned != "":
		return here.Pinned, nil
	case c.Version != "":
		return c.Version, nil
	case here.Known:
		return ch.last()
	}
	return ch.latest()
}

// again is for an app that is enabled: nothing changes but what happens when its licence ends.
func (c EnableApp) again(ch *appChange) ([]dcb.Event, error) {
	here := ch.here.Value
	switch {
	case c.Version != "" && c.Version != here.Number:
		return nil, domain.Invalid("/version", "the app is enabled in version %s; upgrade-app and roll-back-app change that", here.Number)
	case len(c.Config) > 0:
		return nil, domain.Invalid("/config", "the app is enabled; configure-app gives it another configuration")
	case c.resumes(here) == here.Resumes:
		return nil, nil
	}
	return dcb.Emit(domain.AppEnabled{
		TenantApp: c.App.In(ch.env.Tenant), Name: c.App, Number: here.Number, Previous: here.Previous, Brings: here.Brings,
		Needs: here.Needs, LicenseRequired: here.LicenseRequired, Resumes: c.resumes(here),
	})
}

func (c EnableApp) resumes(here domain.TenantApp) bool {
	if c.Resumes == nil {
		return here.Resumes
	}
	return *c.Resumes
}

// UpgradeApp puts a later version of an app in the place of the one that is at work. Unless it is confirmed by the hash of the version's
// manifest, nothing happens, and the answer tells what would.
type UpgradeApp struct {
	App     domain.App         `json:"app" required:"true" description:"the app, by its name"`
	Version domain.Semver      `json:"version,omitzero" description:"absent: the latest that is no prerelease and was not withdrawn"`
	Confirm string             `json:"confirm,omitzero" description:"the manifest_hash of the version; without it the answer tells what changes, and the hash"`
	Consent []domain.Privilege `json:"consent,omitzero" description:"privileges that are new, in a version of the same major number: each must be named"`
	Config  jsontext.Value     `json:"config,omitzero" description:"a configuration for the version, in place of the one that is there"`
}

func (c UpgradeApp) Pair(t domain.TenantID) (kind string, things []dcb.Tagger) {
	return tenantApp(t, c.App)
}

func (c UpgradeApp) Decide(env Env) dcb.Decision {
	if err := domain.FirstError(checkApp(c.App, c.Version), env.mayConfigure(c.Config)); err != nil {
		return refused(err)
	}
	ch := env.appChange(c.App, c.Config, c.pick)
	return ch.decide(func() ([]dcb.Event, error) {
		if ch.target.Number == "" {
			return nil, nil
		}
		agreed, err := ch.agreed(c.Consent)
		if err := domain.FirstError(ch.unread(c.Confirm), err, ch.refusal()); err != nil {
			return nil, err
		}
		return ch.events(domain.AppUpgraded{
			TenantApp: c.App.In(env.Tenant), Name: c.App, From: ch.here.Value.Number, Number: ch.target.Number, Brings: ch.brings(),
			Needs: ch.needed(), LicenseRequired: ch.to.LicenseRequired, Drops: ch.drops(), Consented: agreed,
		}), nil
	})
}

func (c UpgradeApp) pick(ch *appChange) (domain.Semver, error) {
	here, n := ch.here.Value, c.Version
	if !here.Enabled {
		return "", domain.At("/app", domain.ErrAppNotEnabled)
	}
	if n == "" {
		latest, err := ch.latest()
		if err != nil || latest.Compare(here.Number) <= 0 {
			return "", err
		}
		n = latest
	}
	switch {
	case n == here.Number:
		return "", nil
	case here.Pinned != "":
		return "", domain.At("/app", domain.ErrAppPinned)
	case n.Compare(here.Number) < 0:
		return "", domain.Invalid("/version", "is earlier than %s, which is at work; roll-back-app returns to the version before", here.Number)
	}
	return n, nil
}

// RollBackApp returns to the version that was at work before.
type RollBackApp struct {
	App    domain.App     `json:"app" required:"true" description:"the app, by its name"`
	Reason string         `json:"reason,omitzero" description:"why, for the record"`
	Config jsontext.Value `json:"config,omitzero" description:"a configuration for the version, in place of the one that is there"`
}

func (c RollBackApp) Pair(t domain.TenantID) (kind string, things []dcb.Tagger) {
	return tenantApp(t, c.App)
}

func (c RollBackApp) Decide(env Env) dcb.Decision {
	if err := domain.FirstError(checkApp(c.App, ""), domain.CheckText("/reason", c.Reason), env.mayConfigure(c.Config)); err != nil {
		return refused(err)
	}
	ch := env.appChange(c.App, c.Config, func(ch *appChange) (domain.Semver, error) {
		switch here := ch.here.Value; {
		case !here.Enabled:
			return "", domain.At("/app", domain.ErrAppNotEnabled)
		case here.Previous == "":
			return "", domain.At("/app", domain.ErrNoEarlier)
		case here.Pinned != "":
			return "", domain.At("/app", domain.ErrAppPinned)
		default:
			return here.Previous, nil
		}
	})
	return ch.decide(func() ([]dcb.Event, error) {
		if err := ch.refusal(); err != nil {
			return nil, err
		}
		return ch.events(domain.AppRolledBack{
			TenantApp: c.App.In(env.Tenant), Name: c.App, From: ch.here.Value.Number, Number: ch.target.Number, Brings: ch.brings(),
			Needs: ch.needed(), LicenseRequired: ch.to.LicenseRequired, Drops: ch.drops(), Reason: c.Reason,
		}), nil
	})
}

// DisableApp takes an app out of work in the tenant. Its configuration stays, and so do its roles with those who have them: they give
// nothing until the app is enabled again.
type DisableApp struct {
	App    domain.App `json:"app" required:"true" description:"the app, by its name"`
	Reason string     `json:"reason,omitzero" description:"why, for the record"`
}

func (c DisableApp) Pair(t domain.TenantID) (kind string, things []dcb.Tagger) {
	return tenantApp(t, c.App)
}

func (c DisableApp) Decide(env Env) dcb.Decision {
	if err := domain.FirstError(checkApp(c.App, ""), domain.CheckText("/reason", c.Reason)); err != nil {
		return refused(err)
	}
	if c.Reason == domain.AppLicenseEnded || c.Reason == domain.AppNeedDisabled {
		return refused(domain.Invalid("/reason", "is what Chancery itself says; use other words"))
	}
	end := env.appEnding(c.App)
	return dcb.From(end.facts()...).Then(end.next).Decide(func() ([]dcb.Event, error) {
		here := end.top().here.Value
		switch {
		case !here.Known:
			return nil, domain.At("/app", domain.ErrAppNotEnabled)
		case !here.Enabled && here.EndedByLicense: // so that it stays disabled when the licence is renewed
			return dcb.Emit(domain.AppDisabled{TenantApp: c.App.In(env.Tenant), Name: c.App, Reason: c.Reason})
		case !here.Enabled:
			return nil, nil
		}
		if err := end.needed(); err != nil {
			return nil, err
		}
		return dcb.Emit(end.disabled(c.App, c.Reason))
	})
}

// PinApp keeps the tenant on the version of an app that is at work.
type PinApp struct {
	App domain.App `json:"app" required:"true" description:"the app, by its name"`
}

func (c PinApp) Pair(t domain.TenantID) (kind string, things []dcb.Tagger) {
	return tenantApp(t, c.App)
}

func (c PinApp) Decide(env Env) dcb.Decision {
	here := domain.TenantAppOf(env.Tenant, c.App)
	return dcb.From(here).Decide(func() ([]dcb.Event, error) {
		switch err := checkApp(c.App, ""); {
		case err != nil:
			return nil, err
		case !here.Value.Enabled:
			return nil, domain.At("/app", domain.ErrAppNotEnabled)
		case here.Value.Pinned == here.Value.Number:
			return nil, nil
		}
		return dcb.Emit(domain.AppPinned{TenantApp: c.App.In(env.Tenant), Name: c.App, Number: here.Value.Number})
	})
}

// UnpinApp ends that.
type UnpinApp struct {
	App domain.App `json:"app" required:"true" description:"the app, by its name"`
}

func (c UnpinApp) Pair(t domain.TenantID) (kind string, things []dcb.Tagger) {
	return tenantApp(t, c.App)
}

func (c UnpinApp) Decide(env Env) dcb.Decision {
	here := domain.TenantAppOf(env.Tenant, c.App)
	return dcb.From(here).Decide(func() ([]dcb.Event, error) {
		switch err := checkApp(c.App, ""); {
		case err != nil:
			return nil, err
		case !here.Value.Known:
			return nil, domain.At("/app", domain.ErrAppNotEnabled)
		case here.Value.Pinned == "":
			return nil, nil
		}
		return dcb.Emit(domain.AppUnpinned{TenantApp: c.App.In(env.Tenant), Name: c.App})
	})
}

// tenantApp names an app of a tenant.
func tenantApp(t domain.TenantID, a domain.App) (kind string, things []dcb.Tagger) {
	return "tenant-app", []dcb.Tagger{a.In(t)}
}

// checkApp refuses names of apps and versions that cannot be any.
func checkApp(a domain.App, n domain.Semver) error {
	if err := a.Check("/app"); err != nil || n == "" {
		return err
	}
	return n.Check("/version")
}

// mayConfigure refuses a configuration that comes along from those who may not give one by itself.
func (env Env) mayConfigure(config jsontext.Value) error {
	if len(config) == 0 || env.Rights.Holds("core.tenant-apps.configure", "") {
		return nil
	}
	return domain.At("/config", domain.ErrNotAllowed)
}

// last is the version that the tenant had.
func (c *appChange) last() (domain.Semver, error) {
	n := c.here.Value.Number
	if v, _ := c.app.Value.Version(n); v.Yanked {
		return "", &domain.InputError{
			Refusal: domain.ErrVersionYanked, Pointer: "/version", Detail: fmt.Sprintf("%s, which the tenant had, was withdrawn; name another version", n),
		}
	}
	return n, nil
}

// latest is the version that is taken where none is named.
func (c *appChange) latest() (domain.Semver, error) {
	v, ok := c.app.Value.Latest(false)
	if !ok {
		return "", &domain.InputError{
			Refusal: domain.ErrVersionOfApp, Pointer: "/version", Detail: "the app has no version that is no prerelease and was not withdrawn; name another one",
		}
	}
	return v.Number, nil
}
