package commands

import (
	"regexp"

	"github.com/google/uuid"

	"chancery/domain"
	"chancery/internal/dcb"
)

// LinkIdentity says that a user is known to an outside issuer.
type LinkIdentity struct {
	ID      domain.IdentityID `json:"id,omitzero" description:"id of the new identity; made if absent"`
	User    domain.UserID     `json:"user_id" required:"true" description:"the user"`
	Issuer  string            `json:"issuer" required:"true" description:"an https URL, or a plain word such as github"`
	Subject string            `json:"subject" required:"true" description:"the user's id at the issuer"`
}

func (c *LinkIdentity) NewID() *uuid.UUID { return &c.ID.UUID }
func (c LinkIdentity) Target() dcb.Tagger { return c.ID }

func (c LinkIdentity) Decide(env Env) dcb.Decision {
	key := domain.IdentityClaim(c.Issuer, c.Subject)
	used, user, holder := domain.Used[domain.IdentityLinked](c.ID), domain.UserStatusOf(c.User), domain.IdentityHolder(key)
	return dcb.From(used, user, holder).Decide(func() ([]dcb.Event, error) {
		if err := domain.FirstError(checkIssuer(c.Issuer), domain.CheckSubject("/subject", c.Subject)); err != nil {
			return nil, err
		}
		switch {
		case !user.Value.Exists():
			return nil, domain.At("/user_id", domain.ErrUserUnknown)
		case used.Value:
			return nil, domain.At("/id", domain.ErrIDTaken)
		case holder.Value != uuid.Nil:
			return nil, domain.At("/subject", domain.ErrIdentityTaken)
		case !env.covers(c.User):
			return nil, domain.ErrMayNotGive
		}
		return dcb.Emit(domain.IdentityLinked{Identity: c.ID, User: c.User, Issuer: c.Issuer, Subject: dcb.Plain(c.Subject), Key: key})
	})
}

var plainWord = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]*$`)

func checkIssuer(s string) error {
	if err := domain.CheckName("/issuer", s); err != nil {
		return err
	}
	if domain.CheckIssuerURL("", s) == nil || plainWord.MatchString(s) {
		return nil
	}
	return domain.Invalid("/issuer", "must be an https URL without query and fragment, or a plain word")
}

// UnlinkIdentity ends a link, and the user's sessions as the change of any credential does. The issuer's subject may be linked again.
type UnlinkIdentity struct {
	ID domain.IdentityID `json:"id" required:"true" description:"the identity"`
}

func (c UnlinkIdentity) Target() dcb.Tagger { return c.ID }

func (c UnlinkIdentity) Decide(env Env) dcb.Decision {
	i := domain.IdentityOf(c.ID)
	var sessions *dcb.Fact[[]domain.SessionID]
	return dcb.From(i).Then(func() []dcb.AnyFact {
		if sessions != nil || !i.Value.Linked {
			return nil
		}
		sessions = domain.SessionsOf(i.Value.User, env.Now)
		return []dcb.AnyFact{sessions}
	}).Decide(func() ([]dcb.Event, error) {
		switch {
		case !i.Value.Known:
			return nil, domain.At("/id", domain.ErrIdentityUnknown)
		case !i.Value.Linked:
			return nil, nil
		}
		unlinked := domain.IdentityUnlinked{Identity: c.ID, User: i.Value.User, Released: i.Value.Key}
		return append([]dcb.Event{unlinked}, endAll(i.Value.User, sessions.Value, env.Session, domain.CredentialsChanged)...), nil
	})
}
