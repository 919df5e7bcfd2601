// Package masks hides in documents of the log what nobody may see there: sealed texts, and the hashes of tokens. It opens nothing.
package masks

import (
	"bytes"
	"regexp"
	"slices"
	"strings"

	"github.com/google/uuid"

	"chancery/internal/vault"
)

// Text stands in the place of a sealed text that is not shown.
const Text = "[sealed]"

// The log writes sealed texts and hashes without escapes; a quotation mark inside another text is escaped.
var (
	sealedText = regexp.MustCompile(`"sealed:[12]:[^"\\]*"`)
	secretHash = regexp.MustCompile(`"hash":\s*"[^"\\]*"`)
)

// hashing are the kinds of events that hold the hash of a token.
var hashing = []string{"token.", "session.", "link.", "impersonation."}

// Payload hides what there is to hide in an event of Chancery's own. Those of apps are not its business: what they sent is shown to the
// byte.
func Payload(typ string, payload []byte) []byte { return Hashes(typ, Sealed(payload)) }

// Sealed hides the sealed texts of a document.
func Sealed(doc []byte) []byte { return sealedText.ReplaceAllLiteral(doc, []byte(`"`+Text+`"`)) }

// Without leaves out the sealed texts of a document.
func Without(doc []byte) []byte { return sealedText.ReplaceAllLiteral(doc, []byte("null")) }

// Others hides the sealed texts of all but one subject.
func Others(doc []byte, subject uuid.UUID) []byte {
	own := []byte(`"` + vault.Mark + "1:" + subject.String() + ":")
	return sealedText.ReplaceAllFunc(doc, func(text []byte) []byte {
		if bytes.HasPrefix(text, own) {
			return text
		}
		return []byte(`"` + Text + `"`)
	})
}

// Hashes hides the hash of a token, if events of the type hold one.
func Hashes(typ string, doc []byte) []byte {
	if !slices.ContainsFunc(hashing, func(kind string) bool { return strings.HasPrefix(typ, kind) }) {
		return doc
	}
	return secretHash.ReplaceAllLiteral(doc, []byte(`"hash":"[hash]"`))
}
