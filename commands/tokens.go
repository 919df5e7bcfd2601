package commands

import (
	"time"

	"github.com/google/uuid"

	"chancery/domain"
	"chancery/internal/dcb"
)

// IssueToken issues an API token to a user. The answer shows it once; only its hash is kept.
type IssueToken struct {
	ID        domain.TokenID   `json:"id,omitzero" description:"id of the new token; made if absent"`
	User      domain.UserID    `json:"user_id,omitzero" description:"the caller if absent"`
	Name      string           `json:"name" required:"true" description:"what the token is for"`
	Scopes    []domain.Pattern `json:"scopes,omitzero" description:"the most that the token may do, as privileges or patterns; everything the user may if absent"`
	ExpiresAt time.Time        `json:"expires_at" required:"true" description:"when it ends"`
	App       domain.App       `json:"app,omitzero" description:"the app that will hold the token; with it the app reads its own secrets"`
}

func (c *IssueToken) NewID() *uuid.UUID { return &c.ID.UUID }
func (c IssueToken) Target() dcb.Tagger { return c.ID }

func (c IssueToken) Decide(env Env) dcb.Decision {
	if c.User.IsZero() {
		c.User = env.Rights.Actor()
	}
	if len(c.Scopes) == 0 {
		c.Scopes = []domain.Pattern{domain.Everything}
	}
	used, user, life := domain.Used[domain.TokenIssued](c.ID), domain.UserStatusOf(c.User), domain.PolicyOf(env.Tenant, domain.TokenDays)
	return dcb.From(used, user, life).Decide(func() ([]dcb.Event, error) {
		if err := domain.FirstError(domain.CheckName("/name", c.Name), checkEnd(env, c.ExpiresAt, life.Value, domain.ErrTokenLifetime)); err != nil {
			return nil, err
		}
		if err := c.App.Check("/app"); c.App != "" && err != nil {
			return nil, err
		}
		for _, s := range c.Scopes {
			if err := s.Check("/scopes"); err != nil {
				return nil, err
			}
		}
		switch {
		case !user.Value.Exists():
			return nil, domain.At("/user_id", domain.ErrUserUnknown)
		case user.Value.Status != domain.UserActive:
			return nil, domain.At("/user_id", domain.ErrUserNotActive)
		case used.Value:
			return nil, domain.At("/id", domain.ErrIDTaken)
		case !env.mayIssue(c.User, c.Scopes), !env.maySpeakFor(c.App):
			return nil, domain.ErrMayNotGive
		case env.outlives(c.ExpiresAt):
			return nil, domain.At("/expires_at", domain.ErrMayNotGive)
		}
		prefix, hash := env.Hash(env.Secret("issue", c.ID.UUID))
		return dcb.Emit(domain.TokenIssued{
			Token: c.ID, User: c.User, Name: c.Name, Prefix: prefix, Hash: hash, Scopes: c.Scopes, ExpiresAt: c.ExpiresAt, App: c.App,
		})
	})
}

// mayIssue holds that a token is never worth more than what its issuer may do in this very request. Who holds everything in this
// tenant may lack what the user has in another, or may do for somebody else: so that is not enough.
func (env Env) mayIssue(to domain.UserID, scopes []domain.Pattern) bool {
	return env.Rights.WithinCeiling(scopes) && (to == env.Rights.Actor() || env.Rights.Covers(to))
}

// maySpeakFor holds that whoever gets to see a token of an app may read the app's secrets anyway.
func (env Env) maySpeakFor(app domain.App) bool {
	return app == "" || env.Rights.Holds(domain.Pattern(domain.SecretsRead), app.Scope())
}

// outlives reports whether a token would end after the one that makes it, where that is worth less than its user.
func (env Env) outlives(end time.Time) bool {
	until := env.Rights.Until()
	return !until.IsZero() && end.After(until)
}

// Reveal is the token itself.
func (c IssueToken) Reveal(env Env) (name, value string) {
	return "token", env.Secret("issue", c.ID.UUID)
}

