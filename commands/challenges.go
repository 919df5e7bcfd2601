package commands

import (
	"context"
	"fmt"

	"github.com/go-json-experiment/json"
	"github.com/google/uuid"

	"chancery/domain"
	"chancery/internal/dcb"
)

// What tickets are for. A ticket for one thing is none for another.
const (
	ForSignIn       = "sign-in"      // the password was right; a second factor is to follow
	ForPasskey      = "passkey"      // sign in with a passkey, whoever has it
	ForStepUp       = "step-up"      // prove oneself once more, with a passkey
	ForRegistration = "registration" // of a passkey
	ForDevice       = "device"       // from which somebody has signed in
)

// ticketState is what a ticket remembers.
type ticketState struct {
	Account string `json:"account,omitzero"` // the address that was given
	Changed int64  `json:"changed,omitzero"` // the last change of the user's credentials; after another one the ticket is void
	Passkey []byte `json:"passkey,omitzero"` // of the challenge to an authenticator
}

func (t Ticket) state() (s ticketState) {
	_ = json.Unmarshal(t.State, &s) // sealed by us
	return s
}

// Account is the address that the first step was about.
func (t Ticket) Account() string { return t.state().Account }

// ticket opens one for a purpose, of this tenant and in time.
func (env Env) ticket(purpose, text string) (Ticket, bool) {
	t, ok := env.Authn.OpenTicket(purpose, text, env.Now)
	return t, ok && t.Tenant == env.Tenant
}

// Challenge asks an authenticator to prove something.
type Challenge struct {
	Purpose string // ForPasskey, ForStepUp or ForRegistration
	Tenant  domain.TenantID
	User    domain.UserID // none for ForPasskey: the authenticator says who
}

// Challenge makes the ticket and the options of a challenge. It changes nothing.
func (e *Engine) Challenge(ctx context.Context, c Challenge) (ticket string, options []byte, err error) {
	person, credentials := domain.PersonOf(c.User), domain.CredentialsOf(c.User)
	var state []byte
	d := dcb.From(person, credentials).Opening().Unsealing().Decide(func() (_ []dcb.Event, err error) {
		if c.Purpose == ForRegistration {
			options, state, err = e.Authn.PasskeyCreation(passkeyUser(c.User, person.Value, credentials.Value))
		} else {
			options, state, err = e.Authn.PasskeyRequest(passkeys(credentials.Value))
		}
		return nil, err
	})
	if err := e.Ask(ctx, c.Tenant, d); err != nil {
		return "", nil, fmt.Errorf("make a challenge: %w", err)
	}
	return e.Authn.Ticket(Ticket{
		ID: domain.TicketID{UUID: uuid.Must(uuid.NewV7())}, Purpose: c.Purpose, Tenant: c.Tenant, User: c.User,
		State: stateOf(ticketState{Passkey: state}), Until: e.Now().Add(TicketLife),
	}), options, nil
}

func stateOf(s ticketState) []byte {
	text, _ := json.Marshal(s) // a number and bytes
	return text
}
