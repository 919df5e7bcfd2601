// Package license verifies Chancery's licence files offline. It asks no server, and reads no clock but the one that it is given.
//
// A licence file is a JWS in compact form (RFC 7515), signed with Ed25519 (RFC 8037).
package license

import (
	"crypto/ed25519"
	"fmt"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"
	"github.com/go-json-experiment/json"
)

// The types of files, as in the header typ. One is never taken for the other.
const (
	TypeLicense    = "chancery-license+jws"
	TypeActivation = "chancery-activation+jws"
)

// Claims are what a licence file says.
type Claims struct {
	Issuer    string          `json:"iss"` // the id of the vendor's tenant
	ID        string          `json:"jti"` // of the licence
	Tenant    string          `json:"sub"` // the id of the holder's tenant
	App       string          `json:"aud"` // the app's name
	IssuedAt  jwt.NumericDate `json:"iat"`
	ExpiresAt jwt.NumericDate `json:"exp"` // of the file; it says nothing of the licence's own end
	Revision  int             `json:"revision"`
	Terms     Terms           `json:"license"`
}

// Terms are the licence itself.
type Terms struct {
	StartsAt     time.Time     `json:"starts_at"`
	EndsAt       time.Time     `json:"ends_at,omitzero"` // zero: never
	GraceDays    int           `json:"grace_days,omitzero"`
	Seats        *int          `json:"seats,omitzero"` // nil: not counted
	Seating      string        `json:"seating,omitzero"`
	LeaseSeconds int           `json:"lease_seconds,omitzero"`
	Activations  *int          `json:"activations,omitzero"` // nil: not counted
	Entitlements []Entitlement `json:"entitlements,omitzero"`
	Notes        string        `json:"notes,omitzero"`
}

// Entitlement is one thing that the licence allows: a feature, a limit or a meter.
type Entitlement struct {
	Name   string `json:"name"`
	Kind   string `json:"kind"`
	Limit  int64  `json:"limit,omitzero"`
	Period string `json:"period,omitzero"`
	Soft   bool   `json:"soft,omitzero"`
}

// CheckoutClaims are what the file of a checked-out activation says: the machine may go on without a server until ExpiresAt.
type CheckoutClaims struct {
	Issuer      string          `json:"iss"`
	ID          string          `json:"jti"` // of the activation
	Tenant      string          `json:"sub"`
	App         string          `json:"aud"`
	IssuedAt    jwt.NumericDate `json:"iat"`
	ExpiresAt   jwt.NumericDate `json:"exp"`
	License     string          `json:"license_id"`
	Fingerprint string          `json:"fingerprint"` // see HashFingerprint
	Terms       Terms           `json:"license"`
}

// Sign makes a licence file. The same claims under the same key are the same file.
func Sign(key ed25519.PrivateKey, kid string, c Claims) (string, error) {
	return sign(key, kid, TypeLicense, c)
}

// SignCheckout makes the file of a checked-out activation.
func SignCheckout(key ed25519.PrivateKey, kid string, c CheckoutClaims) (string, error) {
	return sign(key, kid, TypeActivation, c)
}

func sign(key ed25519.PrivateKey, kid, typ string, claims any) (string, error) {
	payload, err := json.Marshal(claims)
	if err != nil {
		return "", fmt.Errorf("encode the claims: %w", err)
	}
	signer, err := jose.NewSigner(
		jose.SigningKey{Algorithm: jose.EdDSA, Key: jose.JSONWebKey{Key: key, KeyID: kid}}, (&jose.SignerOptions{}).WithType(jose.ContentType(typ)))
	if err != nil {
		return "", fmt.Errorf("sign: %w", err)
	}
	signed, err := signer.Sign(payload)
	if err != nil {
		return "", fmt.Errorf("sign: %w", err)
	}
	return signed.CompactSerialize()
}
