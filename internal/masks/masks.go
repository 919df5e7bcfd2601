// Package masks says what nobody sees of the log's events, whoever reads or receives them: sealed texts, keyed hashes of personal
// values, and hashes of tokens. It opens nothing.
package masks

import (
	"bytes"
	"slices"
	"strings"

	"github.com/google/uuid"

	"chancery/internal/vault"
)

// What stands in the place of what is not shown.
const (
	Text = "[sealed]"
	Hash = "[hash]"

	text, hash = `"` + Text + `"`, `"` + Hash + `"`
)

// Mask hides what there is to hide in events of Chancery's own. Those of apps are not its business: what they sent is shown to the byte.
type Mask struct {
	members map[string][]string // of each type those that hold a hash, in quotation marks
	all     []string            // of any type
}

// Of makes a mask. Hashes are, of every type of event, the members that hold a hash. Of a type that is not among them, which a newer
// release has recorded, every member is hidden that holds one in some other type.
func Of(hashes map[string][]string) Mask {
	m := Mask{members: make(map[string][]string, len(hashes))}
	for typ, names := range hashes {
		of := make([]string, len(names))
		for i, name := range names {
			of[i] = `"` + name + `"`
		}
		m.members[typ] = of
		m.all = append(m.all, of...)
	}
	slices.Sort(m.all)
	m.all = slices.Compact(m.all)
	return m
}

// Payload hides sealed texts and hashes.
func (m Mask) Payload(typ string, payload []byte) []byte {
	members := m.of(typ)
	return replaced(payload, func(name, value []byte) string {
		switch {
		case slices.Contains(members, string(name)):
			return hash
		case isSealed(value):
			return text
		}
		return keep
	})
}

// Hashes hides hashes alone. A keyed one would tell who has the same address as somebody else, or had it before they were erased.
func (m Mask) Hashes(typ string, doc []byte) []byte {
	members := m.of(typ)
	if len(members) == 0 {
		return doc
	}
	return replaced(doc, func(name, _ []byte) string {
		if slices.Contains(members, string(name)) {
			return hash
		}
		return keep
	})
}

func (m Mask) of(typ string) []string {
	if members, known := m.members[typ]; known {
		return members
	}
	return m.all
}

// Tags leaves out those that are keyed hashes. It writes over the list.
func Tags(tags []string) []string { return slices.DeleteFunc(tags, isHash) }

// isHash tells 64 digits after a kind. No id is as long, and to leave out a name of that form is no loss.
func isHash(tag string) bool {
	_, value, _ := strings.Cut(tag, ":")
	return len(value) == 64 && strings.Trim(value, "0123456789abcdef") == ""
}

// Sealed hides the sealed texts of a document.
func Sealed(doc []byte) []byte { return eachSealed(doc, func([]byte) string { return text }) }

// Without leaves out the sealed texts of a document.
func Without(doc []byte) []byte { return eachSealed(doc, func([]byte) string { return "null" }) }

// Others hides the sealed texts of all but one subject.
func Others(doc []byte, subject uuid.UUID) []byte {
	own := []byte(`"` + vault.Mark + "1:" + subject.String() + ":")
	return eachSealed(doc, func(value []byte) string {
		if bytes.HasPrefix(value, own) {
			return keep
		}
		return text
	})
}

func eachSealed(doc []byte, instead func(value []byte) string) []byte {
	return replaced(doc, func(_, value []byte) string {
		if isSealed(value) {
			return instead(value)
		}
		return keep
	})
}

// isSealed tells a text that the vault has made; no input begins like one.
func isSealed(value []byte) bool {
	class, found := bytes.CutPrefix(value, []byte(`"`+vault.Mark))
	return found && (bytes.HasPrefix(class, []byte("1:")) || bytes.HasPrefix(class, []byte("2:")))
}

// keep is said of a text that stays as it is.
const keep = ""

// replaced has what instead says in the place of the texts of a JSON document, which it shows with the name of the member that they are
// or are in, both in quotation marks. A name stands right before its colon, as the log's writer has it.
func replaced(doc []byte, instead func(name, value []byte) string) []byte {
	var out, name []byte
	written := 0
	for at := 0; ; {
		begin := bytes.IndexByte(doc[at:], '"')
		if begin < 0 {
			break
		}
		begin += at
		if at = textEnd(doc, begin); at < 0 {
			break
		}
		if at < len(doc) && doc[at] == ':' {
			name = doc[begin:at]
			continue
		}
		if with := instead(name, doc[begin:at]); with != keep {
			if out == nil {
				out = make([]byte, 0, len(doc))
			}
			out = append(append(out, doc[written:begin]...), with...)
			written = at
		}
	}
	if out == nil {
		return doc
	}
	return append(out, doc[written:]...)
}

// textEnd is behind the text that begins there, negative if it is cut off.
func textEnd(doc []byte, begin int) int {
	for i := begin + 1; i < len(doc); i++ {
		switch doc[i] {
		case '\\':
			i++
		case '"':
			return i + 1
		}
	}
	return -1
}
