package commands

import (
	"context"
	"time"

	"github.com/google/uuid"

	"chancery/domain"
)

// Authn is what the world outside knows of passwords, codes and passkeys. It keeps nothing. It may be slow: ask it while
// a decision consults.
type Authn interface {
	Passwords
	Codes
	Tickets
	Passkeys
}

// Passwords hashes and judges them.
type Passwords interface {
	// HashPassword hashes a password for storage. Strong is for those who hold much: it costs more. Account names whose it is as
	// sign-in does (see VerifyPassword): a fixed share of all accounts, drawn by a keyed hash, is hashed strongly too, so that a
	// slow answer tells neither administrators nor unknown accounts from the rest. Errors: the context's, while waiting for memory.
	HashPassword(ctx context.Context, password, account string, strong bool) (hash string, err error)
	// VerifyPassword compares a password with a stored hash. Stale says that it should be hashed anew: parameters or pepper
	// are not those of today. With an empty hash it does as much work as for an account that exists, and says no. Account is the
	// tenant and the address as normalised, known or not: the same account always takes the same time. An error is the context's,
	// or a fault: the stored hash is damaged, or its pepper is gone.
	VerifyPassword(ctx context.Context, hash, password, account string, strong bool) (ok, stale bool, err error)
	// Known reports whether a password is on a list of those that were found out, or is made of words that an attacker would
	// try first for this user: their address, their name, ours. An error is a fault: the list cannot be read.
	Known(password string, about ...string) (bool, error)
}

// Codes are time-based one-time passwords (RFC 6238) and recovery codes.
type Codes interface {
	// TOTP finds the step (RFC 6238, section 4.2) of which a code is, near an instant.
	TOTP(seed, code string, at time.Time) (step int64, ok bool)
	// NearSteps are the steps whose codes TOTP takes at an instant.
	NearSteps(at time.Time) []int64
	// Seed makes a TOTP seed (base32) of a token's secret, and the otpauth URI to show.
	Seed(secret, account string) (seed, uri string)
	// Codes makes recovery codes of a token's secret, and their hashes; CodeHash is the hash of a code as typed.
	Codes(secret string, n int) (codes, hashes []string)
	CodeHash(code string) string
}

// Tickets keep the state of what takes two requests with the caller.
type Tickets interface {
	// Ticket seals what must come back unchanged; OpenTicket refuses (false) what was not sealed here, was sealed for another
	// purpose, or is over at now.
	Ticket(t Ticket) string
	OpenTicket(purpose, text string, now time.Time) (Ticket, bool)
}

// Passkeys are the two ceremonies of WebAuthn.
type Passkeys interface {
	// PasskeyCreation and PasskeyRequest are the options for the browser (W3C WebAuthn, sections 5.4 and 5.5) as JSON, and the state to
	// keep in a ticket. Known are the user's passkeys as stored. Where there can be no passkeys they refuse with
	// domain.ErrPasskeysOff.
	PasskeyCreation(user PasskeyUser) (options, state []byte, err error)
	PasskeyRequest(known []string) (options, state []byte, err error)
	// NewPasskey verifies an attestation: what to store, and the authenticator's id in base64url. An error of this and the next
	// two says that the response is not one that was asked for here: refuse it, and do not show the error.
	NewPasskey(user PasskeyUser, state, response []byte) (material, keyID string, err error)
	// PasskeyID names the passkey and the user (nil if the authenticator does not say) of an assertion, unverified.
	PasskeyID(response []byte) (keyID string, user uuid.UUID, err error)
	// Passkey verifies an assertion against a stored passkey; counter is the authenticator's, 0 if it does not count.
	Passkey(user PasskeyUser, material string, state, response []byte, counted uint32) (counter uint32, err error)
}

// PasskeyUser is a user as authenticators see them.
type PasskeyUser struct {
	ID          uuid.UUID
	Name        string // what the user tells accounts apart by: the address
	DisplayName string
	Passkeys    []string // as stored
}

// TicketLife is how long the answer to a challenge may take.
const TicketLife = 5 * time.Minute

// Ticket is the state of something that takes two requests, sealed and carried by the caller.
type Ticket struct {
	ID      domain.TicketID `json:"id"`
	Purpose string          `json:"purpose"`
	Tenant  domain.TenantID `json:"tenant"`
	User    domain.UserID   `json:"user,omitzero"`
	Methods []string        `json:"methods,omitzero"` // what was shown already
	State   []byte          `json:"state,omitzero"`
	Until   time.Time       `json:"until"`
}
