package transport

import (
	"context"
	"errors"

	"github.com/google/uuid"

	"chancery/commands"
	"chancery/domain"
	"chancery/readmodels"
)

// PlanApp tells what a version of an app would come to in a tenant. *commands.Engine does.
type PlanApp func(ctx context.Context, tenant domain.TenantID, app domain.App, version domain.Semver) (commands.AppPlan, error)

type (
	planParameters struct {
		Version string `query:"version" description:"absent: the one that the app is pinned to, else of one that was disabled the one that it had, else the latest that is no prerelease and was not withdrawn"`
	}
	appPlan struct {
		App     domain.App    `json:"app" required:"true"`
		Enabled bool          `json:"enabled" required:"true" description:"it is, in the version named by from"`
		From    domain.Semver `json:"from,omitzero" description:"the version that is at work, or was last"`
		To      domain.Semver `json:"to" required:"true"`

		ManifestHash string `json:"manifest_hash" required:"true" description:"by which upgrade-app is confirmed, and enable-app of another version than the one before"`
		Deprecated   bool   `json:"deprecated,omitzero" description:"its vendor advises against the version"`

		PrivilegesAdded   []plannedPrivilege `json:"privileges_added" required:"true" nullable:"false"`
		PrivilegesRemoved []domain.Privilege `json:"privileges_removed" required:"true" nullable:"false"`
		RolesAdded        []plannedRole      `json:"roles_added" required:"true" nullable:"false"`
		RolesChanged      []plannedRole      `json:"roles_changed" required:"true" nullable:"false"`
		RolesRemoved      []plannedRole      `json:"roles_removed" required:"true" nullable:"false" description:"they stay with those who have them, and give nothing"`
		RoutesAdded       []domain.Route     `json:"routes_added" required:"true" nullable:"false"`
		RoutesRemoved     []domain.Route     `json:"routes_removed" required:"true" nullable:"false"`
		ConsumesAdded     []string           `json:"consumes_added" required:"true" nullable:"false" description:"types of events that the app hears of"`
		ConsumesRemoved   []string           `json:"consumes_removed" required:"true" nullable:"false"`
		NeedsRemoved      []domain.App       `json:"needs_removed" required:"true" nullable:"false" description:"apps that it needs no longer"`
		LicenseAdded      bool               `json:"license_added" required:"true" description:"from then on it needs a licence"`
		LicenseRemoved    bool               `json:"license_removed" required:"true" description:"from then on it needs none"`
		ConfigChanged     bool               `json:"config_changed" required:"true" description:"the configuration is judged by another schema"`

		Needs       []plannedNeed      `json:"needs" required:"true" nullable:"false" description:"other apps"`
		Secrets     []plannedSecret    `json:"secrets" required:"true" nullable:"false"`
		Missing     []inputError       `json:"missing" required:"true" nullable:"false" description:"all that must be there first; none: nothing keeps it from being done"`
		Consent     []domain.Privilege `json:"consent" required:"true" nullable:"false" description:"privileges that must be agreed to by name"`
		ConfigValid bool               `json:"config_valid" required:"true" description:"what the tenant configured will do"`

		Position readmodels.Position `json:"position" required:"true" description:"what the answer has seen"`
	}
	plannedPrivilege struct {
		Name        domain.Privilege `json:"name" required:"true"`
		Description string           `json:"description" required:"true"`
	}
	plannedRole struct {
		Key        string           `json:"key" required:"true"`
		Title      string           `json:"title" required:"true"`
		Privileges []domain.Pattern `json:"privileges,omitempty" description:"of one that is added"`
		Added      []domain.Pattern `json:"added,omitempty" description:"to one that changes: patterns, and privileges that a pattern comes to match"`
		Removed    []domain.Pattern `json:"removed,omitempty" description:"from one that changes"`
	}
	plannedNeed struct {
		App     domain.App         `json:"app" required:"true"`
		Range   domain.SemverRange `json:"range" required:"true"`
		Enabled bool               `json:"enabled" required:"true"`
		Version domain.Semver      `json:"version,omitzero" description:"that is there"`
		Met     bool               `json:"met" required:"true"`
	}
	plannedSecret struct {
		Reference   string `json:"reference" required:"true"`
		Description string `json:"description,omitzero"`
		There       bool   `json:"there" required:"true"`
	}
)

