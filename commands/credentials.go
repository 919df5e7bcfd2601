package commands

import (
	"context"
	"strings"

	"github.com/google/uuid"

	"chancery/domain"
	"chancery/internal/dcb"
)

// newPassword is a password on its way to a user: it is judged, hashed, and with it every other session of theirs ends. The
// decision MUST be Opening, so that the user's own name is no password.
type newPassword struct {
	env      Env
	user     domain.UserID
	password string
	length   *dcb.Fact[domain.Policy]
	required *dcb.Fact[domain.Policy]
	person   *dcb.Fact[domain.Person]
	sessions *dcb.Fact[[]domain.SessionID]
	refused  error // what is wrong with it
	hash     string
}

// account is what an address is to Authn: the same wherever somebody's password is hashed or compared.
func (env Env) account(email string) string { return env.Tenant.String() + "/" + email }

func (env Env) newPassword(user domain.UserID, password string) *newPassword {
	return &newPassword{
		env: env, user: user, password: password, length: domain.PolicyOf(env.Tenant, domain.PasswordLength),
		required: domain.PolicyOf(env.Tenant, domain.FactorRequired), person: domain.PersonOf(user),
		sessions: domain.SessionsOf(user, env.Now),
	}
}

func (p *newPassword) facts() []dcb.AnyFact {
	return []dcb.AnyFact{p.length, p.required, p.person, p.sessions}
}

// consult judges the password, and hashes it unless it is refused.
func (p *newPassword) consult(ctx context.Context) (err error) {
	least := p.length.Value.Number()
	if !p.required.Value.IsTrue() {
		least = max(least, domain.UnaidedLength)
	}
	if p.refused = domain.CheckPassword("/password", p.password, least); p.refused != nil {
		return nil //nolint:nilerr // events says so
	}
	email := p.person.Value.Email.Reveal()
	known, err := p.env.Authn.Known(p.password, email, p.person.Value.DisplayName.Reveal())
	if err != nil {
		return err
	}
	if known {
		p.refused = domain.At("/password", domain.ErrPasswordKnown)
		return nil
	}
	p.hash, err = p.env.Authn.HashPassword(ctx, p.password, p.env.account(email), p.env.powerful(p.user))
	return err
}

// events give the user the password; all sessions but except end.
func (p *newPassword) events(except domain.SessionID) ([]dcb.Event, error) {
	if p.refused != nil {
		return nil, p.refused
	}
	set := domain.PasswordSet{Credential: domain.PasswordID(p.env.Tenant, p.user), User: p.user, Hash: dcb.Hide(p.hash)}
	return append([]dcb.Event{set}, endAll(p.user, p.sessions.Value, except, domain.CredentialsChanged)...), nil
}

// endAll ends the sessions of a user but one.
func endAll(u domain.UserID, all []domain.SessionID, except domain.SessionID, reason string) (events []dcb.Event) {
	for _, id := range all {
		if id != except {
			events = append(events, domain.SessionEnded{Session: id, User: u, Reason: reason})
		}
	}
	return events
}

// SetPassword gives the caller a password, or another one. An API token does for the first one, if it was not issued for less than
// its user may: it is worth as much. It does not for whom only an issuer knows: they sign in there.
type SetPassword struct {
	Current  string `json:"current_password,omitzero" description:"needed where there is a password and the session's last proof was neither it nor a passkey"`
	Password string `json:"password" required:"true" description:"at least as long as passwords.min-length says, at most 256 characters; of whatever characters"`
}

// Proves says that the current password could be guessed here.
func (c SetPassword) Proves() bool { return c.Current != "" }

func (c SetPassword) Decide(env Env) dcb.Decision {
	own, next := env.own(), env.newPassword(env.Rights.Actor(), c.Password)
	session, outside := domain.SessionOf(env.Session), domain.OutsideOnly(own.user)
	proven := false
	return dcb.From(append(append(own.facts(), next.facts()...), session, outside)...).Opening().Unsealing().
		Consult(func(ctx context.Context) (err error) {
			if hash := own.credentials.Value.Password(); c.Current != "" {
				proven, _, err = env.Authn.VerifyPassword(ctx, hash, c.Current,
					env.account(next.person.Value.Email.Reveal()), env.powerful(own.user))
			}
			if err != nil || c.Current != "" && !proven {
				return err
			}
			return next.consult(ctx)
		}).
		Decide(func() ([]dcb.Event, error) {
			has := own.credentials.Value.Password() != ""
			switch err := own.refusal(); {
			case err != nil:
				return nil, err
			// The first administrator has a token, and nobody to mail them a link.
			case env.Session.IsZero() && (has || outside.Value.Only() || !env.Rights.WithinCeiling([]domain.Pattern{domain.Everything})):
				return nil, domain.ErrSessionNeeded
			case c.Current == "" && has && !session.Value.Proven(domain.ByPassword, domain.ByPasskey):
				return nil, domain.Invalid("/current_password", "must be given: the last proof was neither it nor a passkey")
			case c.Current != "" && !proven:
				return nil, domain.At("/current_password", domain.ErrPasswordWrong)
			}
			return next.events(env.Session)
		})
}