// RotateToken replaces a token's secret; the old one ends at once. The answer shows the new one once.
type RotateToken struct {
	ID        domain.TokenID `json:"id" required:"true" description:"the token"`
	ExpiresAt time.Time      `json:"expires_at,omitzero" description:"its new end; absent to keep it"`
}

func (c RotateToken) Target() dcb.Tagger { return c.ID }

func (c RotateToken) Decide(env Env) dcb.Decision {
	t, life := domain.TokenOf(c.ID), domain.PolicyOf(env.Tenant, domain.TokenDays)
	return dcb.From(t, life).Decide(func() ([]dcb.Event, error) {
		end := c.ExpiresAt
		if end.IsZero() {
			end = t.Value.ExpiresAt
		}
		switch {
		case !t.Value.Known:
			return nil, domain.At("/id", domain.ErrTokenUnknown)
		case t.Value.Revoked:
			return nil, domain.ErrTokenRevoked
		case !env.mayIssue(t.Value.User, t.Value.Scopes), !env.maySpeakFor(t.Value.App):
			return nil, domain.ErrMayNotGive
		}
		if err := checkEnd(env, end, life.Value, domain.ErrTokenLifetime); err != nil {
			return nil, err
		}
		if env.outlives(end) {
			return nil, domain.At("/expires_at", domain.ErrMayNotGive)
		}
		_, hash := env.Hash(env.Secret("rotate", c.ID.UUID))
		return dcb.Emit(domain.TokenRotated{Token: c.ID, User: t.Value.User, Hash: hash, ExpiresAt: end})
	})
}

// Reveal is the new token.
func (c RotateToken) Reveal(env Env) (name, value string) {
	return "token", env.Secret("rotate", c.ID.UUID)
}

// RevokeToken ends a token.
type RevokeToken struct {
	ID     domain.TokenID `json:"id" required:"true" description:"the token"`
	Reason string         `json:"reason,omitzero" description:"why, for the record"`
}

func (c RevokeToken) Target() dcb.Tagger { return c.ID }

func (c RevokeToken) Decide(Env) dcb.Decision {
	t := domain.TokenOf(c.ID)
	return dcb.From(t).Decide(func() ([]dcb.Event, error) {
		if err := domain.CheckText("/reason", c.Reason); err != nil {
			return nil, err
		}
		switch {
		case !t.Value.Known:
			return nil, domain.At("/id", domain.ErrTokenUnknown)
		case t.Value.Revoked:
			return nil, nil
		}
		return dcb.Emit(domain.TokenRevoked{Token: c.ID, User: t.Value.User, Reason: c.Reason})
	})
}

// ExpireToken says that a token is over. It is no command of callers: Chancery gives it to itself when that is due. Saying it
// twice changes nothing.
type ExpireToken struct{ ID domain.TokenID }

func (c ExpireToken) Target() dcb.Tagger { return c.ID }

func (c ExpireToken) Decide(env Env) dcb.Decision {
	t := domain.TokenOf(c.ID)
	return dcb.From(t).Decide(func() ([]dcb.Event, error) {
		v := t.Value
		if !v.Known || v.Revoked || v.Expired || env.Now.Before(v.ExpiresAt) {
			return nil, nil
		}
		return dcb.Emit(domain.TokenExpired{Token: c.ID, User: v.User})
	})
}

// checkEnd refuses an end that is missing, past, or farther than the policy allows (0: no bound).
func checkEnd(env Env, end time.Time, most domain.Policy, tooLong *domain.Refusal) error {
	switch {
	case end.IsZero():
		return domain.Invalid("/expires_at", "must be given")
	case !env.Now.Before(end):
		return domain.Invalid("/expires_at", "lies in the past")
	case most.Days() > 0 && end.After(env.Now.Add(most.Days())):
		return domain.At("/expires_at", tooLong)
	}
	return nil
}
