package domain_test

import (
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"chancery/domain"
)

var pushed = domain.OutwardEvent{
	ID: "e-1", Source: "//github/acme", Subject: "acme/shop", Type: "github.push", Tenant: "0194f3a0-0001-7000-8000-000000000001",
	Time: time.Date(2026, 3, 2, 9, 30, 0, 0, time.UTC),
	Data: []byte(`{"ref":"refs/heads/main","size":3,"id":9007199254740993,"share":0.5,"forced":false,"by":{"name":"ann"},"commits":[{"n":1},{"n":2}],"none":null}`),
}

func selection(t *testing.T, filter string, types ...domain.EventPattern) *domain.Selection {
	t.Helper()
	s, err := domain.EndpointTerms{Types: types, Filter: filter}.Compile()
	if err != nil {
		t.Fatalf("%s: %v", filter, err)
	}
	return s
}

func TestAFilterChoosesAmongTheTypes(t *testing.T) {
	for filter, want := range map[string]bool{
		"":                                    true,
		`type == "github.push"`:               true,
		`subject.startsWith("acme/")`:         true,
		`source == "//github/other"`:          false,
		`id == "e-1" && tenant.endsWith("1")`: true,
		`time > timestamp("2026-03-02T09:00:00Z") && time.getHours() == 9`: true,
		`data.size > 2`:                           true,
		`data.size % 2 == 1`:                      true,
		`data.size >= 2.5 && data.share < 1`:      true,
		`data.id == 9007199254740993`:             true, // beyond what a float holds
		`data.id == 9007199254740992`:             false,
		`data.by.name == "ann"`:                   true,
		`data.ref.matches("^refs/heads/")`:        true,
		`data.commits.exists(c, c.n == 2)`:        true,
		`size(data.commits) == 2`:                 true,
		`has(data.by) && !has(data.gone)`:         true,
		`data.none == null && !data.forced`:       true,
		`data.gone == 1`:                          false, // a field that is not there
		`data.gone == 1 || type == "github.push"`: true,
		`data.ref > 1`:                            false, // what cannot be compared
		`data.size / 0 == 1`:                      false,
	} {
		if got := selection(t, filter, "github.*").Means(pushed); got != want {
			t.Errorf("%s means it: %v", filter, got)
		}
	}
	if selection(t, "true", "github.pull", "core.*").Means(pushed) {
		t.Error("a filter asked for an event of another type")
	}
	for _, data := range []string{``, `{`, `[1,`, `{"size":`, `"x`} {
		e := pushed
		e.Data = []byte(data)
		if selection(t, "data.size > 2", "*").Means(e) {
			t.Errorf("data %q was meant", data)
		}
	}
}

func TestTypesAreMatchedWithWildcards(t *testing.T) {
	for _, c := range []struct {
		pattern domain.EventPattern
		typ     string
		want    bool
	}{
		{"*", "github.push", true}, {"github.push", "github.push", true}, {"github.push", "github.pushed", false},
		{"github.*", "github.push", true}, {"github.*", "github.pull.merged", true}, {"github.*", "githubber.push", false}, {"github.*", "github", false},
	} {
		if got := selection(t, "", c.pattern).Means(domain.OutwardEvent{Type: c.typ}); got != c.want {
			t.Errorf("%s means %s: %v", c.pattern, c.typ, got)
		}
	}
	for _, c := range []struct {
		wide, narrow domain.EventPattern
		want         bool
	}{
		{"*", "*", true}, {"*", "core.*", true}, {"core.*", "*", false}, {"core.*", "core.user.*", true}, {"core.user.*", "core.*", false},
		{"core.user.*", "core.user.registered", true}, {"core.user.registered", "core.user.registered", true}, {"core.user.registered", "core.user.*", false},
		{"core.user.*", "core.users.*", false},
	} {
		if got := domain.Covered([]domain.EventPattern{"x.y", c.wide}, c.narrow); got != c.want {
			t.Errorf("%s covers %s: %v", c.wide, c.narrow, got)
		}
	}
	for _, ok := range []domain.EventPattern{"*", "core.*", "core.user.*", "core.user.registered", "a-b.c_d.e.f.g.h.i"} {
		if err := ok.Check("/types/0"); err != nil {
			t.Errorf("%s: %v", ok, err)
		}
	}
	for _, bad := range []domain.EventPattern{"", "core", "core.", ".core", "Core.x", "core.*.x", "core.us*", "**", "core..x", "core.x ", "a.b.c.d.e.f.g.h"} {
		if bad.Check("/types/0") == nil {
			t.Errorf("%q passes for a pattern", bad)
		}
	}
}

