package oidc

import (
	"context"
	"crypto/sha256"
	"crypto/sha512"
	"crypto/subtle"
	"encoding/base64"
	stdjson "encoding/json"
	"fmt"
	"hash"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	"golang.org/x/oauth2"
)

// Skew is by how much a provider's clock may differ from ours.
const Skew = 2 * time.Minute

// Claims is what a verified token says.
type Claims struct {
	Issuer    string
	Subject   string
	Audience  []string
	Party     string    // azp: to whom the token was issued
	SeenAt    time.Time // auth_time: when the provider last saw the user prove who they are; zero if it does not say
	Methods   []string  // amr
	ExpiresAt time.Time

	Email         string
	EmailVerified bool
	Name          string

	from, issued time.Time
	nonce        string
	tokenHash    string
	codeHash     string
	algorithm    string
	bound        bool
	raw          map[string]jsontext.Value
}

// said are the claims as they are written (RFC 7519, section 4.1; OpenID Connect Core 1.0, sections 2 and 5.1).
type said struct {
	Issuer        string         `json:"iss"`
	Subject       string         `json:"sub"`
	Audience      texts          `json:"aud"`
	Party         string         `json:"azp"`
	Expiry        *float64       `json:"exp"`
	NotBefore     *float64       `json:"nbf"`
	IssuedAt      *float64       `json:"iat"`
	SeenAt        *float64       `json:"auth_time"`
	Methods       texts          `json:"amr"`
	Nonce         string         `json:"nonce"`
	TokenHash     string         `json:"at_hash"`
	CodeHash      string         `json:"c_hash"`
	Email         string         `json:"email"`
	EmailVerified truth          `json:"email_verified"`
	Name          string         `json:"name"`
	Confirmation  jsontext.Value `json:"cnf"`
	Events        jsontext.Value `json:"events"` // of logout tokens, which are no tokens to sign in with
}

// texts is a text or a list of them.
type texts []string

func (t *texts) UnmarshalJSON(b []byte) error {
	var one string
	if err := json.Unmarshal(b, &one); err == nil {
		*t = texts{one}
		return nil
	}
	return json.Unmarshal(b, (*[]string)(t))
}

// truth is true, or "true" as some providers write it; anything else is not.
type truth bool

func (t *truth) UnmarshalJSON(b []byte) error {
	*t = string(b) == "true" || string(b) == `"true"`
	return nil
}

// signature is a verifier's key set that remembers why it said no: the verifier's own error does not.
type signature struct {
	keys *keys
	err  error
}

func (s *signature) VerifySignature(ctx context.Context, raw string) (payload []byte, err error) {
	payload, s.err = s.keys.VerifySignature(ctx, raw)
	return payload, s.err
}

// verify checks the signature, the issuer and the times.
func (p *provider) verify(ctx context.Context, raw string, now time.Time) (Claims, error) {
	by := &signature{keys: p.keys}
	token, err := oidc.NewVerifier(p.issuer, by, &oidc.Config{
		SupportedSigningAlgs: algorithms, SkipClientIDCheck: true, SkipExpiryCheck: true, // Claims checks both
	}).Verify(ctx, raw)
	switch {
	case by.err != nil:
		return Claims{}, by.err
	case err != nil:
		return Claims{}, rejected("it is no token of the issuer")
	}
	var payload stdjson.RawMessage
	var s said
	c := Claims{raw: map[string]jsontext.Value{}}
	if token.Claims(&payload) != nil || json.Unmarshal(payload, &s) != nil || json.Unmarshal(payload, &c.raw) != nil {
		return Claims{}, rejected("its claims are not as they must be")
	}
	if s.Issuer != p.issuer || s.Subject == "" || s.Expiry == nil || len(s.Events) > 0 {
		return Claims{}, rejected("its claims are not as they must be")
	}
	c.Issuer, c.Subject, c.Audience, c.Party = s.Issuer, s.Subject, s.Audience, s.Party
	c.SeenAt, c.ExpiresAt, c.from, c.issued = instant(s.SeenAt), instant(s.Expiry), instant(s.NotBefore), instant(s.IssuedAt)
	c.Methods, c.nonce, c.tokenHash, c.codeHash = s.Methods, s.Nonce, s.TokenHash, s.CodeHash
	c.Email, c.EmailVerified, c.Name = s.Email, bool(s.EmailVerified), s.Name
	c.bound, c.algorithm = len(s.Confirmation) > 0, algorithmOf(raw)
	return c, c.inTime(now)
}

