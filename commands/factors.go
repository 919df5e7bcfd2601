package commands

import (
	"context"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	"github.com/google/uuid"

	"chancery/domain"
	"chancery/internal/dcb"
)

// EnrollTOTP gives the caller a time-based one-time password. It counts once a code of it was shown.
type EnrollTOTP struct {
	ID   domain.CredentialID `json:"id,omitzero" description:"id of the new credential; made if absent"`
	Name string              `json:"name" required:"true" description:"by which the caller knows it again, such as phone; it stands in the authenticator too"`
}

func (c *EnrollTOTP) NewID() *uuid.UUID { return &c.ID.UUID }
func (c EnrollTOTP) Target() dcb.Tagger { return c.ID }

func (c EnrollTOTP) Decide(env Env) dcb.Decision {
	own, holder := env.own(), domain.CredentialHolder(c.ID)
	return dcb.From(append(own.facts(), holder.Anywhere())...).Decide(func() ([]dcb.Event, error) {
		if err := domain.FirstError(domain.CheckName("/name", c.Name), own.refusal()); err != nil {
			return nil, err
		}
		if !holder.Value.IsZero() {
			return nil, domain.At("/id", domain.ErrIDTaken)
		}
		seed, _ := env.Authn.Seed(env.Secret("totp", c.ID.UUID), c.Name)
		return dcb.Emit(domain.TOTPEnrolled{Credential: c.ID, User: own.user, Name: c.Name, Seed: dcb.Hide(seed)})
	})
}

// Reveal is what an authenticator reads from a picture.
func (c EnrollTOTP) Reveal(env Env) (name, value string) {
	_, uri := env.Authn.Seed(env.Secret("totp", c.ID.UUID), c.Name)
	return "otpauth_uri", uri
}

// ConfirmTOTP makes an enrolled one-time password count. It is a proof of a second factor, so it raises the session too.
type ConfirmTOTP struct {
	ID   domain.CredentialID `json:"id" required:"true" description:"the credential"`
	Code string              `json:"code" required:"true" description:"what the authenticator shows"`
}

func (c ConfirmTOTP) Target() dcb.Tagger { return c.ID }

func (c ConfirmTOTP) Decide(env Env) dcb.Decision {
	own := env.own()
	return dcb.From(own.facts()...).Unsealing().Decide(func() ([]dcb.Event, error) {
		if err := own.refusal(); err != nil {
			return nil, err
		}
		found, ok := own.credentials.Value.Named(c.ID)
		switch {
		case !ok || found.Kind != domain.TOTP:
			return nil, domain.At("/id", domain.ErrCredentialUnknown)
		case found.Confirmed:
			return nil, domain.ErrTOTPConfirmed
		}
		step, ok := env.Authn.TOTP(found.Material.Reveal(), c.Code, env.Now)
		if !ok {
			return nil, domain.At("/code", domain.ErrCodeWrong)
		}
		confirmed := domain.TOTPConfirmed{Credential: c.ID, User: own.user, Use: c.ID.Use(step)}
		return own.changed(env, append([]dcb.Event{confirmed}, own.elevated(env, domain.ByOneTimeCode, domain.TicketID{})...)...)
	})
}

// RegisterPasskey gives the caller a WebAuthn credential. It verifies its user, so it raises the session too.
type RegisterPasskey struct {
	ID       domain.CredentialID `json:"id,omitzero" description:"id of the new credential; made if absent"`
	Name     string              `json:"name" required:"true" description:"by which the caller knows it again, such as laptop"`
	Ticket   string              `json:"ticket" required:"true" description:"as it came with the options"`
	Response jsontext.Value      `json:"response" required:"true" description:"what the browser made of the options: RegistrationResponseJSON of WebAuthn"`
}

func (c *RegisterPasskey) NewID() *uuid.UUID { return &c.ID.UUID }
func (c RegisterPasskey) Target() dcb.Tagger { return c.ID }

func (c RegisterPasskey) Decide(env Env) dcb.Decision {
	own, person := env.own(), domain.PersonOf(env.Rights.Actor())
	t, ok := env.ticket(ForRegistration, c.Ticket)
	if !ok || !env.Mine(t.User) {
		return refused(domain.At("/ticket", domain.ErrTicket))
	}
	keyID := keyIDIn(c.Response)
	holder, used, held := domain.CredentialHolder(c.ID), domain.TicketUsed(t.ID), domain.PasskeyHolder(domain.PasskeyClaim(keyID))
	var material string
	return dcb.From(append(own.facts(), person, holder.Anywhere(), used, held)...).Opening().Unsealing().
		Consult(func(context.Context) error {
			made, id, err := env.Authn.NewPasskey(passkeyUser(own.user, person.Value, own.credentials.Value), t.state().Passkey, c.Response)
			if err == nil && id == keyID {
				material = made
			}
			return nil // whatever does not fit is refused
		}).
		Decide(func() ([]dcb.Event, error) {
			if err := domain.FirstError(domain.CheckName("/name", c.Name), own.refusal()); err != nil {
				return nil, err
			}
			switch {
			case used.Value:
				return nil, domain.At("/ticket", domain.ErrTicket)
			case !holder.Value.IsZero():
				return nil, domain.At("/id", domain.ErrIDTaken)
			case material == "":
				return nil, domain.Invalid("/response", "does not answer the challenge")
			case held.Value != (domain.HeldPasskey{}):
				return nil, domain.At("/response", domain.ErrPasskeyTaken)
			}
			registered := domain.PasskeyRegistered{
				Credential: c.ID, User: own.user, Name: c.Name, Key: dcb.Hide(material), KeyID: domain.PasskeyClaim(keyID), Ticket: t.ID,
			}
			return own.changed(env, append([]dcb.Event{registered}, own.elevated(env, domain.ByPasskey, domain.TicketID{})...)...)
		})
}

// keyIDIn is the authenticator's id in an answer of the browser, not verified; empty if there is none.
func keyIDIn(response []byte) string {
	var named struct {
		ID string `json:"id"`
	}
	if json.Unmarshal(response, &named) != nil || len(named.ID) > 2000 {
		return ""
	}
	return named.ID
}

func passkeyUser(u domain.UserID, p domain.Person, all domain.Credentials) PasskeyUser {
	name := p.Email.Reveal()
	if name == "" {
		name = p.DisplayName.Reveal()
	}
	return PasskeyUser{ID: u.UUID, Name: name, DisplayName: p.DisplayName.Reveal(), Passkeys: passkeys(all)}
}

// passkeys are those of a user, as stored.
func passkeys(all domain.Credentials) (stored []string) {
	for _, c := range all.Of(domain.Passkey) {
		stored = append(stored, c.Material.Reveal())
	}
	return stored
}