func TestABadFilterIsRefusedInAFewWords(t *testing.T) {
	for filter, words := range map[string]string{
		`data.size >`:            "line 1, column",
		`type = "x"`:             "line 1, column",
		`data.size`:              "must be true or false",
		`"text"`:                 "must be true or false",
		`nobody == 1`:            "undeclared reference to 'nobody'",
		`type - 1 == "x"`:        "no matching overload",
		`type.shout() == "X"`:    "undeclared reference to 'shout'",
		`data.l.map(x, x) == []`: "undeclared reference to 'map'", `string(data.n) == "1"`: "undeclared reference to 'string'",
		`data.s + "x" == data.t`: "+ is not part of the language",
		`data.s.matches(data.p)`: "what matches is given must be written out", `timestamp(data.s) > time`: "what timestamp is given must be written out",
		`data.s.matches(["a"][0])`: "what matches is given must be written out", `matches("a", data.s)`: "what matches is given must be written out",
		`data.ref.matches("(")`:                                                   "no regular expression",
		`data.ref.matches("((a{50}){50}){9}")`:                                    "no regular expression",
		`data.ref.matches("(a?){490}b")`:                                          "repeats too much",
		`data.ref.matches("a{900}")`:                                              "repeats too much",
		`time.getHours("Zz/a") == 9`:                                              "getHours takes no time zone",
		`[time][0].getFullYear("+01:00") > 1`:                                     "getFullYear takes no time zone",
		`data.l.exists(z, time.getDayOfWeek(z) == 1)`:                             "getDayOfWeek takes no time zone",
		`data.t.getSeconds("UTC") == 1`:                                           "getSeconds takes no time zone",
		`data.l.exists_one(x, x == 1)`:                                            "undeclared reference to 'exists_one'",
		`true && ` + strings.Repeat("(", 500) + "true" + strings.Repeat(")", 491): "", // deeper than a person writes
		strings.Repeat("[", 900):                                                  "", strings.Repeat("!", 900): "", strings.Repeat("{1:", 300): "",
		strings.Repeat("a?", 450):           "",
		strings.Repeat("true?", 190):        "",
		strings.Repeat("data.a[", 140):      "",
		"data" + strings.Repeat(".a", 1000): "longer than 1000 bytes",
		"\x00":                              "", "\"\xff\"": "",
	} {
		began := time.Now()
		_, err := domain.EndpointTerms{Types: []domain.EventPattern{"*"}, Filter: filter}.Compile()
		var bad *domain.InputError
		switch {
		case !errors.As(err, &bad) || bad.Pointer != "/filter":
			t.Errorf("%.60s: %v", filter, err)
		case !strings.Contains(bad.Detail, words) || len(bad.Detail) > 300 || strings.Contains(bad.Detail, "\n"):
			t.Errorf("%.60s is told: %s", filter, bad.Detail)
		}
		if took := time.Since(began); took > 5*time.Second {
			t.Errorf("%.60s took %v", filter, took)
		}
	}
}

func TestARegularExpressionMayCount(t *testing.T) {
	for expr, want := range map[string]bool{"^[a-z]{4}/": true, "^[a-z]{5}/": false, "^(ac|me){2,3}/shop$": true, `p{1}$`: true, `\\pL{4,}`: true} {
		if got := selection(t, `subject.matches("`+expr+`")`, "*").Means(pushed); got != want {
			t.Errorf("%s matches: %v", expr, got)
		}
	}
}

func TestAFilterReadsWhatItNames(t *testing.T) {
	many := pushed
	many.Data = []byte(`{"n":1,"n":2,"l":[` + listOf(20_000, "1") + `],"o":{"n":3,"l":[]}}`)
	for filter, want := range map[string]bool{
		`data.n == 2 && data.o.n == 3`:                      true,
		`data.n == 2 && !has(data.gone)`:                    true,
		`type == "github.push"`:                             true,
		`size(data.l) > 1 || data.n == 2`:                   false, // more than is read
		`data["n"] == 2`:                                    false, // all of it is read
		`[data].exists(d, d.n == 2)`:                        false,
		`data.exists(name, name == "n")`:                    false,
		`[data.o].exists(data, data.n == 3)`:                true, // a name of its own
		`["n"].exists(name, data.o[name] == 3)`:             true,
		`data.o.exists(name, name == "n") && has(data.o.l)`: true,
	} {
		if got := selection(t, filter, "*").Means(many); got != want {
			t.Errorf("%s means it: %v", filter, got)
		}
	}
}

