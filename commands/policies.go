package commands

import (
	"chancery/domain"
	"chancery/internal/dcb"
)

// SetPolicy gives a setting of the tenant a value.
type SetPolicy struct {
	Key   string `json:"key" required:"true" description:"the setting, such as tokens.max-lifetime-days"`
	Value string `json:"value" required:"true" description:"the value, written as the setting's type demands"`
}

// Pair is the setting in the tenant.
func (c SetPolicy) Pair(t domain.TenantID) (kind string, things []dcb.Tagger) {
	return "policy", []dcb.Tagger{domain.Setting{Key: c.Key}.ID(t)}
}

func (c SetPolicy) Decide(env Env) dcb.Decision {
	return env.setting(c.Key, func(p domain.Policy) ([]dcb.Event, error) {
		value, err := p.Setting.Check("/value", c.Value)
		if err != nil {
			return nil, err
		}
		if value == p.Value && p.Version > 0 {
			return nil, nil
		}
		return dcb.Emit(domain.PolicySet{Policy: p.Setting.ID(env.Tenant), Key: c.Key, Value: value, Version: p.Version + 1})
	})
}

// ResetPolicy returns a setting to its default.
type ResetPolicy struct {
	Key string `json:"key" required:"true" description:"the setting"`
}

// Pair is the setting in the tenant.
func (c ResetPolicy) Pair(t domain.TenantID) (kind string, things []dcb.Tagger) {
	return "policy", []dcb.Tagger{domain.Setting{Key: c.Key}.ID(t)}
}

func (c ResetPolicy) Decide(env Env) dcb.Decision {
	return env.setting(c.Key, func(p domain.Policy) ([]dcb.Event, error) {
		if p.Value == p.Setting.Default {
			return nil, nil
		}
		return dcb.Emit(domain.PolicyReset{Policy: p.Setting.ID(env.Tenant), Key: c.Key, Version: p.Version + 1})
	})
}

func (env Env) setting(key string, rule func(domain.Policy) ([]dcb.Event, error)) dcb.Decision {
	s, known := domain.SettingOf(key)
	switch {
	case !known:
		return refused(domain.At("/key", domain.ErrPolicyUnknown))
	case s.Platform && env.Tenant != domain.Root:
		return refused(domain.At("/key", domain.ErrPolicyPlatform))
	}
	p := domain.PolicyOf(env.Tenant, s)
	return dcb.From(p).Decide(func() ([]dcb.Event, error) { return rule(p.Value) })
}
