package apitoken_test

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"math/rand/v2"
	"regexp"
	"strings"
	"testing"
	"time"

	"chancery/internal/apitoken"

	"github.com/google/uuid"
)

var kinds = []apitoken.Kind{apitoken.API, apitoken.Session, apitoken.Link, apitoken.Impersonation}

func randomToken(r *rand.Rand) (uuid.UUID, string) {
	var id uuid.UUID
	var secret [32]byte
	for i := range id {
		id[i] = byte(r.Uint32())
	}
	for i := range secret {
		secret[i] = byte(r.Uint32())
	}
	return id, apitoken.New(kinds[r.IntN(len(kinds))], id, secret)
}

func seeded(t testing.TB) *rand.Rand {
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	return rand.New(rand.NewPCG(seed, 0))
}

func TestATokenIsReadBackAsItWasWritten(t *testing.T) {
	shape := regexp.MustCompile(`^chn_(pat|ses|lnk|imp)_[0-9A-Za-z]{22}_[0-9A-Za-z]{49}$`)
	r := seeded(t)
	for range 1000 {
		id, text := randomToken(r)
		if !shape.MatchString(text) || len(text) != apitoken.Length {
			t.Fatalf("token of %s has the wrong shape", id)
		}
		got, err := apitoken.Parse(text)
		if err != nil || got.ID != id || string(got.Kind) != text[4:7] || got.Hash != sha256.Sum256([]byte(text)) {
			t.Fatalf("Parse(New(%s)) = %s, %v", id, got.ID, err)
		}
	}
}

func TestTheSmallestAndTheLargestTokensFit(t *testing.T) {
	for _, fill := range []byte{0x00, 0xff} {
		id := uuid.UUID(bytes.Repeat([]byte{fill}, 16))
		text := apitoken.New(apitoken.Link, id, [32]byte(bytes.Repeat([]byte{fill}, 32)))
		got, err := apitoken.Parse(text)
		if err != nil || got.ID != id {
			t.Errorf("filled with %#x: %s, %v", fill, got.ID, err)
		}
	}
}

func TestTheWrittenFormNeverChanges(t *testing.T) {
	id := uuid.MustParse("018f3b0e-7c1a-7abc-8def-0123456789ab")
	const want = "chn_pat_02wRphokbyUyRsb7Sll3gx_1euiMaxgApWvQgEKZE2aKVpZSQq1h9M7b5OxynMPu933c2fj7"
	if got := apitoken.New(apitoken.API, id, [32]byte{0: 7, 31: 9}); got != want {
		t.Errorf("got %s, stored tokens look like %s", got, want)
	}
}

func TestEverySingleCharacterChangeIsMalformed(t *testing.T) {
	_, text := randomToken(seeded(t))
	for i := range text {
		for c := range 256 {
			if byte(c) == text[i] {
				continue
			}
			changed := text[:i] + string([]byte{byte(c)}) + text[i+1:]
			if _, err := apitoken.Parse(changed); !errors.Is(err, apitoken.ErrMalformed) {
				t.Fatalf("character %d changed to %#x: %v", i, c, err)
			}
		}
	}
}

func TestATruncatedOrLengthenedTokenIsMalformed(t *testing.T) {
	_, text := randomToken(seeded(t))
	for i := range text {
		if _, err := apitoken.Parse(text[:i]); !errors.Is(err, apitoken.ErrMalformed) {
			t.Fatalf("the first %d characters: %v", i, err)
		}
	}
	for _, other := range []string{text + "0", " " + text, text + "\n", strings.ToLower(text), "Bearer " + text} {
		if _, err := apitoken.Parse(other); !errors.Is(err, apitoken.ErrMalformed) {
			t.Errorf("%q: %v", other, err)
		}
	}
}

func TestAnIDThatDoesNotFitIsMalformedDespiteAGoodChecksum(t *testing.T) {
	// 62^22-1 is more than 2^128; the checksum was made by an independent program.
	const text = "chn_pat_zzzzzzzzzzzzzzzzzzzzzz_00000000000000000000000000000000000000000000dTr5X"
	if _, err := apitoken.Parse(text); !errors.Is(err, apitoken.ErrMalformed) {
		t.Errorf("an id of more than 128 bits: %v", err)
	}
}

func TestATokenOfNoKindIsMalformed(t *testing.T) {
	id := uuid.New()
	for _, kind := range []apitoken.Kind{"", "xyz", "pa", "PAT", "pats"} {
		if _, err := apitoken.Parse(apitoken.New(kind, id, [32]byte{})); !errors.Is(err, apitoken.ErrMalformed) {
			t.Errorf("kind %q: %v", kind, err)
		}
	}
}

// FuzzParse: whatever parses is, character for character, a token that this package could have written.
func FuzzParse(f *testing.F) {
	r := rand.New(rand.NewPCG(1, 2))
	for range 5 {
		_, text := randomToken(r)
		f.Add(text)
	}
	f.Add("")
	f.Add("chn_pat_" + strings.Repeat("z", 72))
	f.Add("chn_pat_" + strings.Repeat("z", 22) + "_" + strings.Repeat("z", 49))
	f.Fuzz(func(t *testing.T, text string) {
		got, err := apitoken.Parse(text)
		if err != nil {
			if !errors.Is(err, apitoken.ErrMalformed) || got != (apitoken.Token{}) {
				t.Fatalf("%v, %v", got, err)
			}
			return
		}
		if again := apitoken.New(got.Kind, got.ID, [32]byte{}); again[:30] != text[:30] {
			t.Fatalf("the id of %q is spelled in two ways", text)
		}
	})
}

func BenchmarkNew(b *testing.B) {
	id := uuid.New()
	for b.Loop() {
		apitoken.New(apitoken.API, id, [32]byte{1, 2, 3})
	}
}

func BenchmarkParse(b *testing.B) {
	text := apitoken.New(apitoken.Session, uuid.New(), [32]byte{1, 2, 3})
	b.ReportAllocs()
	for b.Loop() {
		if _, err := apitoken.Parse(text); err != nil {
			b.Fatal(err)
		}
	}
}
