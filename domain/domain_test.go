package domain_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/google/uuid"

	"chancery/domain"
	"chancery/internal/dcb"
)

func TestNamesAreCountedInCharacters(t *testing.T) {
	for name, ok := range map[string]bool{
		"": false, "x": true, strings.Repeat("ß", 200): true, strings.Repeat("ß", 201): false, "a b": true, " a": false, "a\u2003": false,
		"a\nb": false, "a\tb": false, "a\x00": false, "a\x7f": false, "a\u0085b": false, "\xff": false, "\ufffd": false,
	} {
		if err := domain.CheckName("/name", name); (err == nil) != ok || !ok && !errors.Is(err, domain.ErrInvalid) {
			t.Errorf("%.20q: %v, want allowed %v", name, err, ok)
		}
	}
}

func TestTextsMayHaveLines(t *testing.T) {
	for text, ok := range map[string]bool{
		"": true, "a\n\tb": true, strings.Repeat("ß", 2000): true, strings.Repeat("ß", 2001): false, "a\r\nb": false, "a\n": false, "a\x00": false,
	} {
		if err := domain.CheckText("/reason", text); (err == nil) != ok {
			t.Errorf("%.20q: %v, want allowed %v", text, err, ok)
		}
	}
}

func FuzzANameThatIsAllowedCanBeAKey(f *testing.F) {
	for _, s := range []string{"Sales", "a  b", "Cafe\u0301", "\u1e9e", "İ", "\u2126", "a\u200bb"} {
		f.Add(s)
	}
	within := domain.TenantID{UUID: uuid.Max}
	f.Fuzz(func(t *testing.T, s string) {
		if domain.CheckName("", s) != nil {
			return
		}
		k := string(domain.GroupKey(within, s))
		if !utf8.ValidString(k) || strings.ContainsFunc(k, func(r rune) bool { return r < 0x20 || r == 0x7f }) {
			t.Errorf("%q has the key %q", s, k)
		}
		// What is one name in the key is one name.
		_, name, _ := strings.Cut(k, "/")
		if again := string(domain.GroupKey(within, name)); again != k {
			t.Errorf("%q has the key %q, and that has the key %q", s, k, again)
		}
	})
}

func TestWindowsIncludeTheirBeginningAndExcludeTheirEnd(t *testing.T) {
	at := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	ns := time.Nanosecond
	w := domain.Window{From: at, Until: at.Add(time.Hour)}
	for when, in := range map[time.Time]bool{
		at.Add(-ns): false, at: true, at.Add(time.Hour - ns): true, at.Add(time.Hour): false, at.Add(time.Hour + ns): false,
	} {
		if w.Contains(when) != in {
			t.Errorf("%v in %v: %v", when, w, !in)
		}
		if w.Over(when) != (when.After(at) && !in) {
			t.Errorf("%v over at %v: %v", w, when, w.Over(when))
		}
	}
	open := domain.Window{}
	if !open.Contains(at) || open.Over(at.AddDate(1000, 0, 0)) || open.Check(at) != nil {
		t.Error("a window without ends has an end")
	}
	for until, ok := range map[time.Time]bool{at.Add(time.Hour): true, at.Add(ns): true, at: false, at.Add(-ns): false} {
		if err := (domain.Window{From: at.Add(-time.Hour), Until: until}).Check(at); (err == nil) != ok {
			t.Errorf("until %v: %v", until, err)
		}
	}
	if (domain.Window{From: at.Add(time.Hour), Until: at.Add(time.Hour)}).Check(at) == nil {
		t.Error("an empty window is allowed")
	}
}

func TestWindowsOverlapWhereSomeInstantLiesInBoth(t *testing.T) {
	at := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	edges := []time.Time{{}, at, at.Add(time.Nanosecond), at.Add(2 * time.Nanosecond), at.Add(3 * time.Nanosecond)}
	var all []domain.Window
	for _, from := range edges {
		for _, until := range edges {
			if until.IsZero() || from.Before(until) {
				all = append(all, domain.Window{From: from, Until: until})
			}
		}
	}
	instants := slices.Concat(edges[1:], []time.Time{at.Add(-time.Nanosecond), at.Add(time.Hour)})
	for _, a := range all {
		for _, b := range all {
			both := false
			for _, i := range instants {
				both = both || a.Contains(i) && b.Contains(i)
			}
			if a.Overlaps(b) != both {
				t.Errorf("%v and %v: overlap %v, want %v", a, b, a.Overlaps(b), both)
			}
		}
	}
}

