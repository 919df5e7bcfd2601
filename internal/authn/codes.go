package authn

import (
	"crypto/hkdf"
	"crypto/sha256"
	"encoding/base32"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/pquerna/otp"
	"github.com/pquerna/otp/hotp"
	"github.com/pquerna/otp/totp"
)

// OneTime is what people type once: time-based codes (RFC 6238) and recovery codes.
type OneTime struct {
	Service string // the name shown beside the codes
}

const (
	stepSeconds  = 30
	stepSkew     = 1  // steps before and after the current one: clocks differ, and people type slowly (RFC 6238, section 5.2)
	seedBytes    = 20 // RFC 4226, section 4, R6
	recoverBytes = 10 // 80 bits each: a plain hash of it cannot be searched
)

// NearSteps are the steps whose codes TOTP takes at an instant, the first one first.
func (OneTime) NearSteps(at time.Time) []int64 {
	now := at.Unix() / stepSeconds
	steps := make([]int64, 0, 1+2*stepSkew)
	for s := now - stepSkew; s <= now+stepSkew; s++ {
		steps = append(steps, s)
	}
	return steps
}

// TOTP finds the step near an instant of which a code is. It takes the same time whichever it is, and if it is none.
func (c OneTime) TOTP(seed, code string, at time.Time) (step int64, ok bool) {
	code = strings.ReplaceAll(strings.TrimSpace(code), " ", "")
	for _, s := range c.NearSteps(at) {
		if same, err := hotp.ValidateCustom(code, uint64(s), seed, hotp.ValidateOpts{Digits: otp.DigitsSix, Algorithm: otp.AlgorithmSHA1}); err == nil && same {
			step, ok = s, true
		}
	}
	return step, ok
}

// Seed derives a seed from a secret text, in base32, and the otpauth URI to show as a QR code.
func (c OneTime) Seed(secret, account string) (seed, uri string) {
	key, err := totp.Generate(totp.GenerateOpts{
		Issuer: c.Service, AccountName: or(account, c.Service), Secret: derive(secret, "chancery/totp/1", seedBytes),
		Period: stepSeconds, Digits: otp.DigitsSix, Algorithm: otp.AlgorithmSHA1,
	})
	if err != nil {
		panic(fmt.Sprintf("authn: a one-time password cannot be made: %v", err)) // cannot happen: nothing is empty
	}
	return key.Secret(), key.URL()
}

// Recovery codes are written in the letters of Crockford's base32, which has none that look alike.
var crockford = base32.NewEncoding("0123456789ABCDEFGHJKMNPQRSTVWXYZ").WithPadding(base32.NoPadding)

// Codes derives n recovery codes from a secret text, in groups of four, and their hashes.
func (c OneTime) Codes(secret string, n int) (codes, hashes []string) {
	all := derive(secret, "chancery/recovery/1", n*recoverBytes)
	for i := range n {
		word := crockford.EncodeToString(all[i*recoverBytes : (i+1)*recoverBytes])
		code := word[:4] + "-" + word[4:8] + "-" + word[8:12] + "-" + word[12:]
		codes, hashes = append(codes, code), append(hashes, c.CodeHash(code))
	}
	return codes, hashes
}

var asTyped = strings.NewReplacer(" ", "", "-", "", "\t", "", "O", "0", "I", "1", "L", "1")

// CodeHash is the SHA-256 in hex of a recovery code as somebody typed it: case, spaces and dashes do not count, nor do
// letters that look like a digit.
func (OneTime) CodeHash(code string) string {
	sum := sha256.Sum256([]byte(asTyped.Replace(strings.ToUpper(strings.TrimSpace(code)))))
	return hex.EncodeToString(sum[:])
}

// derive makes key material of a secret text: the same for the same text, and telling nothing of it.
func derive(secret, label string, size int) []byte {
	out, err := hkdf.Key(sha256.New, []byte(secret), nil, label, size)
	if err != nil {
		panic(fmt.Sprintf("authn: %v", errors.Join(errTooMany, err)))
	}
	return out
}

var errTooMany = errors.New("more codes than one secret yields (8,160 bytes)")
