package commands

import (
	"time"

	"github.com/google/uuid"

	"chancery/domain"
	"chancery/internal/dcb"
)

// CreateSecret keeps a value for an app. It is sealed before it is stored; only read-secret tells it.
type CreateSecret struct {
	ID          domain.SecretID   `json:"id,omitzero" description:"id of the new secret; made if absent"`
	App         domain.App        `json:"app,omitzero" description:"the app that it belongs to; core if absent"`
	Name        string            `json:"name" required:"true" description:"unique among the secrets of the app; in references it is secret://app/name"`
	Description string            `json:"description,omitzero" description:"what it opens; no secret itself"`
	Value       domain.SecretText `json:"value" required:"true" description:"the value, text of up to 65536 bytes"`
	EveryDays   int               `json:"rotate_every_days,omitzero" description:"how often it is to be rotated; 0 for no reminder"`
}

func (c *CreateSecret) NewID() *uuid.UUID { return &c.ID.UUID }
func (c CreateSecret) Target() dcb.Tagger { return c.ID }

func (c CreateSecret) Scope() domain.Scope { return c.app().Scope() }

func (c CreateSecret) app() domain.App {
	if c.App == "" {
		return domain.CoreApp
	}
	return c.App
}

func (c CreateSecret) Decide(env Env) dcb.Decision {
	key := domain.SecretRef{App: c.app(), Name: c.Name}.Key(env.Tenant)
	used, holder := domain.Used[domain.SecretCreated](c.ID), domain.SecretHolder(key)
	return dcb.From(used, holder).Decide(func() ([]dcb.Event, error) {
		if err := domain.FirstError(c.app().Check("/app"), domain.CheckSecretName("/name", c.Name), domain.CheckText("/description", c.Description),
			c.Value.Check("/value"), checkDays("/rotate_every_days", c.EveryDays)); err != nil {
			return nil, err
		}
		switch {
		case used.Value:
			return nil, domain.At("/id", domain.ErrIDTaken)
		case holder.Value != uuid.Nil:
			return nil, domain.At("/name", domain.ErrSecretName)
		}
		due := domain.Secret{EveryDays: c.EveryDays}.Due(env.Now)
		events := []dcb.Event{
			domain.SecretCreated{Secret: c.ID, App: c.app(), Name: c.Name, Description: c.Description, Key: key},
			domain.SecretRotated{Secret: c.ID, Version: versionID(c.ID, 1), Number: 1, Value: dcb.Hide(string(c.Value)), DueAt: due},
		}
		if c.EveryDays > 0 {
			events = append(events, domain.SecretScheduled{Secret: c.ID, EveryDays: c.EveryDays, DueAt: due})
		}
		return events, nil
	})
}

// versionID follows from the secret and the number, so that deciding again decides the same.
func versionID(s domain.SecretID, number int) domain.VersionID {
	return domain.VersionID{UUID: uuid.NewSHA1(s.UUID, []byte{byte(number >> 24), byte(number >> 16), byte(number >> 8), byte(number)})}
}

const mostDays = 3650

func checkDays(pointer string, days int) error {
	if days < 0 || days > mostDays {
		return domain.Invalid(pointer, "must be a number of days from 0 to %d", mostDays)
	}
	return nil
}

// mayChange refuses who lacks the privilege on the secret's app. Who may not even know of it is told that there is none.
func (env Env) mayChange(s domain.Secret, p domain.Privilege) error {
	holds := func(p domain.Privilege) bool { return env.Rights.Holds(domain.Pattern(p), s.App.Scope()) }
	switch {
	case !s.Exists:
		return domain.At("/id", domain.ErrSecretUnknown)
	case holds(p):
		return nil
	case holds(domain.SecretsList), holds(domain.SecretsRead):
		return domain.ErrNotAllowed
	}
	return domain.At("/id", domain.ErrSecretUnknown)
}

// RotateSecret gives a secret its next value.
type RotateSecret struct {
	ID       domain.SecretID   `json:"id" required:"true" description:"the secret"`
	Value    domain.SecretText `json:"value" required:"true" description:"the new value, text of up to 65536 bytes"`
	Grace    int               `json:"grace_seconds,omitzero" description:"how long the value so far can still be read, by its version; 0 for no longer"`
	Expected int               `json:"expected_version,omitzero" description:"refuse if another version is the current one"`
}

const mostGrace = 30 * 24 * 60 * 60

func (c RotateSecret) Target() dcb.Tagger { return c.ID }

