package commands

import (
	"time"

	"github.com/google/uuid"

	"chancery/domain"
	"chancery/internal/dcb"
)

// ReadSecret tells the value of a secret, after its reading is on record. Each request is a reading of its own.
type ReadSecret struct {
	ID      domain.SecretID `json:"id,omitzero" description:"the secret; or give ref"`
	Ref     string          `json:"ref,omitzero" description:"the secret as secret://app/name; or give id"`
	Version int             `json:"version,omitzero" description:"the number of a version; the current one if absent"`
	Purpose string          `json:"purpose,omitzero" description:"why, for the record"`
}

// Target is nothing where the secret is named by a reference.
func (c ReadSecret) Target() dcb.Tagger { return c.ID }

// Scope is that of the app where the secret is named by a reference; else Decide finds the app.
func (c ReadSecret) Scope() domain.Scope {
	if ref, err := domain.ParseSecretRef("/ref", c.Ref); err == nil {
		return ref.App.Scope()
	}
	return ""
}

func (c ReadSecret) Decide(env Env) dcb.Decision {
	ref, err := domain.SecretRef{}, domain.CheckText("/purpose", c.Purpose)
	switch {
	case err != nil:
	case (c.ID.UUID == uuid.Nil) == (c.Ref == ""):
		err = domain.Invalid("/id", "give either id or ref")
	case c.Ref != "":
		ref, err = domain.ParseSecretRef("/ref", c.Ref)
	}
	switch {
	case err != nil:
		return refused(err)
	case c.Ref == "":
		s := domain.SecretOf(c.ID)
		return dcb.From(s).Decide(func() ([]dcb.Event, error) { return c.read(env, c.ID, s.Value) })
	case !env.mayRead(ref.App):
		return refused(domain.ErrNotAllowed) // whether or not there is one
	}
	holder, s := domain.SecretHolder(ref.Key(env.Tenant)), (*dcb.Fact[domain.Secret])(nil)
	return dcb.From(holder).Then(func() []dcb.AnyFact {
		if s != nil {
			return nil
		}
		s = domain.SecretOf(domain.SecretID{UUID: holder.Value})
		return []dcb.AnyFact{s}
	}).Decide(func() ([]dcb.Event, error) { return c.read(env, domain.SecretID{UUID: holder.Value}, s.Value) })
}

func (c ReadSecret) read(env Env, id domain.SecretID, s domain.Secret) ([]dcb.Event, error) {
	pointer := "/id"
	if c.Ref != "" {
		pointer = "/ref"
	}
	switch {
	case !s.Exists:
		return nil, domain.At(pointer, domain.ErrSecretUnknown)
	case !env.mayRead(s.App) && env.Rights.Holds(domain.Pattern(domain.SecretsList), s.App.Scope()):
		return nil, domain.ErrNotAllowed
	case !env.mayRead(s.App):
		return nil, domain.At(pointer, domain.ErrSecretUnknown)
	case s.Disabled:
		return nil, domain.ErrSecretDisabled
	}
	v, err := c.version(env, s)
	if err != nil {
		return nil, err
	}
	return dcb.Emit(domain.SecretRead{Secret: domain.Reading(id), Version: v.ID, Number: v.Number, Purpose: c.Purpose})
}

// version is the one asked for, if it can still be read.
func (c ReadSecret) version(env Env, s domain.Secret) (domain.SecretVersion, error) {
	v := s.Current()
	if c.Version != 0 {
		var known bool
		if v, known = s.Version(c.Version); !known {
			return v, domain.At("/version", domain.ErrVersionUnknown)
		}
	}
	switch {
	case v.Destroyed:
		return v, domain.At("/version", domain.ErrDestroyed)
	case v.ID == s.Current().ID, env.Now.Before(v.GraceUntil), env.Rights.Holds(domain.Pattern(domain.SecretsReadOld), s.App.Scope()):
		return v, nil
	}
	return v, domain.At("/version", domain.ErrVersionOver)
}

// mayRead holds for those with the privilege on the app, and for the app itself: a token of its own needs no more than
// that nothing is denied to its user and that it was not issued for less.
func (env Env) mayRead(app domain.App) bool {
	read := domain.Pattern(domain.SecretsRead)
	if env.Rights.Holds(read, app.Scope()) {
		return true
	}
	return env.App != "" && domain.App(env.App) == app &&
		env.Rights.WithinCeiling([]domain.Pattern{read}) && !env.Rights.Denied(read, app.Scope())
}

// Disclose is the value of the version that was read.
func (c ReadSecret) Disclose(events []dcb.Event) (name string, value *dcb.Fact[dcb.Sealed]) {
	return "value", domain.SecretValue(events[0].(domain.SecretRead).Version)
}

// ScheduleRotation says how often a secret is to be rotated. When that is due and has not been done, an event says so, once.
type ScheduleRotation struct {
	ID        domain.SecretID `json:"id" required:"true" description:"the secret"`
	EveryDays *int            `json:"every_days" required:"true" description:"days from one rotation to the next; 0 for no reminder"`
}

func (c ScheduleRotation) Target() dcb.Tagger { return c.ID }

func (c ScheduleRotation) Decide(env Env) dcb.Decision {
	s, days := domain.SecretOf(c.ID), 0
	if c.EveryDays != nil {
		days = *c.EveryDays
	}
	return dcb.From(s).Decide(func() ([]dcb.Event, error) {
		err := domain.FirstError(checkDays("/every_days", days), env.mayChange(s.Value, "core.secrets.schedule"))
		if err != nil || s.Value.EveryDays == days {
			return nil, err
		}
		since := s.Value.RotatedAt
		if since.IsZero() { // in this very batch
			since = env.Now
		}
		e := domain.SecretScheduled{Secret: c.ID, EveryDays: days}
		e.DueAt = domain.Secret{EveryDays: days}.Due(since)
		return dcb.Emit(e)
	})
}

// RemindRotation says that a rotation is due. It is no command of callers: Chancery gives it to itself when the date has come.
type RemindRotation struct {
	ID    domain.SecretID
	DueAt time.Time
}

func (c RemindRotation) Target() dcb.Tagger { return c.ID }

func (c RemindRotation) Decide(env Env) dcb.Decision {
	s := domain.SecretOf(c.ID)
	return dcb.From(s).Decide(func() ([]dcb.Event, error) {
		v := s.Value
		if !v.Exists || v.Disabled || v.Reminded || !v.DueAt.Equal(c.DueAt) || v.DueAt.IsZero() || env.Now.Before(v.DueAt) {
			return nil, nil // it was done, moved or ended meanwhile
		}
		return dcb.Emit(domain.SecretRotationDue{Secret: c.ID, Version: v.Current().ID, DueAt: v.DueAt})
	})
}
