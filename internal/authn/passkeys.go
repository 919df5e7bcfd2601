package authn

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/netip"
	"net/url"
	"strings"

	"github.com/go-webauthn/webauthn/protocol"
	"github.com/go-webauthn/webauthn/webauthn"
	"github.com/google/uuid"
)

// Passkeys makes and verifies WebAuthn ceremonies (W3C Web Authentication, level 3). It never looks at a clock: the caller
// bounds the life of a state.
type Passkeys struct {
	party *webauthn.WebAuthn // none: the host is a number, and browsers make no passkeys for it
}

// PasskeyUser is a user as authenticators see them.
type PasskeyUser struct {
	ID          uuid.UUID
	Name        string // what the user tells accounts apart by: the address
	DisplayName string
	Passkeys    []string // as stored
}

var (
	// ErrNoPasskeys says that the public URL names a host by number.
	ErrNoPasskeys = errors.New("authn: passkeys need a public URL with a host name")
	errCloned     = errors.New("authn: the passkey has counted no further than before: there are two of it")
	errPasskey    = errors.New("authn: a stored passkey is damaged")
	errAsked      = errors.New("authn: another passkey than one that was asked for")
	errState      = errors.New("authn: the state is not that of such a ceremony")
)

func newPasskeys(publicURL, service string) (*Passkeys, error) {
	u, err := url.Parse(publicURL)
	if err != nil || u.Scheme != "https" && u.Scheme != "http" || u.Hostname() == "" || u.User != nil {
		return nil, fmt.Errorf("the public URL must be like https://chancery.example.org, not %q", publicURL)
	}
	if _, err := netip.ParseAddr(u.Hostname()); err == nil {
		return &Passkeys{}, nil
	}
	party, err := webauthn.New(&webauthn.Config{
		RPID: strings.ToLower(u.Hostname()), RPDisplayName: service, RPOrigins: []string{u.Scheme + "://" + u.Host},
		AttestationPreference: protocol.PreferNoAttestation,
		AuthenticatorSelection: protocol.AuthenticatorSelection{
			ResidentKey: protocol.ResidentKeyRequirementPreferred, UserVerification: protocol.VerificationRequired,
		},
	})
	if err != nil {
		return nil, fmt.Errorf("the public URL %q does not name a host that passkeys can be bound to: %w", publicURL, err)
	}
	return &Passkeys{party}, nil
}

// PasskeyCreation are the options for navigator.credentials.create (as PublicKeyCredential.parseCreationOptionsFromJSON
// takes them), and the state to keep until the answer. Authenticators that hold one of the user's passkeys are excluded.
func (p *Passkeys) PasskeyCreation(user PasskeyUser) (options, state []byte, err error) {
	if p.party == nil {
		return nil, nil, ErrNoPasskeys
	}
	known, err := decodeAll(user.Passkeys)
	if err != nil {
		return nil, nil, err
	}
	creation, session, err := p.party.BeginRegistration(person{user, known}, webauthn.WithExclusions(webauthn.Credentials(known).CredentialDescriptors()))
	if err != nil {
		return nil, nil, fmt.Errorf("authn: begin to register a passkey: %w", err)
	}
	return both(creation.Response, session)
}

// PasskeyRequest are the options for navigator.credentials.get, and the state. Without known passkeys the authenticator
// says whose it is.
func (p *Passkeys) PasskeyRequest(known []string) (options, state []byte, err error) {
	if p.party == nil {
		return nil, nil, ErrNoPasskeys
	}
	keys, err := decodeAll(known)
	if err != nil {
		return nil, nil, err
	}
	request, session, err := p.party.BeginDiscoverableLogin(webauthn.WithAllowedCredentials(webauthn.Credentials(keys).CredentialDescriptors()))
	if err != nil {
		return nil, nil, fmt.Errorf("authn: begin to ask for a passkey: %w", err)
	}
	return both(request.Response, session)
}

// NewPasskey verifies what an authenticator answered to PasskeyCreation. Material is what to store, keyID what the
// authenticator calls it, in base64url.
func (p *Passkeys) NewPasskey(user PasskeyUser, state, response []byte) (material, keyID string, err error) {
	session, err := p.session(state)
	if err != nil {
		return "", "", err
	}
	parsed, err := protocol.ParseCredentialCreationResponseBytes(response)
	if err != nil {
		return "", "", fmt.Errorf("authn: read an attestation: %w", err)
	}
	made, err := p.party.CreateCredential(person{user, nil}, session, parsed)
	if err != nil {
		return "", "", fmt.Errorf("authn: verify an attestation: %w", err)
	}
	made.Attestation = webauthn.CredentialAttestation{} // we asked for none, and it tells of the device
	text, err := json.Marshal(made)
	return string(text), base64.RawURLEncoding.EncodeToString(made.ID), err
}

