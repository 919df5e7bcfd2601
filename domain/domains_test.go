package domain_test

import (
	"strings"
	"testing"

	"chancery/domain"
)

func TestADomainNameHasOneNormalForm(t *testing.T) {
	for in, want := range map[string]domain.DomainName{
		"acme.test": "acme.test", "ACME.test": "acme.test", "acme.test.": "acme.test", "bücher.example": "xn--bcher-kva.example", "a.b": "a.b",
		"xn--bcher-kva.example": "xn--bcher-kva.example", "1.2.acme": "1.2.acme", "пример.испытание": "xn--e1afmkfd.xn--80akhbyknj4f", "acme。test": "acme.test",
		strings.Repeat("a", 63) + ".test": domain.DomainName(strings.Repeat("a", 63) + ".test"),
	} {
		if got, err := domain.ParseDomain("/domain", in); err != nil || got != want {
			t.Errorf("%q is %q, %v; want %q", in, got, err, want)
		}
	}
	for _, in := range []string{
		"", ".", "acme", "acme.", "acme..test", ".acme.test", "acme.test..", "a_b.test", "-a.test", "a-.test", "*.acme.test", "https://acme.test", "acme.test/",
		"acme.test:80", "a b.test", "127.0.0.1", "1.2.3", "::1", "acme.test\x00", "\xff.test", "xn--a.test", strings.Repeat("a", 64) + ".test", labels(254),
	} {
		if got, err := domain.ParseDomain("/domain", in); err == nil {
			t.Errorf("%q is allowed as %q", in, got)
		}
	}
}

func FuzzADomainNameIsItsOwnNormalForm(f *testing.F) {
	for _, s := range []string{"Acme.test", "bücher.example", "пример.испытание", "xn--bcher-kva.example", "faß.de", "a\u200db.test", "acme。test"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		n, err := domain.ParseDomain("", s)
		if err != nil {
			return
		}
		if again, err := domain.ParseDomain("", string(n)); err != nil || again != n {
			t.Errorf("%q is %q, and that is %q, %v", s, n, again, err)
		}
		if strings.Trim(string(n), "abcdefghijklmnopqrstuvwxyz0123456789-.") != "" || len(n) > 253 {
			t.Errorf("%q is %q", s, n)
		}
		for label := range strings.SplitSeq(string(n), ".") {
			if domain.Slug(label).Check("") != nil && len(label) != 32 && len(label) != 36 {
				t.Errorf("%q has the label %q", s, label)
			}
		}
	})
}

func FuzzASlugIsALabel(f *testing.F) {
	for _, s := range []string{"acme", "a", "-a", "a\n", "00000000-0000-0000-0000-000000000001"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if domain.Slug(s).Check("") != nil {
			return
		}
		if got, err := domain.ParseDomain("", s+".test"); err != nil && !strings.HasPrefix(s, "xn--") && !strings.Contains(s, "--") || err == nil && string(got) != s+".test" {
			t.Errorf("the slug %q is the label of %q, %v", s, got, err)
		}
	})
}