// TestAHostileFilterTakesLittle: whatever it does with a large event, it stops at a cost.
func TestAHostileFilterTakesLittle(t *testing.T) {
	large := pushed
	large.Data = []byte(`{"s":"` + strings.Repeat("a", 200_000) + `","t":"` + strings.Repeat("a", 200_000) + `","l":[` + listOf(2_500, "1") + `]}`)
	for _, filter := range []string{
		`data.s.matches("(a?){110}b") || data.s.matches("(a?){24}$")`,
		`data.l.exists(a, ` + strings.Repeat("true&&", 150) + `data.gone)`,
		doubled(30, "z == z"), doubled(30, "z in [z]"),
		`data.l.all(a, data.l.all(b, data.l.all(c, data.l.all(d, a - b - c - d < 0))))`,
		`data.l.all(a, data.s.matches("(a*)*(a*)*(a|aa)+$"))`,
		`data.l.exists(a, data.l.exists(b, data.gone.x))`,
		`data.l.exists(a, data.l.exists(b, data.l - data.s == 1))`,
		`data.l.exists(a, data.l.exists(b, b == 2))`,
		`data.l.exists(a, data.s.contains("ab"))`,
		`data.l.exists(a, data.s.contains(data.s) && data.gone)`,
		`data.l.exists(a, data.s.startsWith(data.s) && data.gone)`,
		`data.l.exists(a, data.l == data.l && data.gone)`,
		`data.l.exists(a, {"x": data.l} == {"x": data.l} && data.gone)`,
		`data.l.exists(a, data.s < data.t)`,
		`data.l.exists(a, data.s != data.t && a == 2)`,
		`data.l.exists(a, 2 in data.l)`,
		`data.l.exists(a, data.s in [data.t, data.t, data.t, data.t, data.t] && data.gone)`,
		`[1,2,3,4,5,6,7,8,9].all(a,[1,2,3,4,5,6,7,8,9].all(b,[1,2,3,4,5,6,7,8,9].all(c,[1,2,3,4,5,6,7,8,9].all(d,[1,2,3,4,5,6,7,8,9].all(e,[1,2,3,4,5,6,7,8,9].all(f,[1,2,3,4,5,6,7,8,9].all(g,a-b-c-d-e-f-g<9)))))))`,
	} {
		s := selection(t, filter, "*")
		means := false
		took, mb := spent(func() { means = s.Means(large) })
		t.Logf("%v, %d MB: %.70s", took.Round(time.Millisecond), mb, filter)
		if means {
			t.Errorf("%s came to an end", filter)
		}
		if took > 5*time.Second || mb > 300 {
			t.Errorf("%s took %v and %d MB", filter, took, mb)
		}
	}
}

// TestAFilterMayDoWhatPeopleNeed: the documentation promises so much.
func TestAFilterMayDoWhatPeopleNeed(t *testing.T) {
	order := pushed
	order.Data = []byte(`{"text":"` + strings.Repeat("a", 8_000) + `x","lines":[` + listOf(249, `{"sku":"a","n":1}`) + `,{"sku":"x","n":2}]}`)
	for _, filter := range []string{`data.lines.exists(l, l.sku == "x")`, `data.lines.all(l, l.n > 0)`, `data.text.contains("ax")`, `data.text.matches("a+x$")`, `data.text.matches("[a-z]{3}x")`} {
		if !selection(t, filter, "*").Means(order) {
			t.Errorf("%s is too much", filter)
		}
	}
}

// doubled has z be a list of two lists of two lists and so on.
func doubled(n int, last string) string {
	return "[[data]].exists(z," + strings.Repeat("[[z,z]].exists(z,", n) + last + " && data.gone" + strings.Repeat(")", n+1)
}

// FuzzAFilter: none panics, be it read or evaluated.
func FuzzAFilter(f *testing.F) {
	for _, filter := range []string{`data.a == 1`, `data.ref.matches("a{2}|(b)")`, `data.l.exists(x, x in [1, "a", data])`, `{"a": [data]}["a"][0].b > 0.5`,
		`time - timestamp("2026-01-01T00:00:00Z") < duration("1h")`, `has(data.a) ? -data.a % 2 == 1 : !(id < "x")`, `data.all(k, k.endsWith("a") || size(k) > 2)`} {
		f.Add(filter, string(pushed.Data))
	}
	f.Fuzz(func(t *testing.T, filter, data string) {
		s, err := domain.EndpointTerms{Types: []domain.EventPattern{"*"}, Filter: filter}.Compile()
		if err != nil {
			if strings.Contains(err.Error(), "cannot be read") {
				t.Errorf("%q: %v", filter, err)
			}
			return
		}
		e := pushed
		e.Data = []byte(data)
		began := time.Now()
		if _, err := s.Judge(e); err != nil || time.Since(began) > 5*time.Second {
			t.Errorf("%q on %q: %v after %v", filter, data, err, time.Since(began))
		}
	})
}

func BenchmarkAFilter(b *testing.B) {
	for _, filter := range []string{`data.size > 2`, `subject.startsWith("acme/")`, `data.ref.matches("^refs/heads/") && data.by.name != "bot" && data.commits.exists(c, c.n == 2)`} {
		s, err := domain.EndpointTerms{Types: []domain.EventPattern{"*"}, Filter: filter}.Compile()
		if err != nil {
			b.Fatal(err)
		}
		b.Run(filter, func(b *testing.B) {
			for b.Loop() {
				s.Means(pushed)
			}
		})
	}
}

func TestASelectionServesManyAtOnce(t *testing.T) {
	s := selection(t, `data.size > 2 && data.commits.exists(c, c.n == 2)`, "github.*")
	other := pushed
	other.Data = []byte(`{"size":1}`)
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			for range 200 {
				if !s.Means(pushed) || s.Means(other) {
					t.Error("a selection mixed events up")
					return
				}
			}
		})
	}
	all.Wait()
}