// PasskeyID names the passkey and the user of an assertion, unverified. The user is nil if the authenticator does not say.
func (p *Passkeys) PasskeyID(response []byte) (keyID string, user uuid.UUID, err error) {
	parsed, err := protocol.ParseCredentialRequestResponseBytes(response)
	if err != nil {
		return "", uuid.Nil, fmt.Errorf("authn: read an assertion: %w", err)
	}
	if handle := parsed.Response.UserHandle; len(handle) > 0 {
		if user, err = uuid.FromBytes(handle); err != nil {
			return "", uuid.Nil, fmt.Errorf("authn: read an assertion: %w", err)
		}
	}
	return base64.RawURLEncoding.EncodeToString(parsed.RawID), user, nil
}

// Passkey verifies what an authenticator answered to PasskeyRequest, against one stored passkey of a user. Counter is how
// far the authenticator has counted, 0 if it does not; it MUST be more than counted, or there are two of it.
func (p *Passkeys) Passkey(user PasskeyUser, material string, state, response []byte, counted uint32) (counter uint32, err error) {
	session, err := p.session(state)
	if err != nil {
		return 0, err
	}
	keys, err := decodeAll([]string{material})
	if err != nil {
		return 0, err
	}
	parsed, err := protocol.ParseCredentialRequestResponseBytes(response)
	if err != nil {
		return 0, fmt.Errorf("authn: read an assertion: %w", err)
	}
	owner := person{user, keys}
	owner.keys[0].Authenticator.SignCount = max(owner.keys[0].Authenticator.SignCount, counted)
	var used *webauthn.Credential
	if len(session.AllowedCredentialIDs) == 0 {
		used, err = p.party.ValidateDiscoverableLogin(func(_, _ []byte) (webauthn.User, error) { return owner, nil }, session, parsed)
	} else {
		if !containsBytes(session.AllowedCredentialIDs, parsed.RawID) {
			return 0, errAsked
		}
		// The ticket is bound to the user, and the library would want all of the user's passkeys.
		session.UserID, session.AllowedCredentialIDs = owner.WebAuthnID(), [][]byte{parsed.RawID}
		used, err = p.party.ValidateLogin(owner, session, parsed)
	}
	if err != nil {
		return 0, fmt.Errorf("authn: verify an assertion: %w", err)
	}
	if used.Authenticator.CloneWarning {
		return 0, errCloned
	}
	return used.Authenticator.SignCount, nil
}

func (p *Passkeys) session(state []byte) (s webauthn.SessionData, err error) {
	if p.party == nil {
		return s, ErrNoPasskeys
	}
	if err := json.Unmarshal(state, &s); err != nil || s.UserVerification != protocol.VerificationRequired {
		return s, errState
	}
	return s, nil
}

func both(options any, session *webauthn.SessionData) (o, s []byte, err error) {
	if o, err = json.Marshal(options); err != nil {
		return nil, nil, fmt.Errorf("authn: write options: %w", err)
	}
	if s, err = json.Marshal(session); err != nil {
		return nil, nil, fmt.Errorf("authn: write a state: %w", err)
	}
	return o, s, nil
}

func decodeAll(stored []string) ([]webauthn.Credential, error) {
	keys := make([]webauthn.Credential, len(stored))
	for i, text := range stored {
		if err := json.Unmarshal([]byte(text), &keys[i]); err != nil || len(keys[i].ID) == 0 {
			return nil, errPasskey
		}
	}
	return keys, nil
}

func containsBytes(all [][]byte, one []byte) bool {
	for _, b := range all {
		if bytes.Equal(b, one) {
			return true
		}
	}
	return false
}

// person is a user for the library.
type person struct {
	user PasskeyUser
	keys []webauthn.Credential
}

func (p person) WebAuthnID() []byte                         { return p.user.ID[:] }
func (p person) WebAuthnName() string                       { return p.user.Name }
func (p person) WebAuthnDisplayName() string                { return or(p.user.DisplayName, p.user.Name) }
func (p person) WebAuthnCredentials() []webauthn.Credential { return p.keys }
