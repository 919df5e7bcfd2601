// Package apitoken writes and reads the text of a token; it never stores one and never decides whether one is valid.
//
// The text is chn_<kind>_<id>_<secret><checksum>: the kind (3 characters) says what the token is for, the id (22) finds the
// stored hash, the secret (43) proves possession, the checksum (6) lets secret scanners and callers tell a mistyped token from a
// revoked one. Every part but the kind is base62 of fixed width, so that a double click selects the whole token.
package apitoken

import (
	"crypto/sha256"
	"errors"
	"hash/crc32"
	"strings"

	"github.com/google/uuid"
)

// Kind is what a token is for. Tokens of one kind are never taken for another: the hash covers the kind too.
type Kind string

// The kinds.
const (
	API     Kind = "pat" // held by programs
	Session Kind = "ses" // held by somebody who has signed in
	Link    Kind = "lnk" // in a mail; works once

	Impersonation Kind = "imp" // held by somebody who acts as somebody else
)

// KindFor is the kind of token that is minted for a purpose, as commands word purposes.
func KindFor(purpose string) Kind {
	switch purpose {
	case "session":
		return Session
	case "link":
		return Link
	case "impersonation":
		return Impersonation
	}
	return API
}

const (
	before      = "chn_"
	prefixWidth = len(before) + 3 + 1
	idWidth     = 22
	secretWidth = 43
	sumWidth    = 6

	secretAt = prefixWidth + idWidth + 1
	sumAt    = secretAt + secretWidth

	// Length is the number of characters of every token.
	Length = sumAt + sumWidth
)

// ErrMalformed says that a text is no token at all: it was never issued. It names no reason, and never the text.
var ErrMalformed = errors.New("malformed token")

// Token is what a presented token says: whom it claims to be, and the hash that the stored one must equal.
type Token struct {
	Kind Kind
	ID   uuid.UUID
	Hash [sha256.Size]byte
}

// New writes the token. The result is the only copy: the caller stores the Hash that Parse makes of it.
func New(k Kind, id uuid.UUID, secret [32]byte) string {
	b := make([]byte, 0, Length)
	b = append(append(append(b, before...), k...), '_')
	b = appendBase62(b, id[:], idWidth)
	b = append(b, '_')
	b = appendBase62(b, secret[:], secretWidth)
	return string(appendChecksum(b, b))
}

// Parse reads a presented token. The hash covers every character, so two texts with one hash are the same token.
func Parse(text string) (Token, error) {
	if len(text) != Length || !strings.HasPrefix(text, before) || text[prefixWidth-1] != '_' || text[secretAt-1] != '_' {
		return Token{}, ErrMalformed
	}
	t := Token{Kind: Kind(text[len(before) : prefixWidth-1])}
	switch t.Kind {
	case API, Session, Link, Impersonation:
	default:
		return Token{}, ErrMalformed
	}
	if !decodeBase62(t.ID[:], text[prefixWidth:prefixWidth+idWidth]) || !isBase62(text[secretAt:sumAt]) {
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
