package vault

import (
	"crypto/subtle"
	"fmt"
	"io"
	"log/slog"
)

// mask is what every printed secret looks like.
const mask = "[sealed]"

// redacted, embedded, prints the mask under every fmt verb, in slog and in JSON.
type redacted struct{}

func (redacted) Format(f fmt.State, _ rune)   { _, _ = io.WriteString(f, mask) }
func (redacted) LogValue() slog.Value         { return slog.StringValue(mask) }
func (redacted) MarshalText() ([]byte, error) { return []byte(mask), nil }

// Secret holds a text that must not be printed. It can be read from JSON, and is never written to it.
//
// The text hides behind a func, so that printers which walk unexported fields (where fmt calls no methods) find only an
// address, and so that == does not compile.
type Secret struct {
	redacted
	reveal func() string
}

// NewSecret holds text.
func NewSecret(text string) Secret { return Secret{reveal: func() string { return text }} }

// Reveal returns the text: the one way to it, and what a reviewer searches for.
func (s Secret) Reveal() string {
	if s.reveal == nil {
		return ""
	}
	return s.reveal()
}

// IsZero says that there is no text.
func (s Secret) IsZero() bool { return s.Reveal() == "" }

// Equal compares in a time that depends on the lengths alone.
func (s Secret) Equal(other Secret) bool {
	return subtle.ConstantTimeCompare([]byte(s.Reveal()), []byte(other.Reveal())) == 1
}

// UnmarshalText takes the text over from a decoder.
func (s *Secret) UnmarshalText(text []byte) error {
	*s = NewSecret(string(text))
	return nil
}
