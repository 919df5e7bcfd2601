package commands_test

import (
	"crypto/ed25519"
	"encoding/base64"
	"strings"
	"testing"

	"github.com/go-json-experiment/json"

	"chancery/domain"
	"chancery/internal/dcb"
)

// Whatever is imported is refused, or becomes events that can be stored.
func FuzzAFileIsRefusedOrCanBeStored(f *testing.F) {
	blob := imported().File.Blob
	head, rest, _ := strings.Cut(blob, ".")
	payload, _, _ := strings.Cut(rest, ".")
	text, err := base64.RawURLEncoding.DecodeString(payload)
	if err != nil {
		f.Fatal(err)
	}
	h := abroad()
	f.Add(blob, string(text))
	f.Add("..", strings.Replace(string(text), `"exp":`, `"exp":1e300,"x":`, 1))
	f.Add("a.b.c", strings.Replace(string(text), `"starts_at":"2026`, `"starts_at":"9999`, 1))
	f.Fuzz(func(t *testing.T, blob, payload string) {
		signed := head + "." + base64.RawURLEncoding.EncodeToString([]byte(payload))
		signed += "." + base64.RawURLEncoding.EncodeToString(ed25519.Sign(seedOf(initech, 9), []byte(signed)))
		for _, b := range []string{blob, signed} {
			o := h.When(doImport(b))
			if _, refused := domain.IsRefusal(o.Err()); o.Err() != nil && !refused {
				t.Fatalf("%q: %v", b, o.Err())
			} else if refused {
				continue
			}
			for _, e := range o.Events(t) {
				e, _ = dcb.Place(e, acme.UUID)
				if _, err := json.Marshal(e); err != nil {
					t.Fatalf("%q: %v", b, err)
				}
			}
		}
	})
}