// planApp tells what a version of an app would bring into the tenant and take away, and what is missing for it. It is for those who may
// enable or upgrade apps.
func (s *Server) planApp(c *call) error {
	if err := s.may(c, "core.tenant-apps.upgrade"); err != nil {
		if err := s.may(c, "core.tenant-apps.enable"); err != nil {
			return err
		}
	}
	return s.ask(c, tenantApps().Projector, "filter", func(v View, q question) error {
		for name := range q.Filter {
			if name != "version" {
				return badParameter(name, errParameter.Error())
			}
		}
		version := domain.Semver(q.Filter["version"])
		switch {
		case q.past:
			return badParameter("as_of", errParameter.Error())
		case c.QueryParams().Has("version") && version.Check("") != nil:
			return badParameter("version", "must be the number of a version, such as 1.4.0")
		}
		name, err := appAt(c, v)
		if err != nil {
			return err
		}
		p, err := s.config.PlanApp(c.ctx(), c.tenant, name, version)
		if refusal, ok := domain.IsRefusal(err); ok && refusal.Kind == domain.Missing {
			return errNotFound
		}
		if err != nil {
			return err
		}
		c.position(p.Position)
		return c.answer(planned(p))
	})
}

// appAt is the app in the address: by its name, or by the id that it has in the tenant.
func appAt(c *call, v View) (domain.App, error) {
	text := c.Param("id")
	if id, err := uuid.Parse(text); err == nil && id.String() == text {
		item, err := v.One(c.ctx(), tenantApps(), text)
		if errors.Is(err, readmodels.ErrNotFound) {
			return "", errNotFound
		}
		if err != nil {
			return "", err
		}
		return domain.App(item.Value.(*readmodels.TenantApp).App), nil //nolint:forcetypeassert // so is the collection
	}
	if name := domain.App(text); name.Check("") == nil {
		return name, nil
	}
	return "", errNotFound
}

func tenantApps() readmodels.Collection {
	c, _ := readmodels.CollectionOf("tenant-apps")
	return c
}

func planned(p commands.AppPlan) appPlan {
	d := p.Diff
	a := appPlan{
		App: p.App, Enabled: p.Enabled, From: p.From, To: p.To, ManifestHash: p.Hash, Deprecated: p.Deprecated,
		PrivilegesAdded:   mapped(d.PrivilegesAdded, func(p domain.ManifestPrivilege) plannedPrivilege { return plannedPrivilege(p) }),
		PrivilegesRemoved: mapped(d.PrivilegesRemoved, same),
		RolesAdded: mapped(d.RolesAdded, func(r domain.ManifestRole) plannedRole {
			return plannedRole{Key: r.Key, Title: r.Title, Privileges: r.Privileges}
		}),
		RolesChanged: mapped(d.RolesChanged, func(r domain.RoleDiff) plannedRole {
			return plannedRole{Key: r.Key, Title: r.Title, Added: r.Added, Removed: r.Removed}
		}),
		RolesRemoved:  mapped(d.RolesRemoved, func(r domain.ManifestRole) plannedRole { return plannedRole{Key: r.Key, Title: r.Title} }),
		RoutesAdded:   mapped(d.RoutesAdded, same),
		RoutesRemoved: mapped(d.RoutesRemoved, same),
		ConsumesAdded: mapped(d.ConsumesAdded, same), ConsumesRemoved: mapped(d.ConsumesRemoved, same), ConfigChanged: d.ConfigChanged,
		NeedsRemoved: mapped(d.NeedsRemoved, same), LicenseAdded: d.LicenseAdded, LicenseRemoved: d.LicenseRemoved,
		Needs: mapped(p.Needs, func(n commands.PlannedNeed) plannedNeed {
			return plannedNeed{App: n.App, Range: n.Range, Enabled: n.Enabled, Version: n.Number, Met: n.Met}
		}),
		Secrets: mapped(p.Secrets, func(s commands.PlannedSecret) plannedSecret {
			return plannedSecret{Reference: s.Ref.String(), Description: s.Description, There: s.There}
		}),
		Missing: mapped(p.Missing, func(p domain.Place) inputError { return inputError{Pointer: p.Pointer, Detail: p.Detail} }),
		Consent: mapped(p.Consent, same), ConfigValid: p.ConfigValid, Position: readmodels.Position(p.Position),
	}
	return a
}

// mapped is a list for an answer: never null.
func mapped[A, B any](in []A, as func(A) B) []B {
	out := make([]B, len(in))
	for i, v := range in {
		out[i] = as(v)
	}
	return out
}

func same[T any](v T) T { return v }
