package domain_test

import (
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"chancery/domain"
)

// The algebra of patterns is judged against what they mean: sets of privileges over few words.
func TestPatternsCoverAndMeetAsTheSetsThatTheyName(t *testing.T) {
	var privileges []domain.Privilege
	patterns := []domain.Pattern{domain.Everything}
	words := []string{"a", "b", "ab"}
	var grow func(prefix string, depth int)
	grow = func(prefix string, depth int) {
		for _, w := range words {
			name := prefix + w
			if depth >= 2 {
				privileges = append(privileges, domain.Privilege(name))
				patterns = append(patterns, domain.Pattern(name))
			}
			if depth < 4 {
				grow(name+".", depth+1)
				if depth < 3 { // so that every pattern names some of the privileges
					patterns = append(patterns, domain.Pattern(name+".*"))
				}
			}
		}
	}
	grow("", 1)
	means := func(p domain.Pattern, name domain.Privilege) bool {
		stem, wild := strings.CutSuffix(string(p), "*")
		return !wild && string(name) == string(p) || wild && strings.HasPrefix(string(name), stem)
	}
	for _, p := range patterns {
		if err := p.Check(""); err != nil {
			t.Errorf("%s: %v", p, err)
		}
		for _, name := range privileges {
			if p.Matches(name) != means(p, name) {
				t.Fatalf("%s matches %s: %v", p, name, p.Matches(name))
			}
		}
	}
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	dice := rand.New(rand.NewPCG(seed, 0))
	for range 3000 {
		p, o := patterns[dice.IntN(len(patterns))], patterns[dice.IntN(len(patterns))]
		covers, meets := true, false
		for _, name := range privileges {
			covers = covers && (!means(o, name) || means(p, name))
			meets = meets || means(p, name) && means(o, name)
		}
		// Where o names one privilege only by accident of the few words, p may cover it in the sample alone.
		if p.Covers(o) != covers || p.Meets(o) != meets || p.Meets(o) != o.Meets(p) {
			t.Fatalf("seed %d: %s and %s: covers %v, want %v; meets %v, want %v", seed, p, o, p.Covers(o), covers, p.Meets(o), meets)
		}
	}
}

func TestAPatternIsAPrivilegeOrAllThatBeginAlike(t *testing.T) {
	for p, ok := range map[domain.Pattern]bool{
		"*": true, "a.*": true, "a.b.*": true, "a.b": true, "a.b.c.d.e.f": true, "a.b.c.d.e.f.*": true,
		"": false, "a": false, "a*": false, ".*": false, "*.*": false, "*.a": false, "a.*.b": false, "a.**": false, "A.*": false, "a.b*": false, "a.b.c.d.e.f.g": false, "a. *": false,
	} {
		if err := p.Check("/privilege"); (err == nil) != ok {
			t.Errorf("%q: %v, want allowed %v", p, err, ok)
		}
	}
	for p, wild := range map[domain.Pattern]bool{"*": true, "a.*": true, "a.b": false} {
		if p.Wild() != wild {
			t.Errorf("%q is wild: %v", p, !wild)
		}
	}
	if domain.Pattern("repo.*").Covers("repository.read") || domain.Pattern("a.b").Covers("a.b.c") || domain.Pattern("a.*").Covers("*") {
		t.Error("a pattern covers what does not begin alike")
	}
}

func FuzzPatternsThatAreAllowedFormALattice(f *testing.F) {
	f.Add("a.*", "a.b")
	f.Add("*", "a.b.*")
	f.Fuzz(func(t *testing.T, a, b string) {
		p, o := domain.Pattern(a), domain.Pattern(b)
		if p.Check("") != nil || o.Check("") != nil {
			return
		}
		if !p.Covers(p) || !domain.Everything.Covers(p) || p.Covers(o) && o.Covers(p) && p != o {
			t.Errorf("%q and %q", p, o)
		}
		if p.Covers(o) && !p.Meets(o) || p.Meets(o) != o.Meets(p) {
			t.Errorf("%q and %q: covers %v, meets %v and %v", p, o, p.Covers(o), p.Meets(o), o.Meets(p))
		}
	})
}