// instant is a NumericDate. One that no clock will ever show is the farthest that one can.
func instant(seconds *float64) time.Time {
	const farthest = 253402300799 // the end of the year 9999
	if seconds == nil {
		return time.Time{}
	}
	return time.Unix(int64(math.Floor(min(max(*seconds, -farthest), farthest))), 0).UTC()
}

func algorithmOf(raw string) string {
	head, _, _ := strings.Cut(raw, ".")
	var h struct {
		Algorithm string `json:"alg"`
	}
	text, err := base64.RawURLEncoding.DecodeString(head)
	if err != nil || stdjson.Unmarshal(text, &h) != nil {
		return ""
	}
	return h.Algorithm
}

// inTime refuses what is over or has not begun.
func (c Claims) inTime(now time.Time) error {
	switch {
	case !now.Before(c.ExpiresAt.Add(Skew)):
		return rejected("it is over")
	case now.Add(Skew).Before(c.from):
		return rejected("it is not valid yet")
	case now.Add(Skew).Before(c.issued), now.Add(Skew).Before(c.SeenAt): // a proof of the future would be fresh for ever
		return rejected("it is of the future")
	}
	return nil
}

// Meant reports whether the token is for one of the audiences; and, if it is for others too or says to whom it was issued, whether it
// was issued to one that is trusted (OpenID Connect Core 1.0, section 3.1.3.7).
func (c Claims) Meant(audiences, trusted []string) bool {
	if !slices.ContainsFunc(c.Audience, func(a string) bool { return slices.Contains(audiences, a) }) {
		return false
	}
	return c.Party == "" && len(c.Audience) == 1 || slices.Contains(trusted, c.Party)
}

// answers checks that an ID token is the answer to a request, and belongs to the code and the access token that it came with.
func (c Claims) answers(by Client, q Request, code, accessToken string, now time.Time) error {
	switch {
	case !c.Meant([]string{by.ID}, []string{by.ID}):
		return rejected("it is for somebody else")
	case c.issued.IsZero():
		return rejected("it does not say when it was issued")
	case q.Nonce == "" || subtle.ConstantTimeCompare([]byte(c.nonce), []byte(q.Nonce)) != 1:
		return rejected("it is the answer to another request")
	case c.tokenHash != "" && !halfHash(c.algorithm, accessToken, c.tokenHash):
		return rejected("it belongs to another access token")
	case c.codeHash != "" && !halfHash(c.algorithm, code, c.codeHash):
		return rejected("it belongs to another code")
	case q.MaxAge > 0 && (c.SeenAt.IsZero() || now.Sub(c.SeenAt) > q.MaxAge+Skew):
		return rejected("the provider last saw the user too long ago, or does not say when")
	}
	return nil
}

// halfHash compares the left half of a hash (OpenID Connect Core 1.0, section 3.1.3.6). That of EdDSA is SHA-512, as of Ed25519.
func halfHash(algorithm, text, want string) bool {
	var h hash.Hash
	switch strings.TrimLeft(algorithm, "RPES") {
	case "256":
		h = sha256.New()
	case "384":
		h = sha512.New384()
	default:
		h = sha512.New()
	}
	h.Write([]byte(text))
	got := base64.RawURLEncoding.EncodeToString(h.Sum(nil)[:h.Size()/2])
	return subtle.ConstantTimeCompare([]byte(got), []byte(want)) == 1
}

func (c Claims) has(name string) bool { _, ok := c.raw[name]; return ok }

// Texts are the values of a claim that is a text or a list of texts; none if it is absent or something else.
func (c Claims) Texts(name string) []string {
	var all texts
	if value, ok := c.raw[name]; !ok || json.Unmarshal(value, &all) != nil {
		return nil
	}
	return all
}

// complete asks the provider for claims that are not in the ID token (OpenID Connect Core 1.0, section 5.3).
func (c *Claims) complete(ctx context.Context, p *provider, token *oauth2.Token, wants []string) error {
	info, err := p.UserInfo(ctx, oauth2.StaticTokenSource(token))
	if err != nil {
		return unreachable("user info", err)
	}
	var payload stdjson.RawMessage
	var s said
	more := map[string]jsontext.Value{}
	if info.Claims(&payload) != nil || json.Unmarshal(payload, &s) != nil || json.Unmarshal(payload, &more) != nil || s.Subject != c.Subject {
		return fmt.Errorf("%w: user info", ErrBroken)
	}
	if !c.has("email") { // an address and whether it is verified belong together
		c.Email, c.EmailVerified = s.Email, bool(s.EmailVerified)
	}
	if !c.has("name") {
		c.Name = s.Name
	}
	for _, name := range wants {
		if value, ok := more[name]; ok && !c.has(name) {
			c.raw[name] = value
		}
	}
	return nil
}
