package vault

import (
	"encoding/base64"
	"strings"

	"github.com/google/uuid"
)

// A sealed text is sealed:1:<subject>:<base64url of the ciphertext> for personal data, and sealed:2:… for what no reader may
// open. The digit is also in the associated data, so that the one does not pass for the other.
const (
	personalPrefix = Mark + "1:"
	secretPrefix   = Mark + "2:"
	subjectWidth   = 36
	cipherAt       = len(personalPrefix) + subjectWidth + 1
)

// Class says who may open a sealed text.
type Class bool

// The classes.
const (
	PersonalData Class = false // opened for readers of tables and histories
	SecretData   Class = true  // opened for the rule that needs it, and for nobody else
)

func (c Class) prefix() string {
	if c == SecretData {
		return secretPrefix
	}
	return personalPrefix
}

var cipherText = base64.RawURLEncoding.Strict()

func formatSealed(c Class, subject uuid.UUID, ciphertext []byte) string {
	b := make([]byte, 0, cipherAt+cipherText.EncodedLen(len(ciphertext)))
	b = append(b, c.prefix()...)
	b = append(b, subject.String()...)
	b = append(b, ':')
	return string(cipherText.AppendEncode(b, ciphertext))
}

func parseSealed(c Class, text string) (uuid.UUID, []byte, bool) {
	subject, ok := subjectOf(c, text)
	if !ok {
		return uuid.Nil, nil, false
	}
	ciphertext, err := cipherText.DecodeString(text[cipherAt:])
	return subject, ciphertext, err == nil
}

// Subject returns whose key a sealed text of personal data needs, or false if the text has not the form of one.
func Subject(text string) (uuid.UUID, bool) { return subjectOf(PersonalData, text) }

func subjectOf(c Class, text string) (uuid.UUID, bool) {
	if len(text) <= cipherAt || !strings.HasPrefix(text, c.prefix()) || text[cipherAt-1] != ':' {
		return uuid.Nil, false
	}
	written := text[len(personalPrefix) : cipherAt-1]
	subject, err := uuid.Parse(written)
	if err != nil || subject.String() != written {
		return uuid.Nil, false
	}
	return subject, true
}

// Mark is how every sealed text begins, and how no input may: a caller who pastes a sealed text that he found into an ordinary
// field must not have it opened for him on the way out.
const Mark = "sealed:"
