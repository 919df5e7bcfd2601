package domain_test

import (
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"testing"

	"chancery/domain"
)

// inOrder are versions by precedence: the example of Semantic Versioning 2.0.0, section 11, and what lies around it.
var inOrder = []domain.Semver{
	"0.0.0-0", "0.0.0", "0.0.9", "0.0.10", "0.10.0", "1.0.0-0", "1.0.0-2", "1.0.0-10", "1.0.0-999999999999999999", "1.0.0--", "1.0.0-A", "1.0.0-a", "1.0.0-a.0", "1.0.0-a.0.0",
	"1.0.0-a-", "1.0.0-a0", "1.0.0-alpha", "1.0.0-alpha.1", "1.0.0-alpha.beta", "1.0.0-beta", "1.0.0-beta.2", "1.0.0-beta.11", "1.0.0-rc.1", "1.0.0",
	"1.0.1-a", "1.0.1", "2.0.0", "10.0.0", "18446744073709551615.0.0",
}

func TestVersionsHaveTheOrderOfSemanticVersioning(t *testing.T) {
	for i, a := range inOrder {
		if err := a.Check("/v"); err != nil {
			t.Fatalf("%s: %v", a, err)
		}
		for j, b := range inOrder {
			if got, want := a.Compare(b), sign(i-j); got != want {
				t.Errorf("%s compares to %s as %d, want %d", a, b, got, want)
			}
			if got, want := strings.Compare(a.Precedence(), b.Precedence()), sign(i-j); got != want {
				t.Errorf("the text of %s compares to that of %s as %d, want %d", a, b, got, want)
			}
		}
	}
}

func sign(n int) int { return max(-1, min(1, n)) }

func TestThePrecedenceOfAnyTwoVersionsIsThatOfTheirTexts(t *testing.T) {
	seed := rand.Uint64()
	r := rand.New(rand.NewPCG(seed, 0))
	number := func() string { return strconv.Itoa(r.IntN(1 << r.IntN(12))) }
	version := func() domain.Semver {
		v := number() + "." + number() + "." + number()
		var ids []string
		for range r.IntN(4) {
			id := number()
			if r.IntN(2) == 0 {
				id = string("abzABZ-"[r.IntN(7)]) + strings.Repeat(string("-0a"[r.IntN(3)]), r.IntN(3))
			}
			ids = append(ids, id)
		}
		if len(ids) > 0 {
			v += "-" + strings.Join(ids, ".")
		}
		return domain.Semver(v)
	}
	for range 20_000 {
		a, b := version(), version()
		if a.Check("") != nil || b.Check("") != nil {
			t.Fatalf("seed %d: %s or %s is no version", seed, a, b)
		}
		if got, want := strings.Compare(a.Precedence(), b.Precedence()), a.Compare(b); got != want {
			t.Fatalf("seed %d: the texts of %s and %s compare as %d, the versions as %d", seed, a, b, got, want)
		}
	}
}

func TestAVersionIsOfSemanticVersioningWithoutBuild(t *testing.T) {
	for _, bad := range []domain.Semver{
		"", "1", "1.0", "v1.0.0", "01.0.0", "1.0.0+a", "1.0.0-", "1.0.0-a..b", "1.0.0-01", "1.0.0-é", " 1.0.0", "1.0.0 ", "1.0.0.0", "-1.0.0",
		"18446744073709551616.0.0", "1.0.0-1000000000000000000", domain.Semver("1.0.0-" + strings.Repeat("a", 60)),
	} {
		if bad.Check("/v") == nil {
			t.Errorf("%q is taken for a version", bad)
		}
	}
}

func TestTheLatestVersionIsTheHighestThatIsNotWithdrawn(t *testing.T) {
	app := domain.RegisteredApp{}
	for _, v := range inOrder {
		app.Versions = append(app.Versions, domain.PublishedVersion{Number: v})
	}
	for _, gone := range []domain.Semver{"18446744073709551615.0.0", "10.0.0", "1.0.1-a"} {
		i := slices.IndexFunc(app.Versions, func(v domain.PublishedVersion) bool { return v.Number == gone })
		app.Versions[i].Yanked = true
	}
	slices.Reverse(app.Versions) // the order in which they came does not count
	stable, _ := app.Latest(false)
	preview, _ := app.Latest(true)
	before, _ := app.Before("1.0.1")
	if stable.Number != "2.0.0" || preview.Number != "1.0.0-rc.1" || before.Number != "1.0.0" {
		t.Errorf("latest %s, of prereleases %s, before 1.0.1 %s", stable.Number, preview.Number, before.Number)
	}
	if _, ok := app.Before("0.0.0-0"); ok {
		t.Error("there is a version before the first")
	}
}

func TestARouteLiesWithinItsPrefixes(t *testing.T) {
	key := func(host, path string) domain.Key { return domain.Route{Host: host, Path: path}.Key() }
	for _, c := range []struct {
		r    domain.Route
		want []domain.Key
	}{
		{domain.Route{Path: "/"}, []domain.Key{key("", "/")}},
		{domain.Route{Path: "/a/b"}, []domain.Key{key("", "/a/b"), key("", "/a")}},
		{domain.Route{Host: "h", Path: "/"}, []domain.Key{key("h", "/")}},
		{domain.Route{Host: "h", Path: "/a/b"}, []domain.Key{key("h", "/a/b"), key("", "/a/b"), key("h", "/a"), key("", "/a"), key("h", "/")}},
	} {
		if got := c.r.Within(); !slices.Equal(got, c.want) {
			t.Errorf("%+v lies within %v, want %v", c.r, got, c.want)
		}
	}
}
