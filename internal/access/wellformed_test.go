package access

import (
	"math/rand/v2"
	"testing"
	"time"

	"chancery/domain"
)

func TestAPrivilegeIsWellFormedExactlyIfTheDomainSaysSo(t *testing.T) {
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	r := rand.New(rand.NewPCG(seed, 0))
	const letters = "aZ09-_.. *ä"
	good := 0
	for range 200_000 {
		b := make([]byte, r.IntN(12))
		for i := range b {
			b[i] = letters[r.IntN(len(letters))]
		}
		check(t, domain.Privilege(b), &good)
	}
	for words := range 8 {
		p := domain.Privilege("w")
		for range words {
			p += ".w"
		}
		check(t, p, &good)
	}
	for _, n := range []int{62, 63, 64, 65} {
		word := make([]byte, n)
		for i := range word {
			word[i] = 'x'
		}
		check(t, domain.Privilege("a."+string(word)), &good)
		check(t, domain.Privilege(string(word)+".a"), &good)
		check(t, domain.Privilege("a."+string(word[1:])+"-"), &good)
	}
	if good < 100 {
		t.Errorf("only %d were well formed", good)
	}
}

func check(t *testing.T, p domain.Privilege, good *int) {
	t.Helper()
	want := p.Check("") == nil
	if want {
		*good++
	}
	if wellFormed(p) != want {
		t.Fatalf("%q: %v, the domain says %v", p, !want, want)
	}
}
