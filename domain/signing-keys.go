package domain

import (
	"slices"

	"github.com/google/uuid"

	"chancery/internal/dcb"
)

// SigningKeyCreated gives a vendor a key to sign licences with; from then on it signs, and no earlier one does.
type SigningKeyCreated struct {
	Key     SigningKeyID `json:"key"`
	Vendor  VendorID     `json:"vendor"`
	Kid     string       `json:"kid"`     // RFC 7638 thumbprint of Public
	Public  string       `json:"public"`  // JWK (RFC 8037), as JSON
	Private dcb.Sealed   `json:"private"` // the Ed25519 seed (RFC 8032), in base64url
}

// SigningKeyRegistered makes known a key of a vendor who signs elsewhere. It verifies what is imported and signs nothing here.
type SigningKeyRegistered struct {
	Key    SigningKeyID `json:"key"`
	Vendor VendorID     `json:"vendor"`
	Kid    string       `json:"kid"`
	Public string       `json:"public"`
}

// SigningKeyRetired says that a key signs no more; what it has signed still verifies.
type SigningKeyRetired struct {
	Key    SigningKeyID `json:"key"`
	Vendor VendorID     `json:"vendor"`
	Reason string       `json:"reason,omitzero"`
}

// SigningKeyRevoked says that nothing which a key has signed is to be believed any more.
type SigningKeyRevoked struct {
	Key    SigningKeyID `json:"key"`
	Vendor VendorID     `json:"vendor"`
	Reason string       `json:"reason,omitzero"`
}

func (SigningKeyCreated) EventType() string    { return "signing-key.created" }
func (SigningKeyRegistered) EventType() string { return "signing-key.registered" }
func (SigningKeyRetired) EventType() string    { return "signing-key.retired" }
func (SigningKeyRevoked) EventType() string    { return "signing-key.revoked" }

// DataSubject is not the key's own id: that may be a user's too, whose data key is another.
func (e SigningKeyCreated) DataSubject() uuid.UUID {
	return NamedID(e.Vendor.Tenant(), "signing-key", e.Key.String())
}

// BeginsSubject says that the data key under which the private key is sealed is made here.
func (SigningKeyCreated) BeginsSubject() {}

var signingKeyEvents = dcb.Kind("signing-key",
	dcb.Of[SigningKeyCreated](), dcb.Of[SigningKeyRegistered](), dcb.Of[SigningKeyRetired](), dcb.Of[SigningKeyRevoked]())

var (
	ErrSigningKeyUnknown = &Refusal{Missing, "not-found", "there is no such signing key here"}
	ErrSigningKeyTwice   = refuse("signing-key-known", "the vendor has that key already")
	ErrNoSigningKey      = refuse("no-signing-key", "the vendor has no key to sign with; create one first")
)

// SigningKey is a key of a vendor.
type SigningKey struct {
	ID      SigningKeyID
	Kid     string
	Public  string
	Private dcb.Sealed // none: it signs elsewhere
	Retired bool
	Revoked bool
}

// Signs reports whether licences may still be signed with it here.
func (k SigningKey) Signs() bool { return !k.Private.IsZero() && !k.Retired && !k.Revoked }

// SigningKeys are the keys of a vendor, in the order in which they came.
type SigningKeys []SigningKey

// Signer is the one to sign with: the newest that signs.
func (ks SigningKeys) Signer() (k SigningKey, ok bool) {
	for _, k := range slices.Backward(ks) {
		if k.Signs() {
			return k, true
		}
	}
	return k, false
}

// Named is the key of that id.
func (ks SigningKeys) Named(id SigningKeyID) (k SigningKey, ok bool) {
	i := slices.IndexFunc(ks, func(k SigningKey) bool { return k.ID == id })
	if i < 0 {
		return k, false
	}
	return ks[i], true
}

// Trusted are the public keys, as JWKs, by which a blob may be verified.
func (ks SigningKeys) Trusted() (jwks []string) {
	for _, k := range ks {
		if !k.Revoked {
			jwks = append(jwks, k.Public)
		}
	}
	return jwks
}

func (ks SigningKeys) with(id SigningKeyID, change func(*SigningKey)) SigningKeys {
	ks = slices.Clone(ks)
	for i := range ks {
		if ks[i].ID == id {
			change(&ks[i])
		}
	}
	return ks
}

// SigningKeysOf are the keys of a vendor. To sign, a decision asks for them Unsealing; and in the vendor's own tenant.
func SigningKeysOf(vendor TenantID) *dcb.Fact[SigningKeys] {
	return dcb.Ask(SigningKeys(nil), tags(VendorIn(vendor)),
		dcb.On(func(ks *SigningKeys, e SigningKeyCreated) {
			*ks = append(slices.Clip(*ks), SigningKey{ID: e.Key, Kid: e.Kid, Public: e.Public, Private: e.Private})
		}),
		dcb.On(func(ks *SigningKeys, e SigningKeyRegistered) {
			*ks = append(slices.Clip(*ks), SigningKey{ID: e.Key, Kid: e.Kid, Public: e.Public})
		}),
		dcb.On(func(ks *SigningKeys, e SigningKeyRetired) {
			*ks = ks.with(e.Key, func(k *SigningKey) { k.Retired = true })
		}),
		dcb.On(func(ks *SigningKeys, e SigningKeyRevoked) {
			*ks = ks.with(e.Key, func(k *SigningKey) { k.Revoked = true })
		}),
	).Only(vendor.UUID)
}
