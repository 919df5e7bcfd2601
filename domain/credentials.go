package domain

import (
	"slices"
	"strconv"
	"unicode/utf8"

	"github.com/google/uuid"

	"chancery/internal/dcb"
)

// PasswordSet gives a user a password, in place of any earlier one.
type PasswordSet struct {
	Credential CredentialID `json:"credential"`
	User       UserID       `json:"user"`
	Hash       dcb.Sealed   `json:"hash"`              // Argon2id in PHC form, with the id of its pepper
	Rehashed   bool         `json:"rehashed,omitzero"` // the same password, hashed anew
}

// TOTPEnrolled gives a user a time-based one-time password (RFC 6238); it counts once it is confirmed.
type TOTPEnrolled struct {
	Credential CredentialID `json:"credential"`
	User       UserID       `json:"user"`
	Name       string       `json:"name"`
	Seed       dcb.Sealed   `json:"seed"` // base32
}

// TOTPConfirmed says that the user has shown a code of it.
type TOTPConfirmed struct {
	Credential CredentialID `json:"credential"`
	User       UserID       `json:"user"`
	Use        Key          `json:"use"` // the step that was shown, which is used with it
}

// RecoveryCodesIssued gives a user codes that each work once; earlier ones are removed with it.
type RecoveryCodesIssued struct {
	Credential CredentialID `json:"credential"`
	User       UserID       `json:"user"`
	Codes      dcb.Sealed   `json:"codes"` // the SHA-256 of each in hex, separated by spaces
	Count      int          `json:"count"`
}

// PasskeyRegistered gives a user a WebAuthn credential.
type PasskeyRegistered struct {
	Credential CredentialID `json:"credential"`
	User       UserID       `json:"user"`
	Name       string       `json:"name"`
	Key        dcb.Sealed   `json:"key"`    // public key and state, as the WebAuthn library writes it
	KeyID      dcb.Claim    `json:"key_id"` // the authenticator's id of it, unique in the tenant
	Ticket     TicketID     `json:"ticket"` // of the challenge that was answered
}

// CredentialUsed says that something that works once was used, or how far an authenticator has counted.
type CredentialUsed struct {
	Credential CredentialID `json:"credential"`
	User       UserID       `json:"user"`
	Use        Key          `json:"use,omitzero"`     // the step or the code; never used again
	Counter    uint32       `json:"counter,omitzero"` // of a passkey
	Left       *int         `json:"left,omitzero"`    // of recovery codes: how many still work
}

// CredentialRemoved takes a credential away.
type CredentialRemoved struct {
	Credential CredentialID `json:"credential"`
	User       UserID       `json:"user"`
}

func (PasswordSet) EventType() string         { return "credential.password-set" }
func (TOTPEnrolled) EventType() string        { return "credential.totp-enrolled" }
func (TOTPConfirmed) EventType() string       { return "credential.totp-confirmed" }
func (RecoveryCodesIssued) EventType() string { return "credential.recovery-codes-issued" }
func (PasskeyRegistered) EventType() string   { return "credential.passkey-registered" }
func (CredentialUsed) EventType() string      { return "credential.used" }
func (CredentialRemoved) EventType() string   { return "credential.removed" }

func (e PasswordSet) DataSubject() uuid.UUID         { return e.User.UUID }
func (e TOTPEnrolled) DataSubject() uuid.UUID        { return e.User.UUID }
func (e RecoveryCodesIssued) DataSubject() uuid.UUID { return e.User.UUID }
func (e PasskeyRegistered) DataSubject() uuid.UUID   { return e.User.UUID }

var credentialEvents = dcb.Kind("credential",
	dcb.Of[PasswordSet](), dcb.Of[TOTPEnrolled](), dcb.Of[TOTPConfirmed](), dcb.Of[RecoveryCodesIssued](),
	dcb.Of[PasskeyRegistered](), dcb.Of[CredentialUsed](), dcb.Of[CredentialRemoved]())

