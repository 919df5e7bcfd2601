package vault

import (
	"encoding/base64"
	"strings"

	"github.com/google/uuid"
)

// A sealed text is sealed:1:<subject>:<base64url of the ciphertext>; 1 is the version of the form.
const (
	sealedPrefix = Mark + "1:"
	subjectWidth = 36
	cipherAt     = len(sealedPrefix) + subjectWidth + 1
)

var cipherText = base64.RawURLEncoding.Strict()

func formatSealed(subject uuid.UUID, ciphertext []byte) string {
	b := make([]byte, 0, cipherAt+cipherText.EncodedLen(len(ciphertext)))
	b = append(b, sealedPrefix...)
	b = append(b, subject.String()...)
	b = append(b, ':')
	return string(cipherText.AppendEncode(b, ciphertext))
}

func parseSealed(text string) (uuid.UUID, []byte, bool) {
	subject, ok := Subject(text)
	if !ok {
		return uuid.Nil, nil, false
	}
	ciphertext, err := cipherText.DecodeString(text[cipherAt:])
	return subject, ciphertext, err == nil
}

// Subject returns whose key a sealed text needs, or false if the text has not the form of one.
func Subject(text string) (uuid.UUID, bool) {
	if len(text) <= cipherAt || !strings.HasPrefix(text, sealedPrefix) || text[cipherAt-1] != ':' {
		return uuid.Nil, false
	}
	written := text[len(sealedPrefix) : cipherAt-1]
	subject, err := uuid.Parse(written)
	if err != nil || subject.String() != written {
		return uuid.Nil, false
	}
	return subject, true
}

// Mark is how every sealed text begins, and how no input may: a caller who pastes a sealed text that he found into an ordinary
// field must not have it opened for him on the way out.
const Mark = "sealed:"
