package dcb

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
)

// Personal is a value about a person. It prints as [sealed]; it is stored only as ciphertext. Inside a decision
// it holds the plain text; as read from the log it holds the ciphertext, unless the reader asked to open it.
type Personal struct{ plain, sealed string }

// Plain makes a personal value from the plain text.
func Plain(s string) Personal { return Personal{plain: s} }

// Sealed makes a personal value from its ciphertext.
func Sealed(s string) Personal { return Personal{sealed: s} }

// Reveal is the plain text; empty when the value is sealed or erased.
func (p Personal) Reveal() string { return p.plain }

// Ciphertext is the sealed form; empty when the value was never sealed.
func (p Personal) Ciphertext() string { return p.sealed }

// IsZero reports whether there is no value at all.
func (p Personal) IsZero() bool { return p.plain == "" && p.sealed == "" }

// Opened is the same value with its plain text known.
func (p Personal) Opened(plain string) Personal { return Personal{plain: plain, sealed: p.sealed} }

// Format prints [sealed] whatever the verb.
func (p Personal) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, "[sealed]") }

func (p Personal) String() string       { return "[sealed]" }
func (p Personal) LogValue() slog.Value { return slog.StringValue("[sealed]") }
func (p *Personal) UnmarshalText(b []byte) error {
	*p = Personal{sealed: string(b)}
	return nil
}

// MarshalText is the ciphertext; plain text that was not sealed is refused, so it cannot reach the log.
func (p Personal) MarshalText() ([]byte, error) {
	if p.sealed == "" && p.plain != "" {
		return nil, errNotSealed
	}
	return []byte(p.sealed), nil
}

// Claim is a personal value that must be unique, such as an e-mail address. It is stored as a keyed hash.
type Claim struct{ kind, plain, hash string }

// Claimed makes a claim of the plain value.
func Claimed(kind, plain string) Claim { return Claim{kind: kind, plain: plain} }

// Tag is the claim's tag, personal while the plain value is known and the hash is not.
func (c Claim) Tag() Tag {
	switch {
	case c.hash != "":
		return Tag(c.hash)
	case c.plain != "":
		return Tag("~" + c.kind + ":" + c.plain)
	}
	return ""
}

// IsZero reports whether nothing is claimed.
func (c Claim) IsZero() bool { return c == Claim{} }

// Hashed is the claim in its stored form: the tag with its value hashed.
func (c Claim) Hashed(t Tag) Claim { return Claim{hash: string(t)} }

// Format prints [claim] whatever the verb.
func (c Claim) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, "[claim]") }

func (c Claim) String() string       { return "[claim]" }
func (c Claim) LogValue() slog.Value { return slog.StringValue("[claim]") }

// MarshalText is the stored tag; a claim in the clear is refused.
func (c Claim) MarshalText() ([]byte, error) {
	if c.hash == "" && c.plain != "" {
		return nil, errNotSealed
	}
	return []byte(c.hash), nil
}

func (c *Claim) UnmarshalText(b []byte) error {
	*c = Claim{hash: string(b)}
	return nil
}

var errNotSealed = errors.New("dcb: personal data on its way to the log in the clear")
