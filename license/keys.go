package license

import (
	"crypto"
	"crypto/ed25519"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// Key is a public key by which a vendor's files are verified.
type Key struct {
	ID     string // as in the header kid; Chancery's own are thumbprints (RFC 7638)
	Public ed25519.PublicKey
}

// Keys are those of one vendor.
type Keys []Key

var (
	// ErrKey refuses what is no public Ed25519 key for signatures.
	ErrKey = errors.New("not a public Ed25519 key for signatures")
	// ErrPrivateKey refuses a key, or a set, in which somebody published a private one.
	ErrPrivateKey = errors.New("holds a private key; it must not be shown to anybody, and is no secret any more")
)

// NewKey names a public key by its thumbprint.
func NewKey(public ed25519.PublicKey) Key {
	k := jose.JSONWebKey{Key: public}
	sum, err := k.Thumbprint(crypto.SHA256)
	if err != nil {
		panic(fmt.Sprintf("the thumbprint of a key of %d bytes: %v", len(public), err)) // an Ed25519 key always has one
	}
	return Key{base64.RawURLEncoding.EncodeToString(sum), public}
}

// JWK is the key as JSON (RFC 8037), as it is published.
func (k Key) JWK() string {
	text, err := jose.JSONWebKey{Key: k.Public, KeyID: k.ID, Algorithm: string(jose.EdDSA), Use: "sig"}.MarshalJSON()
	if err != nil {
		panic(fmt.Sprintf("a key of %d bytes as JSON: %v", len(k.Public), err)) // as above
	}
	return string(text)
}

// named is the key of that id.
func (ks Keys) named(id string) (Key, bool) {
	i := slices.IndexFunc(ks, func(k Key) bool { return k.ID == id })
	if i < 0 {
		return Key{}, false
	}
	return ks[i], true
}

// ParseKeys reads a JWK Set (RFC 7517), such as a tenant's jwks.json. Keys of other kinds are left out, as the RFC wants; a private
// part of any of them is refused, and so are two keys of one id.
func ParseKeys(jwks []byte) (Keys, error) {
	var set struct {
		Keys *[]jsontext.Value `json:"keys"`
	}
	if err := json.Unmarshal(jwks, &set); err != nil {
		return nil, fmt.Errorf("read the JWK Set: %w", err)
	}
	if set.Keys == nil {
		return nil, errors.New("read the JWK Set: it has no keys")
	}
	keys := Keys{}
	for i, text := range *set.Keys {
		m, err := membersOf(text)
		if err != nil {
			return nil, fmt.Errorf("key %d of the set: %w", i+1, err)
		}
		if m.other() {
			continue
		}
		k, err := m.key()
		if err != nil {
			return nil, fmt.Errorf("key %d of the set: %w", i+1, err)
		}
		if _, twice := keys.named(k.ID); twice {
			return nil, fmt.Errorf("key %d of the set: there are two of the id %q", i+1, k.ID)
		}
		keys = append(keys, k)
	}
	return keys, nil
}

// ParseKey reads one public key (RFC 8037). It MUST be an Ed25519 key, say nothing but what a public key for signatures says,
// and if it has a kid, that MUST be its thumbprint.
func ParseKey(jwk []byte) (Key, error) {
	m, err := membersOf(jwk)
	if err != nil {
		return Key{}, err
	}
	for name := range m {
		if !slices.Contains([]string{"kty", "crv", "x", "kid", "use", "alg", "key_ops"}, name) {
			return Key{}, fmt.Errorf("%w: the member %q is not allowed", ErrKey, name)
		}
	}
	k, err := m.key()
	if err != nil {
		return Key{}, err
	}
	if thumbprint := NewKey(k.Public).ID; k.ID != thumbprint {
		return Key{}, fmt.Errorf("%w: its kid must be absent or its thumbprint (RFC 7638), %s", ErrKey, thumbprint)
	}
	return k, nil
}

// members are those of a JWK.
type members map[string]jsontext.Value

func membersOf(jwk []byte) (m members, err error) {
	if err := json.Unmarshal(jwk, &m); err != nil || m == nil {
		return nil, fmt.Errorf("%w: not a JSON object with members of different names", ErrKey)
	}
	for _, private := range []string{"d", "p", "q", "dp", "dq", "qi", "oth", "k", "priv"} {
		if _, has := m[private]; has {
			return nil, ErrPrivateKey
		}
	}
	return m, nil
}

// text is a member that is a string, empty if there is none.
func (m members) text(name string) (s string, err error) {
	v, has := m[name]
	if !has {
		return "", nil
	}
	if err := json.Unmarshal(v, &s); err != nil || v.Kind() != '"' || s == "" {
		return "", fmt.Errorf("%w: %s must be a text", ErrKey, name)
	}
	return s, nil
}

// ours is what keys of our kind say of themselves.
var ours = []struct {
	member, value string
	optional      bool
}{{"kty", "OKP", false}, {"crv", "Ed25519", false}, {"use", "sig", true}, {"alg", "EdDSA", true}}

// other reports whether it is a key of another kind, or for something else.
func (m members) other() bool {
	for _, is := range ours {
		if s, err := m.text(is.member); err == nil && s != "" && s != is.value {
			return true
		}
	}
	return false
}

func (m members) key() (Key, error) {
	for _, is := range ours {
		switch s, err := m.text(is.member); {
		case err == nil && (s == is.value || s == "" && is.optional):
		case is.optional:
			return Key{}, fmt.Errorf("%w: %s must be absent or %s", ErrKey, is.member, is.value)
		default:
			return Key{}, fmt.Errorf("%w: %s must be %s", ErrKey, is.member, is.value)
		}
	}
	if err := m.checkOps(); err != nil {
		return Key{}, err
	}
	x, err := m.text("x")
	if err != nil {
		return Key{}, err
	}
	public, err := base64.RawURLEncoding.DecodeString(x)
	switch {
	case err != nil, len(public) != ed25519.PublicKeySize, base64.RawURLEncoding.EncodeToString(public) != x:
		return Key{}, fmt.Errorf("%w: x must be %d bytes in base64url without padding", ErrKey, ed25519.PublicKeySize)
	case smallOrder(public):
		return Key{}, fmt.Errorf("%w: x is a point of small order, for which anybody can sign", ErrKey)
	}
	k := NewKey(public)
	switch id, err := m.text("kid"); {
	case err != nil:
		return Key{}, err
	case id != "":
		k.ID = id
	}
	return k, nil
}

func (m members) checkOps() error {
	v, has := m["key_ops"]
	if !has {
		return nil
	}
	var ops []string
	if err := json.Unmarshal(v, &ops); err != nil || !slices.Equal(ops, []string{"verify"}) {
		return fmt.Errorf("%w: key_ops must be absent or verify alone", ErrKey)
	}
	return nil
}

// smallOrders are all encodings of the points of small order, without the sign bit.
var smallOrders = []string{
	"0000000000000000000000000000000000000000000000000000000000000000",
	"0100000000000000000000000000000000000000000000000000000000000000",
	"26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
	"c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
	"ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
	"edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
	"eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
}

func smallOrder(public ed25519.PublicKey) bool {
	p := slices.Clone(public)
	p[len(p)-1] &= 0x7f
	return slices.Contains(smallOrders, hex.EncodeToString(p))
}
