package license

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
)

// Checkout is what the verified file of a checked-out activation says.
type Checkout struct {
	CheckoutClaims
	KeyID string
	State State // of the licence
}

// VerifyCheckout is Verify for the file of a checked-out activation. Want.Fingerprint MUST be that of the machine.
func VerifyCheckout(blob string, keys Keys, want Want) (Checkout, error) {
	payload, kid, err := open(blob, TypeActivation, keys)
	if err != nil {
		return Checkout{}, err
	}
	var c CheckoutClaims
	if err := read(payload, &c); err != nil {
		return Checkout{}, err
	}
	err = firstError(
		named("iss", c.Issuer), named("jti", c.ID), named("sub", c.Tenant), named("aud", c.App), named("license_id", c.License),
		named("fingerprint", c.Fingerprint), checkTimes(c.IssuedAt, c.ExpiresAt), c.Terms.check(),
		want.identifies(c.Issuer, c.Tenant, c.App))
	if err != nil {
		return Checkout{}, err
	}
	if want.Fingerprint == "" || !hmac.Equal([]byte(c.Fingerprint), []byte(HashFingerprint(c.License, want.Fingerprint))) {
		return Checkout{}, fmt.Errorf("%w: it is activation %s", ErrFingerprint, c.ID)
	}
	if err := want.inTime(c.IssuedAt.Time(), c.ExpiresAt.Time()); err != nil {
		return Checkout{}, err
	}
	state, err := c.Terms.StateAt(want.Now)
	if err != nil {
		return Checkout{}, err
	}
	return Checkout{c, kid, state}, nil
}

// HashFingerprint is a machine's fingerprint as files name it. It differs from licence to licence, so that files do not tell which of
// them are of one machine. It keeps nothing secret that could be guessed.
func HashFingerprint(license, fingerprint string) string {
	mac := hmac.New(sha256.New, []byte("chancery-fingerprint:"+license))
	mac.Write([]byte(fingerprint))
	return base64.RawURLEncoding.EncodeToString(mac.Sum(nil))
}
