package commands

import (
	"fmt"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/google/uuid"

	"chancery/domain"
	"chancery/internal/dcb"
)

// ConfigureApp gives an app its configuration in the tenant, in place of any earlier one. Secrets are named in it, never told.
type ConfigureApp struct {
	App    domain.App     `json:"app" required:"true" description:"the app, by its name"`
	Config jsontext.Value `json:"config" required:"true" description:"a JSON object as the version that is at work demands; a secret as secret://app/name"`
}

func (c ConfigureApp) Pair(t domain.TenantID) (kind string, things []dcb.Tagger) {
	return tenantApp(t, c.App)
}

func (c ConfigureApp) Decide(env Env) dcb.Decision {
	if err := checkApp(c.App, ""); err != nil {
		return refused(err)
	}
	here := domain.TenantAppOf(env.Tenant, c.App)
	var text *dcb.Fact[string]
	var judged *domain.AppConfig
	var secrets []secretNeeded
	var fault error
	return dcb.From(here).Then(func() (facts []dcb.AnyFact) {
		switch {
		case !here.Value.Enabled || judged != nil || fault != nil:
			return nil
		case text == nil:
			text = domain.ManifestOf(c.App, here.Value.Number)
			return []dcb.AnyFact{text}
		}
		m, err := domain.ReadManifest(text.Value)
		if err != nil {
			fault = err
			return nil
		}
		is := domain.JudgeConfig(m, c.Config)
		judged = &is
		for _, use := range judged.Refers {
			s := env.secretNeeded(use.Pointer, use.Secret)
			secrets, facts = append(secrets, s), append(facts, s.holder)
		}
		return facts
	}).Decide(func() ([]dcb.Event, error) {
		switch {
		case !here.Value.Enabled:
			return nil, domain.At("/app", domain.ErrAppNotEnabled)
		case fault != nil:
			return nil, fault
		}
		wrong := judged.Wrong
		for _, s := range secrets {
			if s.holder.Value == uuid.Nil {
				wrong = append(wrong, domain.Place{Pointer: s.pointer, Detail: fmt.Sprintf("there is no secret %s", s.ref)})
			}
		}
		if err := domain.Refused(domain.ErrConfigInvalid, wrong); err != nil {
			return nil, err
		}
		if judged.Canonical == here.Value.Config {
			return nil, nil
		}
		return dcb.Emit(domain.AppConfigured{TenantApp: c.App.In(env.Tenant), Name: c.App, Config: judged.Canonical})
	})
}
