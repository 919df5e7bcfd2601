package commands

import (
	"context"
	"crypto/ed25519"
	"encoding/base64"
	"fmt"
	"slices"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/google/uuid"

	"chancery/domain"
	"chancery/internal/dcb"
	"chancery/license"
)

// CreateSigningKey gives a vendor a key to sign licences with. From then on it signs; what the earlier ones signed still verifies.
type CreateSigningKey struct {
	ID domain.SigningKeyID `json:"id,omitzero" description:"id of the new key; made if absent"`
}

func (c *CreateSigningKey) NewID() *uuid.UUID { return &c.ID.UUID }
func (c CreateSigningKey) Target() dcb.Tagger { return c.ID }

func (c CreateSigningKey) Decide(env Env) dcb.Decision {
	return env.newSigningKey(c.ID, func(domain.SigningKeys) ([]dcb.Event, error) {
		seed := env.Keygen(c.ID)
		public := license.NewKey(ed25519.NewKeyFromSeed(seed[:]).Public().(ed25519.PublicKey))
		return dcb.Emit(domain.SigningKeyCreated{
			Key: c.ID, Vendor: domain.VendorIn(env.Tenant), Kid: public.ID, Public: public.JWK(),
			Private: dcb.Hide(base64.RawURLEncoding.EncodeToString(seed[:])),
		})
	})
}

// RegisterSigningKey makes known the public key of a vendor who signs elsewhere, so that the licences signed with it can be imported.
type RegisterSigningKey struct {
	ID  domain.SigningKeyID `json:"id,omitzero" description:"id of the new key; made if absent"`
	JWK jsontext.Value      `json:"jwk" required:"true" description:"a public Ed25519 key as JWK (RFC 8037): kty OKP, crv Ed25519, x; if there, use is sig, alg is EdDSA and kid is the thumbprint (RFC 7638)"`
}

func (c *RegisterSigningKey) NewID() *uuid.UUID { return &c.ID.UUID }
func (c RegisterSigningKey) Target() dcb.Tagger { return c.ID }

func (c RegisterSigningKey) Decide(env Env) dcb.Decision {
	key, err := license.ParseKey(c.JWK)
	if err != nil {
		return refused(domain.Invalid("/jwk", "%v", err))
	}
	return env.newSigningKey(c.ID, func(all domain.SigningKeys) ([]dcb.Event, error) {
		if slices.ContainsFunc(all, func(k domain.SigningKey) bool { return k.Kid == key.ID }) {
			return nil, domain.At("/jwk", domain.ErrSigningKeyTwice)
		}
		return dcb.Emit(domain.SigningKeyRegistered{Key: c.ID, Vendor: domain.VendorIn(env.Tenant), Kid: key.ID, Public: key.JWK()})
	})
}

// newSigningKey starts a decision that gives the tenant, a vendor, a further key.
func (env Env) newSigningKey(id domain.SigningKeyID, rule func(domain.SigningKeys) ([]dcb.Event, error)) dcb.Decision {
	is, all := domain.VendorOf(env.Tenant), domain.SigningKeysOf(env.Tenant)
	made, known := domain.Used[domain.SigningKeyCreated](id), domain.Used[domain.SigningKeyRegistered](id)
	return dcb.From(is, all, made, known).Decide(func() ([]dcb.Event, error) {
		switch {
		case !is.Value:
			return nil, domain.ErrNotVendor
		case made.Value || known.Value:
			return nil, domain.At("/id", domain.ErrIDTaken)
		}
		return rule(all.Value)
	})
}

// RetireSigningKey has a key sign no more. What it has signed still verifies.
type RetireSigningKey struct {
	ID     domain.SigningKeyID `json:"id" required:"true" description:"the key"`
	Reason string              `json:"reason,omitzero" description:"why, for the record"`
}

func (c RetireSigningKey) Target() dcb.Tagger { return c.ID }

func (c RetireSigningKey) Decide(env Env) dcb.Decision {
	return env.signingKey(c.ID, c.Reason, func(k domain.SigningKey) ([]dcb.Event, error) {
		if k.Retired || k.Revoked {
			return nil, nil
		}
		return dcb.Emit(domain.SigningKeyRetired{Key: c.ID, Vendor: domain.VendorIn(env.Tenant), Reason: c.Reason})
	})
}

// RevokeSigningKey has nobody believe any more what a key has signed, for good.
type RevokeSigningKey struct {
	ID     domain.SigningKeyID `json:"id" required:"true" description:"the key"`
	Reason string              `json:"reason,omitzero" description:"why, for the record"`
}

func (c RevokeSigningKey) Target() dcb.Tagger { return c.ID }

func (c RevokeSigningKey) Decide(env Env) dcb.Decision {
	return env.signingKey(c.ID, c.Reason, func(k domain.SigningKey) ([]dcb.Event, error) {
		if k.Revoked {
			return nil, nil
		}
		return dcb.Emit(domain.SigningKeyRevoked{Key: c.ID, Vendor: domain.VendorIn(env.Tenant), Reason: c.Reason})
	})
}

// signingKey starts a decision about one of the tenant's keys. One who was dismissed as a vendor may still take back what leaked.
func (env Env) signingKey(id domain.SigningKeyID, reason string, rule func(domain.SigningKey) ([]dcb.Event, error)) dcb.Decision {
	all := domain.SigningKeysOf(env.Tenant)
	return dcb.From(all).Decide(func() ([]dcb.Event, error) {
		if err := domain.CheckText("/reason", reason); err != nil {
			return nil, err
		}
		k, known := all.Value.Named(id)
		if !known {
			return nil, domain.At("/id", domain.ErrSigningKeyUnknown)
		}
		return rule(k)
	})
}

// SigningKeys are the keys of a tenant now; private parts stay sealed.
func (e *Engine) SigningKeys(ctx context.Context, t domain.TenantID) (domain.SigningKeys, error) {
	keys := domain.SigningKeysOf(t)
	if err := e.Ask(ctx, t, dcb.From(keys)); err != nil {
		return nil, fmt.Errorf("the signing keys of a tenant: %w", err)
	}
	return keys.Value, nil
}

// signer is the key to sign with, of keys that were asked for Unsealing. Errors: domain.ErrNoSigningKey, or a fault.
func signer(keys domain.SigningKeys) (key ed25519.PrivateKey, kid string, err error) {
	k, ok := keys.Signer()
	if !ok {
		return nil, "", domain.ErrNoSigningKey
	}
	seed, err := base64.RawURLEncoding.DecodeString(k.Private.Reveal())
	if err != nil || len(seed) != ed25519.SeedSize {
		return nil, "", fmt.Errorf("the signing key %s cannot be used: its seed has %d bytes", k.ID, len(seed))
	}
	return ed25519.NewKeyFromSeed(seed), k.Kid, nil
}