var (
	ErrCredentialUnknown = &Refusal{Missing, "not-found", "there is no such credential here"}
	// ErrSignIn is the one answer to every sign-in that fails.
	ErrSignIn = &Refusal{Unproven, "sign-in-failed", "the e-mail address, the password or the code is wrong"}
	// ErrFactor is no failure: the password was right, and a second factor is asked for.
	ErrFactor        = &Refusal{Unproven, "factor-required", "a second factor is required"}
	ErrPasswordWrong = refuse("password-wrong", "the current password is wrong")
	ErrPasswordShort = refuse("password-too-short", "the password is shorter than the tenant demands")
	ErrPasswordKnown = refuse("password-known", "the password is on a list of passwords that were found out, or is easily guessed; choose another one")
	ErrCodeWrong     = refuse("code-wrong", "the code is wrong, or was used before")
	ErrLastFactor    = refuse("last-factor", "the tenant requires a second factor, and this is the last one")
	ErrPasskeyTaken  = refuse("passkey-taken", "the passkey is registered already")
	ErrPasskeysOff   = refuse("passkeys-unavailable", "there are no passkeys here: browsers reach this server by number, not by name")
	ErrTicket        = refuse("challenge-over", "the challenge was answered before, or is too old; begin again")
	ErrTOTPConfirmed = refuse("already-confirmed", "the one-time password is confirmed already")
)

// MaxPassword is the length of the longest password, in characters; more would only be work.
const MaxPassword = 256

// UnaidedLength is the length of the shortest password, in characters, where nothing else is asked for (NIST SP 800-63B-4, section
// 3.1.1.2).
const UnaidedLength = 15

// CheckPassword refuses a password that is too short or too long. What it is made of does not matter.
func CheckPassword(pointer, s string, least int) error {
	switch n := utf8.RuneCountInString(s); {
	case n > MaxPassword:
		return Invalid(pointer, "is longer than %d characters", MaxPassword)
	case n < least:
		return At(pointer, ErrPasswordShort)
	}
	return nil
}

// PasswordID is the id of a user's one password.
func PasswordID(t TenantID, u UserID) CredentialID {
	return CredentialID{NamedID(t, "password", u.String())}
}

// Use is what is used up by showing the n-th code of a credential, or the code of the n-th step.
func (id CredentialID) Use(n int64) Key {
	return Key("use:" + id.String() + "/" + strconv.FormatInt(n, 10))
}

// CredentialKind is what a user proves themselves with.
type CredentialKind string

const (
	Password      CredentialKind = "password"
	TOTP          CredentialKind = "totp"
	RecoveryCodes CredentialKind = "recovery-codes"
	Passkey       CredentialKind = "passkey"
)

// Credential is what decisions need to know of one.
type Credential struct {
	ID        CredentialID
	Kind      CredentialKind
	Name      string
	Material  dcb.Sealed // hash, seed, codes or key
	Confirmed bool       // always, but for a new TOTP
}

// Credentials are those of one user, in the order of their making, without those that were removed.
type Credentials []Credential

// CredentialsOf are all that a user has. The decision must be Unsealing to make use of the material.
func CredentialsOf(u UserID) *dcb.Fact[Credentials] {
	put := func(all *Credentials, c Credential) { *all = append(all.Without(c.ID), c) }
	return dcb.Ask(Credentials(nil), tags(u),
		dcb.On(func(all *Credentials, e PasswordSet) { put(all, Credential{e.Credential, Password, "", e.Hash, true}) }),
		dcb.On(func(all *Credentials, e TOTPEnrolled) {
			put(all, Credential{e.Credential, TOTP, e.Name, e.Seed, false})
		}),
		dcb.On(func(all *Credentials, e TOTPConfirmed) {
			for i := range *all {
				if (*all)[i].ID == e.Credential {
					(*all)[i].Confirmed = true
				}
			}
		}),
		dcb.On(func(all *Credentials, e RecoveryCodesIssued) {
			put(all, Credential{e.Credential, RecoveryCodes, "", e.Codes, true})
		}),
		dcb.On(func(all *Credentials, e PasskeyRegistered) {
			put(all, Credential{e.Credential, Passkey, e.Name, e.Key, true})
		}),
		dcb.On(func(all *Credentials, e CredentialRemoved) {
			*all = all.Without(e.Credential)
		}),
	)
}

// Of are the confirmed ones of a kind.
func (all Credentials) Of(kind CredentialKind) []Credential {
	var out []Credential
	for _, c := range all {
		if c.Kind == kind && c.Confirmed {
			out = append(out, c)
		}
	}
	return out
}

// Password is the hash of the user's password, empty if there is none.
func (all Credentials) Password() string {
	for _, c := range all.Of(Password) {
		return c.Material.Reveal()
	}
	return ""
}

