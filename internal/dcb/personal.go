package dcb

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
)

// hidden is a value that prints as [sealed] and is stored only as ciphertext. Inside a decision it holds the plain text; as
// read from the log it holds the ciphertext, and the plain text beside it only if the reader asked to open it.
//
// The plain text is behind a pointer, so that printers which walk unexported fields (where fmt calls no methods) find only an
// address; == would compare the addresses, and does not compile.
type hidden struct {
	_      [0]func()
	plain  *string // nil for none
	sealed string
}

func hide(plain, sealed string) hidden { return hidden{plain: behind(plain), sealed: sealed} }

func behind(text string) *string {
	if text == "" {
		return nil
	}
	return &text
}

// Personal is a value about a person, sealed under that person's key. Readers of the tables and of the log may open it.
type Personal struct{ hidden }

// Sealed is a value that nobody reads but the rule that needs it: a password's hash, a seed, a secret. It is sealed under
// the key of its event's subject, and no query, history or export opens it.
type Sealed struct{ hidden }

// Plain makes a personal value from the plain text.
func Plain(s string) Personal { return Personal{hide(s, "")} }

// Hide makes a sealed value from the plain text.
func Hide(s string) Sealed { return Sealed{hide(s, "")} }

// FromCiphertext makes a personal value from its ciphertext.
func FromCiphertext(s string) Personal { return Personal{hide("", s)} }

// Reveal is the plain text; empty when the value is sealed or erased.
func (h hidden) Reveal() string {
	if h.plain == nil {
		return ""
	}
	return *h.plain
}

// Ciphertext is the sealed form; empty when the value was never sealed.
func (h hidden) Ciphertext() string { return h.sealed }

// IsZero reports whether there is no value at all.
func (h hidden) IsZero() bool { return h.plain == nil && h.sealed == "" }

// Opened is the same value with its plain text known.
func (p Personal) Opened(plain string) Personal { return Personal{hide(plain, p.sealed)} }

// Equal compares what is known of both.
func (p Personal) Equal(q Personal) bool { return p.Reveal() == q.Reveal() && p.sealed == q.sealed }

// Format prints [sealed] whatever the verb.
func (hidden) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, "[sealed]") }

func (hidden) String() string       { return "[sealed]" }
func (hidden) LogValue() slog.Value { return slog.StringValue("[sealed]") }

// UnmarshalText takes the ciphertext.
func (h *hidden) UnmarshalText(b []byte) error {
	*h = hide("", string(b))
	return nil
}

// MarshalText is the ciphertext; plain text that was not sealed is refused, so it cannot reach the log.
func (h hidden) MarshalText() ([]byte, error) {
	if h.sealed == "" && h.plain != nil {
		return nil, errNotSealed
	}
	return []byte(h.sealed), nil
}

// Claim is a personal value that must be unique, such as an e-mail address. It is stored as a keyed hash.
type Claim struct {
	_          [0]func() // as hidden
	kind, hash string
	plain      *string
}

// Claimed makes a claim of the plain value.
func Claimed(kind, plain string) Claim { return Claim{kind: kind, plain: behind(plain)} }

// Tag is the claim's tag, personal while the plain value is known and the hash is not.
func (c Claim) Tag() Tag {
	switch {
	case c.hash != "":
		return Tag(c.hash)
	case c.plain != nil:
		return Tag("~" + c.kind + ":" + *c.plain)
	}
	return ""
}

// IsZero reports whether nothing is claimed.
func (c Claim) IsZero() bool { return c.kind == "" && c.hash == "" && c.plain == nil }

// Hashed is the claim in its stored form: the tag with its value hashed.
func (c Claim) Hashed(t Tag) Claim { return Claim{hash: string(t)} }

// Format prints [claim] whatever the verb.
func (c Claim) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, "[claim]") }

func (c Claim) String() string       { return "[claim]" }
func (c Claim) LogValue() slog.Value { return slog.StringValue("[claim]") }

// MarshalText is the stored tag; a claim in the clear is refused.
func (c Claim) MarshalText() ([]byte, error) {
	if c.hash == "" && c.plain != nil {
		return nil, errNotSealed
	}
	return []byte(c.hash), nil
}

func (c *Claim) UnmarshalText(b []byte) error {
	*c = Claim{hash: string(b)}
	return nil
}

var errNotSealed = errors.New("dcb: a value to be sealed is on its way to the log in the clear")
