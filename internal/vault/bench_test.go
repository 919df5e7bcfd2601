package vault_test

import (
	"context"
	"path/filepath"
	"runtime"
	"strconv"
	"testing"

	"chancery/internal/vault"

	"github.com/google/uuid"
)

func BenchmarkSealForAKnownSubject(b *testing.B) {
	v, source := newVault(b)
	seal(b, v, source, acme, ann, "email", "x")
	b.ReportAllocs()
	for b.Loop() {
		if _, err := v.Sealer().Seal(context.Background(), acme, ann, "email", "ann.example@acme.test"); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkSealForANewSubject(b *testing.B) {
	v, _ := newVault(b)
	b.ReportAllocs()
	for b.Loop() {
		s := v.Sealer()
		s.Fresh(acme, ann)
		if _, err := s.Seal(context.Background(), acme, ann, "email", "ann.example@acme.test"); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkOpenWithACachedKey(b *testing.B) {
	v, source := newVault(b)
	sealed := seal(b, v, source, acme, ann, "email", "ann.example@acme.test")
	b.ReportAllocs()
	for b.Loop() {
		if _, err := v.Open(context.Background(), acme, "email", sealed); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkOpenWithAKeyToUnwrap(b *testing.B) {
	v, source := newVault(b)
	sealed := seal(b, v, source, acme, ann, "email", "ann.example@acme.test")
	b.ReportAllocs()
	for b.Loop() {
		v.Drop(acme, ann)
		if _, err := v.Open(context.Background(), acme, "email", sealed); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkOpenJSONOfAUser(b *testing.B) {
	v, source := newVault(b)
	sealed := seal(b, v, source, acme, ann, "email", "ann.example@acme.test")
	raw := []byte(`{"id":"` + ann.String() + `","tenant_id":"` + acme.String() + `","email":"` + sealed + `","status":"active"}`)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := v.OpenJSON(context.Background(), acme, raw); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkCachedKeyMemory reports bytes for one cached key, and the size of a wrapped one.
func BenchmarkCachedKeyMemory(b *testing.B) {
	const n = 20_000
	source := newTable()
	keys := loadKeys(b, filepath.Join(b.TempDir(), "keys"))
	v := vault.New(vault.Config{Keys: keys, Source: source})
	s := v.Sealer()
	for i := range n {
		subject := uuid.NewSHA1(acme, []byte(strconv.Itoa(i)))
		s.Fresh(acme, subject)
		if _, err := s.Seal(context.Background(), acme, subject, "email", "x"); err != nil {
			b.Fatal(err)
		}
	}
	wrapped := s.NewKeys()
	source.insert(wrapped)
	subjects := make([]uuid.UUID, n)
	for i, k := range wrapped {
		subjects[i] = k.Subject
	}
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	for b.Loop() {
		if err := v.Preload(context.Background(), acme, subjects); err != nil {
			b.Fatal(err)
		}
	}
	runtime.GC()
	runtime.ReadMemStats(&after)
	b.ReportMetric(float64(after.HeapAlloc-before.HeapAlloc)/n, "B/key")
	b.ReportMetric(float64(len(wrapped[0].Wrapped)), "B/wrapped")
	runtime.KeepAlive(s)
	runtime.KeepAlive(v)
}