// Named is the credential of that id.
func (all Credentials) Named(id CredentialID) (Credential, bool) {
	i := slices.IndexFunc(all, func(c Credential) bool { return c.ID == id })
	if i < 0 {
		return Credential{}, false
	}
	return all[i], true
}

// Without are the others.
func (all Credentials) Without(id CredentialID) Credentials {
	return slices.DeleteFunc(slices.Clone(all), func(c Credential) bool { return c.ID == id })
}

// SecondFactor reports whether the user has one: recovery codes alone are none.
func (all Credentials) SecondFactor() bool { return len(all.Of(TOTP)) > 0 || len(all.Of(Passkey)) > 0 }

// UsedUp reports whether something that works once was used.
func UsedUp(k Key) *dcb.Fact[bool] {
	return dcb.Ask(false, tags(k),
		dcb.On(func(used *bool, _ CredentialUsed) { *used = true }),
		dcb.On(func(used *bool, _ TOTPConfirmed) { *used = true }),
	).Sole()
}

// HeldPasskey is a passkey as its authenticator names it.
type HeldPasskey struct {
	Credential CredentialID
	User       UserID
}

// PasskeyHolder is the passkey that was registered under the authenticator's id, zero if none was. It may be removed since:
// an authenticator makes a new id each time.
func PasskeyHolder(keyID dcb.Claim) *dcb.Fact[HeldPasskey] {
	return dcb.Ask(HeldPasskey{}, []dcb.Tag{keyID.Tag()}, dcb.On(func(h *HeldPasskey, e PasskeyRegistered) {
		*h = HeldPasskey{e.Credential, e.User}
	})).Sole()
}

// CredentialHolder is the user whose credential it is or was, zero if there never was one.
func CredentialHolder(id CredentialID) *dcb.Fact[UserID] {
	return dcb.Ask(UserID{}, tags(id),
		dcb.On(func(u *UserID, e PasswordSet) { *u = e.User }),
		dcb.On(func(u *UserID, e TOTPEnrolled) { *u = e.User }),
		dcb.On(func(u *UserID, e RecoveryCodesIssued) { *u = e.User }),
		dcb.On(func(u *UserID, e PasskeyRegistered) { *u = e.User }),
	)
}

// LastCredentialChange is the position of the last change of a user's credentials. Being used, or hashed anew, is none.
func LastCredentialChange(u UserID) *dcb.Fact[int64] {
	return dcb.Ask(int64(0), tags(u),
		dcb.OnMeta(func(at *int64, e PasswordSet, m dcb.Meta) {
			if !e.Rehashed {
				*at = m.Position
			}
		}),
		dcb.OnMeta(func(at *int64, _ TOTPConfirmed, m dcb.Meta) { *at = m.Position }),
		dcb.OnMeta(func(at *int64, _ RecoveryCodesIssued, m dcb.Meta) { *at = m.Position }),
		dcb.OnMeta(func(at *int64, _ PasskeyRegistered, m dcb.Meta) { *at = m.Position }),
		dcb.OnMeta(func(at *int64, _ CredentialRemoved, m dcb.Meta) { *at = m.Position }),
	)
}

// Person is how a user is called, in words that a good password does not hold.
type Person struct{ Email, DisplayName dcb.Personal }

// PersonOf is that of a user. The decision must be Opening to make use of it.
func PersonOf(u UserID) *dcb.Fact[Person] {
	return dcb.Ask(Person{}, tags(u),
		dcb.On(func(p *Person, e UserRegistered) { *p = Person{e.Email, e.DisplayName} }),
		dcb.On(func(p *Person, e UserUpdated) { p.DisplayName = e.DisplayName }),
		dcb.On(func(p *Person, e UserEmailChanged) { p.Email = e.Email }),
	)
}

// PasskeyClaim keeps the authenticator's id of a passkey unique within a tenant. ID is in base64url.
func PasskeyClaim(id string) dcb.Claim { return dcb.Claimed("passkey", id) }

// CodesUsed is how many recovery codes were used.
func CodesUsed(id CredentialID) *dcb.Fact[int] {
	return dcb.Ask(0, tags(id), dcb.On(func(n *int, _ CredentialUsed) { *n++ }))
}

// Counted is how far a passkey has counted.
func Counted(id CredentialID) *dcb.Fact[uint32] {
	return dcb.Ask(uint32(0), tags(id), dcb.On(func(n *uint32, e CredentialUsed) { *n = max(*n, e.Counter) }))
}