// ownCredentials are those of the caller, on their way to be changed.
type ownCredentials struct {
	user        domain.UserID
	status      *dcb.Fact[domain.User]
	credentials *dcb.Fact[domain.Credentials]
	sessions    *dcb.Fact[[]domain.SessionID]
}

func (env Env) own() *ownCredentials {
	u := env.Rights.Actor()
	return &ownCredentials{u, domain.UserStatusOf(u), domain.CredentialsOf(u), domain.SessionsOf(u, env.Now)}
}

func (o *ownCredentials) facts() []dcb.AnyFact {
	return []dcb.AnyFact{o.status, o.credentials, o.sessions}
}

// refusal holds that nobody has credentials in a tenant that is not their own.
func (o *ownCredentials) refusal() error {
	if !o.status.Value.Exists() {
		return domain.ErrUserUnknown
	}
	return nil
}

// changed ends the caller's other sessions.
func (o *ownCredentials) changed(env Env, events ...dcb.Event) ([]dcb.Event, error) {
	return append(events, endAll(o.user, o.sessions.Value, env.Session, domain.CredentialsChanged)...), nil
}

// elevated says that the caller has just shown a second factor in this session.
func (o *ownCredentials) elevated(env Env, by string, ticket domain.TicketID) []dcb.Event {
	if env.Session.IsZero() {
		return nil
	}
	return []dcb.Event{domain.SessionElevated{Session: env.Session, User: o.user, Methods: []string{by, domain.ByMany}, Ticket: ticket}}
}

// IssueRecoveryCodes gives the caller codes that each work once, in place of any earlier ones.
type IssueRecoveryCodes struct {
	ID domain.CredentialID `json:"id,omitzero" description:"id of the new codes; made if absent"`
}

const recoveryCodes = 10

func (c *IssueRecoveryCodes) NewID() *uuid.UUID { return &c.ID.UUID }
func (c IssueRecoveryCodes) Target() dcb.Tagger { return c.ID }

func (c IssueRecoveryCodes) Decide(env Env) dcb.Decision {
	own, holder := env.own(), domain.CredentialHolder(c.ID)
	return dcb.From(append(own.facts(), holder.Anywhere())...).Decide(func() ([]dcb.Event, error) {
		if err := own.refusal(); err != nil {
			return nil, err
		}
		if holder.Value != (domain.UserID{}) {
			return nil, domain.At("/id", domain.ErrIDTaken)
		}
		_, hashes := env.Authn.Codes(env.Secret("recovery-codes", c.ID.UUID), recoveryCodes)
		issued := domain.RecoveryCodesIssued{Credential: c.ID, User: own.user, Codes: dcb.Hide(strings.Join(hashes, " ")), Count: len(hashes)}
		events := []dcb.Event{issued}
		for _, old := range own.credentials.Value.Of(domain.RecoveryCodes) {
			events = append(events, domain.CredentialRemoved{Credential: old.ID, User: own.user})
		}
		return own.changed(env, events...)
	})
}

// Reveal is the codes, separated by spaces.
func (c IssueRecoveryCodes) Reveal(env Env) (name, value string) {
	codes, _ := env.Authn.Codes(env.Secret("recovery-codes", c.ID.UUID), recoveryCodes)
	return "recovery_codes", strings.Join(codes, " ")
}

// RemoveCredential takes a credential away, and with it every other session of its user. One's own it takes in a session only: an API
// token that took the password away could set the first one.
type RemoveCredential struct {
	ID domain.CredentialID `json:"id" required:"true" description:"the credential"`
}

func (c RemoveCredential) Target() dcb.Tagger { return c.ID }

func (c RemoveCredential) Decide(env Env) dcb.Decision {
	holder, required := domain.CredentialHolder(c.ID), domain.PolicyOf(env.Tenant, domain.FactorRequired)
	var credentials *dcb.Fact[domain.Credentials]
	var sessions *dcb.Fact[[]domain.SessionID]
	return dcb.From(holder, required).Then(func() []dcb.AnyFact {
		if credentials != nil {
			return nil
		}
		credentials, sessions = domain.CredentialsOf(holder.Value), domain.SessionsOf(holder.Value, env.Now)
		return []dcb.AnyFact{credentials, sessions}
	}).Decide(func() ([]dcb.Event, error) {
		user := holder.Value
		_, stands := credentials.Value.Named(c.ID)
		rest := credentials.Value.Without(c.ID)
		switch {
		case user.IsZero(), !env.Privileged && !env.Mine(user):
			return nil, domain.At("/id", domain.ErrCredentialUnknown)
		case !env.Mine(user) && !env.covers(user):
			return nil, domain.ErrMayNotGive
		case env.Mine(user) && env.Session.IsZero():
			return nil, domain.ErrSessionNeeded
		case !stands:
			return nil, nil
		// Who has lost the last one is helped by somebody else: then they enroll another one when they sign in.
		case env.Mine(user) && required.Value.IsTrue() && credentials.Value.SecondFactor() && !rest.SecondFactor():
			return nil, domain.ErrLastFactor
		}
		removed := domain.CredentialRemoved{Credential: c.ID, User: user}
		return append([]dcb.Event{removed}, endAll(user, sessions.Value, env.Session, domain.CredentialsChanged)...), nil
	})
}
