// Package apitoken writes and reads the text of an API token; it never stores one and never decides whether one is valid.
//
// The text is chn_pat_<id>_<secret><checksum>: the id (22 characters) finds the stored hash, the secret (43) proves
// possession, the checksum (6) lets secret scanners and callers tell a mistyped token from a revoked one. Every part is
// base62 of fixed width, so that a double click selects the whole token.
package apitoken

import (
	"crypto/sha256"
	"errors"
	"hash/crc32"
	"strings"

	"github.com/google/uuid"
)

const (
	prefix      = "chn_pat_"
	idWidth     = 22
	secretWidth = 43
	sumWidth    = 6

	secretAt = len(prefix) + idWidth + 1
	sumAt    = secretAt + secretWidth

	// Length is the number of characters of every token.
	Length = sumAt + sumWidth
)

// ErrMalformed says that a text is no token at all: it was never issued. It names no reason, and never the text.
var ErrMalformed = errors.New("malformed token")

// Token is what a presented token says: whom it claims to be, and the hash that the stored one must equal.
type Token struct {
	ID   uuid.UUID
	Hash [sha256.Size]byte
}

// New writes the token. The result is the only copy: the caller stores the Hash that Parse makes of it.
func New(id uuid.UUID, secret [32]byte) string {
	b := make([]byte, 0, Length)
	b = append(b, prefix...)
	b = appendBase62(b, id[:], idWidth)
	b = append(b, '_')
	b = appendBase62(b, secret[:], secretWidth)
	return string(appendChecksum(b, b))
}

// Parse reads a presented token. The hash covers every character, so two texts with one hash are the same token.
func Parse(text string) (Token, error) {
	if len(text) != Length || !strings.HasPrefix(text, prefix) || text[secretAt-1] != '_' {
		return Token{}, ErrMalformed
	}
	var t Token
	if !decodeBase62(t.ID[:], text[len(prefix):len(prefix)+idWidth]) || !isBase62(text[secretAt:sumAt]) {
		return Token{}, ErrMalformed
	}
	whole := []byte(text)
	if string(appendChecksum(nil, whole[:sumAt])) != text[sumAt:] {
		return Token{}, ErrMalformed
	}
	t.Hash = sha256.Sum256(whole)
	return t, nil
}

func appendChecksum(dst, covered []byte) []byte {
	sum := crc32.ChecksumIEEE(covered)
	return appendBase62(dst, []byte{byte(sum >> 24), byte(sum >> 16), byte(sum >> 8), byte(sum)}, sumWidth)
}