func TestAScopeIsATypeAndAnID(t *testing.T) {
	for s, ok := range map[domain.Scope]bool{
		"": true, "repo:web": true, "repo:a:b": true, "repo:ü x": true, "group:42": true, domain.Scope("r:" + strings.Repeat("x", 198)): true,
		domain.Scope("r:" + strings.Repeat("x", 199)): false, "repo": false, ":": false, "repo:": false, ":x": false, "Repo:x": false,
		"re.po:x": false, "-r:x": false, "repo: x": false, "repo:x\n": false, "repo:\xff": false,
	} {
		if err := s.Check("/scope"); (err == nil) != ok {
			t.Errorf("%q: %v, want allowed %v", s, err, ok)
		}
	}
	for _, c := range []struct {
		wide, narrow domain.Scope
		covers       bool
	}{{"", "", true}, {"", "repo:web", true}, {"repo:web", "repo:web", true}, {"repo:web", "", false}, {"repo:web", "repo:webx", false}, {"repo:webx", "repo:web", false}} {
		if c.wide.Covers(c.narrow) != c.covers {
			t.Errorf("%q covers %q: %v", c.wide, c.narrow, !c.covers)
		}
	}
}

func FuzzAScopeThatIsAllowedKeepsItsParts(f *testing.F) {
	f.Add("repo:web")
	f.Add("a:b:c")
	f.Fuzz(func(t *testing.T, s string) {
		if s == "" || domain.Scope(s).Check("") != nil {
			return
		}
		typ, id, ok := strings.Cut(s, ":")
		if !ok || typ == "" || id == "" || strings.TrimSpace(id) != id || strings.ToLower(typ) != typ || !utf8.ValidString(s) {
			t.Errorf("%q is allowed", s)
		}
	})
}

func TestARefusalKeepsItsCodeWhateverIsSaidAroundIt(t *testing.T) {
	for _, err := range []error{
		domain.ErrEmailTaken, domain.At("/email", domain.ErrEmailTaken),
		fmt.Errorf("wrapped: %w", domain.At("/email", domain.ErrEmailTaken)),
	} {
		if r, ok := domain.IsRefusal(err); !ok || r != domain.ErrEmailTaken || !errors.Is(err, domain.ErrEmailTaken) {
			t.Errorf("%v is refusal %v, %v", err, r, ok)
		}
	}
	if _, ok := domain.IsRefusal(errors.New("disk full")); ok {
		t.Error("a fault is a refusal")
	}
	if got := domain.Invalid("/name", "is longer than %d", 3).Error(); got != "/name: is longer than 3" {
		t.Errorf("said %q", got)
	}
}

func TestAbsentIDsHaveNoTag(t *testing.T) {
	e := domain.RoleAssigned{Assignment: domain.AssignmentID{UUID: uuid.Max}, Role: domain.PlatformAdmin}
	for _, tag := range dcb.TagsOf(e) {
		if tag == "" || strings.Contains(string(tag), uuid.Nil.String()) {
			t.Errorf("tag %q", tag)
		}
	}
	if n := len(dcb.TagsOf(e)); n != 2 {
		t.Errorf("%d tags, want 2", n)
	}
}

func TestNamedIDsDifferByTenantKindAndName(t *testing.T) {
	seen := map[uuid.UUID]string{}
	for _, tenant := range []domain.TenantID{domain.Root, {UUID: uuid.Max}} {
		for _, kind := range []string{"policy", "role"} {
			for _, name := range []string{"a", "b"} {
				id := domain.NamedID(tenant, kind, name)
				if other, twice := seen[id]; twice {
					t.Errorf("%s %s has the id of %s", kind, name, other)
				}
				seen[id] = kind + name
			}
		}
	}
	if domain.NamedID(domain.Root, "role", "platform-admin") != domain.PlatformAdmin.UUID {
		t.Error("a named id is not the same each time")
	}
}
