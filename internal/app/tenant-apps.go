package app

import (
	"context"
	"fmt"
	"slices"
	"sync"

	"chancery/commands"
	"chancery/domain"
	"chancery/internal/dcb"
	"chancery/internal/due"
	"chancery/internal/reactions"
)

// appLicenses has apps that need a licence follow it: they are disabled when none is in force any more, with all that need them, and
// enabled again when one is, where that was wished. Rights never wait for it. Each change names the event of the licence as its cause.
//
// What is to change, the log says at that time. So what was cut off is done again and changes nothing twice.
func (a *App) appLicenses() *reactions.Reaction {
	return reactions.New(reactions.Config{
		Name: "app-licenses", Do: a.followLicense, Passing: passing, Log: a.log, GaveUp: a.metrics.gaveUp("app-licenses"),
		Types: []string{
			domain.LicenseIssued{}.EventType(), domain.LicenseRenewed{}.EventType(), domain.LicenseChanged{}.EventType(),
			domain.LicenseSuspended{}.EventType(), domain.LicenseReinstated{}.EventType(), domain.LicenseRevoked{}.EventType(),
			domain.LicenseEnded{}.EventType(),
		},
	})
}

func (a *App) followLicense(ctx context.Context, cause dcb.Recorded) error {
	tenant := domain.TenantID{UUID: cause.Tenant}
	id, _, _ := domain.AboutLicense(cause.Event)
	app, err := a.licensed(ctx, tenant, id)
	if err != nil || app == "" {
		return err
	}
	switch cause.Event.(type) {
	case domain.LicenseIssued, domain.LicenseRenewed, domain.LicenseReinstated: // what gives ends nothing
	default:
		if _, err := a.engine.Execute(ctx, ending(cause, tenant, "end-app", commands.EndApp{App: app, At: cause.At})); err != nil {
			return fmt.Errorf("end-app: %w", err)
		}
	}
	return a.resumeApps(ctx, cause, tenant, app)
}

// licensed is the app that the licence is for, in the tenant that holds it; nothing for the vendor's copy.
func (a *App) licensed(ctx context.Context, tenant domain.TenantID, id domain.LicenseID) (domain.App, error) {
	l := domain.LicenseOf(tenant, id)
	if err := a.engine.Ask(ctx, tenant, dcb.From(l)); err != nil || l.Value.Holder.Tenant() != tenant {
		return "", err
	}
	return l.Value.Name, nil
}

// resumeApps enables again an app and those that need it, as far as they can be: as long as one comes back, another one may.
func (a *App) resumeApps(ctx context.Context, cause dcb.Recorded, tenant domain.TenantID, app domain.App) error {
	apps := []domain.App{app}
	for i := 0; i < len(apps); i++ {
		above := domain.Dependants(tenant, apps[i])
		if err := a.engine.Ask(ctx, tenant, dcb.From(above)); err != nil {
			return err
		}
		for _, name := range above.Value {
			if !slices.Contains(apps, name) {
				apps = append(apps, name)
			}
		}
	}
	for again := true; again; {
		again = false
		for _, name := range apps {
			result, err := a.engine.Execute(ctx, ending(cause, tenant, "resume-app", commands.ResumeApp{App: name, At: cause.At}))
			if refusal, ok := domain.IsRefusal(err); ok { // something else is missing: whoever wants the app back is told by enable-app
				a.log.InfoContext(ctx, "an app is licensed again and stays disabled", "tenant", tenant, "app", name, "refusal", refusal.Code)
				continue
			}
			if err != nil {
				return fmt.Errorf("resume-app: %w", err)
			}
			again = again || len(result.Events) > 0
		}
	}
	return nil
}

// licenseBeginnings are the watch for licences that were made for later: no event says that they have begun, so that the date has to
// tell. Each process looks at each of them once; what is enabled again names as its cause the event that gave the licence its terms.
func (a *App) licenseBeginnings() due.Watch {
	var seen sync.Map // ids, with the dates
	return due.Watch{
		Name:  "beginnings of licences",
		Dates: due.Dates{Table: "licenses", Column: "starts_at", Where: "holder_tenant_id = tenant_id AND status = 'active' AND starts_at > issued_at"},
		Do: due.Each(func(ctx context.Context, thing due.Thing) error {
			if _, known := seen.Load(thing); known {
				return nil
			}
			tenant, id := domain.TenantID{UUID: thing.Tenant}, domain.LicenseID{UUID: thing.ID}
			terms := dcb.LatestOf([]string{
				domain.LicenseIssued{}.EventType(), domain.LicenseRenewed{}.EventType(), domain.LicenseChanged{}.EventType(),
			}, []dcb.Tag{id.Tag()}, func(dcb.Event) bool { return true })
			app, err := a.licensed(ctx, tenant, id)
			if err := domain.FirstError(err, a.engine.Ask(ctx, tenant, dcb.From(terms))); err != nil {
				return err
			}
			if err := a.resumeApps(ctx, dcb.Recorded{Meta: terms.Value}, tenant, app); err != nil {
				return err
			}
			seen.Store(thing, struct{}{})
			return nil
		}),
	}
}
