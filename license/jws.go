package license

import (
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

const (
	mostBytes = 1 << 20 // of a file
	sigLength = 86      // of 64 bytes (RFC 8032, section 5.1.6) in base64url
)

// open is the payload of a file of the type, verified by one of the keys, and the id of that key. Only the very bytes that were issued
// are accepted: go-jose does the cryptography, and here whatever else a JWS may be (RFC 7515) is refused first, by its own words.
func open(blob, typ string, keys Keys) (payload []byte, kid string, err error) {
	parts, err := cut(blob)
	if err != nil {
		return nil, "", err
	}
	raw, err := decode("header", parts[0])
	if err != nil {
		return nil, "", err
	}
	head, err := readHeader(raw, typ)
	if err != nil {
		return nil, "", err
	}
	if _, err := decode("payload", parts[1]); err != nil {
		return nil, "", err
	}
	if err := checkSignature(parts[2]); err != nil {
		return nil, "", err
	}
	key, ok := keys.named(head.kid)
	if !ok {
		return nil, "", fmt.Errorf("%w: %q", ErrKeyID, head.kid)
	}
	jws, err := jose.ParseSignedCompact(blob, []jose.SignatureAlgorithm{jose.EdDSA})
	if err != nil {
		return nil, "", fmt.Errorf("%w: %w", ErrMalformed, err)
	}
	if payload, err = jws.Verify(key.Public); err != nil {
		return nil, "", ErrSignature
	}
	return payload, key.ID, nil
}

// cut is the file in its three parts.
func cut(blob string) (parts []string, err error) {
	switch {
	case blob == "":
		return nil, fmt.Errorf("%w: it is empty", ErrTruncated)
	case len(blob) > mostBytes:
		return nil, fmt.Errorf("%w: it is longer than %d bytes", ErrMalformed, mostBytes)
	case strings.HasPrefix(strings.TrimSpace(blob), "{"):
		return nil, fmt.Errorf("%w: it is in JSON serialization", ErrReencoded)
	case strings.ContainsAny(blob, " \t\r\n\v\f") && strings.Count(blob, ".") == 2:
		return nil, fmt.Errorf("%w: it holds white space", ErrReencoded)
	}
	parts = strings.Split(blob, ".")
	switch {
	case len(parts) > 3:
		return nil, fmt.Errorf("%w: it has %d dots instead of 2", ErrReencoded, len(parts)-1)
	case len(parts) < 3 && plain(blob):
		return nil, fmt.Errorf("%w: it has %d dots instead of 2", ErrTruncated, len(parts)-1)
	case len(parts) < 3:
		return nil, fmt.Errorf("%w: it is not of three parts", ErrMalformed)
	}
	return parts, nil
}

// plain reports whether it is of dots and the letters of base64url alone.
func plain(s string) bool {
	return !strings.ContainsFunc(s, func(r rune) bool {
		return (r < 'A' || r > 'Z') && (r < 'a' || r > 'z') && (r < '0' || r > '9') && r != '-' && r != '_' && r != '.'
	})
}

// decode is base64url in the one way in which it is written without padding (RFC 7515, section 2; RFC 4648, section 3.5).
func decode(what, text string) ([]byte, error) {
	if !plain(text) {
		if strings.Trim(text, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_+/=") == "" {
			return nil, fmt.Errorf("%w: its %s is in another base64 than base64url without padding", ErrReencoded, what)
		}
		return nil, fmt.Errorf("%w: its %s is not base64url", ErrMalformed, what)
	}
	if len(text)%4 == 1 {
		return nil, fmt.Errorf("%w: its %s stops in the middle of a byte", ErrTruncated, what)
	}
	b, err := base64.RawURLEncoding.Strict().DecodeString(text)
	if err != nil {
		return nil, fmt.Errorf("%w: its %s has bits after the last byte", ErrReencoded, what)
	}
	return b, nil
}

// checkSignature judges how it is written. What a file that was cut off ends with may be no base64.
func checkSignature(text string) error {
	if len(text) < sigLength && plain(text) {
		return fmt.Errorf("%w: its signature has %d letters of %d", ErrTruncated, len(text), sigLength)
	}
	if _, err := decode("signature", text); err != nil {
		return err
	}
	if len(text) > sigLength {
		return fmt.Errorf("%w: its signature has %d letters, more than %d", ErrMalformed, len(text), sigLength)
	}
	return nil
}

type header struct{ alg, typ, kid string }

func readHeader(raw []byte, typ string) (h header, err error) {
	var m map[string]jsontext.Value
	switch err := json.Unmarshal(raw, &m); {
	case errors.Is(err, jsontext.ErrDuplicateName):
		return h, fmt.Errorf("%w: its header says something twice", ErrReencoded)
	case errors.Is(err, io.ErrUnexpectedEOF), len(raw) == 0:
		return h, fmt.Errorf("%w: its header stops too early", ErrTruncated)
	case err != nil, m == nil:
		return h, fmt.Errorf("%w: its header is not a JSON object", ErrMalformed)
	}
	known := map[string]*string{"alg": &h.alg, "typ": &h.typ, "kid": &h.kid}
	names := slices.Sorted(maps.Keys(m))
	for _, name := range names {
		if into := known[name]; into != nil && (m[name].Kind() != '"' || json.Unmarshal(m[name], into) != nil) {
			return h, fmt.Errorf("%w: %s is not a text", ErrHeader, name)
		}
	}
	switch {
	case h.alg != string(jose.EdDSA):
		return h, fmt.Errorf("%w: alg is %q", ErrAlgorithm, h.alg)
	case m["crit"] != nil:
		return h, fmt.Errorf("%w: it demands what nobody here understands (crit)", ErrHeader)
	}
	for _, name := range names {
		if known[name] == nil {
			return h, fmt.Errorf("%w: it says %q", ErrHeader, name)
		}
	}
	switch {
	case h.kid == "":
		return h, fmt.Errorf("%w: it names no key (kid)", ErrHeader)
	case h.typ != typ:
		return h, fmt.Errorf("%w: typ is %q, want %q", ErrType, h.typ, typ)
	}
	return h, nil
}
