package masks_test

import (
	"bytes"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/go-json-experiment/json/jsontext"

	"chancery/domain"
	"chancery/internal/dcb"
	"chancery/internal/masks"
)

// hidden is what must leave in no event: a sealed text, a keyed hash, the hash of a token (SHA-256 in base64). The samples of every type
// of event have all their fields, so a new type cannot be forgotten.
var hidden = regexp.MustCompile(`sealed:|:[0-9a-f]{64}|"[A-Za-z0-9+/]{43}="`)

const samples = "../../domain/testdata/events"

func TestNoEventShowsAHashOrASealedText(t *testing.T) {
	mask, found := masks.Of(domain.Catalog.Hashes()), 0
	for _, typ := range domain.Catalog.Types() {
		files, err := filepath.Glob(filepath.Join(samples, typ+"@*.json"))
		if err != nil {
			t.Fatal(err)
		}
		for _, file := range append(files, filepath.Join(samples, typ+".json")) {
			stored, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			found += len(hidden.FindAll(stored, -1))
			shown := mask.Payload(typ, stored)
			if left := hidden.Find(shown); left != nil || !jsontext.Value(shown).IsValid() {
				t.Errorf("%s shows %q: %s", filepath.Base(file), left, shown)
			}
			if !hidden.Match(stored) && !bytes.Equal(shown, stored) {
				t.Errorf("%s hides what there is no need to: %s", filepath.Base(file), shown)
			}
			event, err := domain.Catalog.Decode(typ, stored)
			if err != nil {
				t.Fatal(err)
			}
			if left := hidden.FindString(strings.Join(masks.Tags(tagsOf(event)), " ")); left != "" {
				t.Errorf("the tags of %s show %q", typ, left)
			}
		}
	}
	if found < 30 {
		t.Errorf("only %d texts to be hidden in all samples", found)
	}
}

func tagsOf(e dcb.Event) (tags []string) {
	for _, tag := range dcb.TagsOf(e) {
		tags = append(tags, string(tag))
	}
	return tags
}

func BenchmarkPayload(b *testing.B) {
	mask := masks.Of(domain.Catalog.Hashes())
	for _, typ := range []string{"user.registered", "user.email-changed", "session.started", "role.assigned"} {
		stored, err := os.ReadFile(filepath.Join(samples, typ+".json"))
		if err != nil {
			b.Fatal(err)
		}
		b.Run(typ, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				mask.Payload(typ, stored)
			}
		})
	}
}