func (c RotateSecret) Decide(env Env) dcb.Decision {
	s := domain.SecretOf(c.ID)
	return dcb.From(s).Decide(func() ([]dcb.Event, error) {
		if err := domain.FirstError(c.Value.Check("/value"), c.checkGrace(), env.mayChange(s.Value, "core.secrets.rotate")); err != nil {
			return nil, err
		}
		now := s.Value.Current()
		switch {
		case c.Expected != 0 && c.Expected != now.Number:
			return nil, domain.At("/expected_version", domain.ErrSecretMoved)
		case len(live(s.Value)) >= domain.MostVersions:
			return nil, domain.ErrVersionsTooMany
		}
		e := domain.SecretRotated{
			Secret: c.ID, Version: versionID(c.ID, now.Number+1), Number: now.Number + 1, Value: dcb.Hide(string(c.Value)),
			Previous: now.ID, DueAt: s.Value.Due(env.Now),
		}
		if c.Grace > 0 {
			e.GraceUntil = env.Now.Add(time.Duration(c.Grace) * time.Second)
		}
		return dcb.Emit(e)
	})
}

func (c RotateSecret) checkGrace() error {
	if c.Grace < 0 || c.Grace > mostGrace {
		return domain.Invalid("/grace_seconds", "must be a number of seconds from 0 to %d", mostGrace)
	}
	return nil
}

// live are the versions that were not destroyed.
func live(s domain.Secret) (all []domain.SecretVersion) {
	for _, v := range s.Versions {
		if !v.Destroyed {
			all = append(all, v)
		}
	}
	return all
}

// DisableSecret keeps everybody from reading a secret, until it is enabled.
type DisableSecret struct {
	ID     domain.SecretID `json:"id" required:"true" description:"the secret"`
	Reason string          `json:"reason,omitzero" description:"why, for the record"`
}

func (c DisableSecret) Target() dcb.Tagger { return c.ID }

func (c DisableSecret) Decide(env Env) dcb.Decision {
	s := domain.SecretOf(c.ID)
	return dcb.From(s).Decide(func() ([]dcb.Event, error) {
		err := domain.FirstError(domain.CheckText("/reason", c.Reason), env.mayChange(s.Value, "core.secrets.disable"))
		if err != nil || s.Value.Disabled {
			return nil, err
		}
		return dcb.Emit(domain.SecretDisabled{Secret: c.ID, Reason: c.Reason})
	})
}

// EnableSecret lets a disabled secret be read again.
type EnableSecret struct {
	ID domain.SecretID `json:"id" required:"true" description:"the secret"`
}

func (c EnableSecret) Target() dcb.Tagger { return c.ID }

func (c EnableSecret) Decide(env Env) dcb.Decision {
	s := domain.SecretOf(c.ID)
	return dcb.From(s).Decide(func() ([]dcb.Event, error) {
		if err := env.mayChange(s.Value, "core.secrets.enable"); err != nil || !s.Value.Disabled {
			return nil, err
		}
		return dcb.Emit(domain.SecretEnabled{Secret: c.ID})
	})
}

// DestroySecretVersion destroys a value that was replaced, for good.
type DestroySecretVersion struct {
	ID      domain.SecretID `json:"id" required:"true" description:"the secret"`
	Version int             `json:"version" required:"true" description:"the number of the version"`
}

func (c DestroySecretVersion) Target() dcb.Tagger { return c.ID }

// Erasing says that the answer waits for the erasure ledger.
func (DestroySecretVersion) Erasing() {}

func (c DestroySecretVersion) Decide(env Env) dcb.Decision {
	s := domain.SecretOf(c.ID)
	return dcb.From(s).Decide(func() ([]dcb.Event, error) {
		if err := env.mayChange(s.Value, "core.secrets.destroy-version"); err != nil {
			return nil, err
		}
		v, known := s.Value.Version(c.Version)
		switch {
		case !known:
			return nil, domain.At("/version", domain.ErrVersionUnknown)
		case v.Destroyed:
			return nil, nil
		case v.ID == s.Value.Current().ID:
			return nil, domain.At("/version", domain.ErrVersionCurrent)
		}
		return dcb.Emit(destroyed(c.ID, v))
	})
}

func destroyed(s domain.SecretID, v domain.SecretVersion) dcb.Event {
	return domain.SecretVersionDestroyed{Secret: s, Version: v.ID, Number: v.Number, Erases: v.ID}
}

// DestroySecret destroys a secret with all its values, for good; its name becomes free.
type DestroySecret struct {
	ID domain.SecretID `json:"id" required:"true" description:"the secret"`
}

func (c DestroySecret) Target() dcb.Tagger { return c.ID }

// Erasing says that the answer waits for the erasure ledger.
func (DestroySecret) Erasing() {}

func (c DestroySecret) Decide(env Env) dcb.Decision {
	s := domain.SecretOf(c.ID)
	return dcb.From(s).Decide(func() (events []dcb.Event, _ error) {
		const destroy = "core.secrets.destroy"
		if gone := !s.Value.Exists && s.Value.App != ""; gone && env.Rights.Holds(destroy, s.Value.App.Scope()) {
			return nil, nil // so that it can be sent again until it is on record; see ErrOffRecord
		}
		if err := env.mayChange(s.Value, destroy); err != nil {
			return nil, err
		}
		for _, v := range live(s.Value) {
			events = append(events, destroyed(c.ID, v))
		}
		return append(events, domain.SecretDestroyed{Secret: c.ID, Released: s.Value.Key}), nil
	})
}
