package domain_test

import (
	"strings"
	"testing"
	"unicode"

	"golang.org/x/text/unicode/norm"

	"chancery/domain"
)

func TestAnEmailAddressHasOneNormalForm(t *testing.T) {
	for in, want := range map[string]domain.Email{
		"ann@acme.test": "ann@acme.test", "Ann.Lee+x@ACME.Test": "ann.lee+x@acme.test", "ann@bücher.example": "ann@xn--bcher-kva.example",
		"ann@BÜCHER.example": "ann@xn--bcher-kva.example", "ann@xn--bcher-kva.example": "ann@xn--bcher-kva.example", "jos\u00e9@acme.test": "jos\u00e9@acme.test",
		"jose\u0301@acme.test": "jos\u00e9@acme.test", "JOSE\u0301@acme.test": "jos\u00e9@acme.test", "admin@localhost": "admin@localhost",
		"\u03ab\u0301@acme.test": "\u03b0@acme.test", "\u03b0@acme.test": "\u03b0@acme.test", "o'hara@acme.test": "o'hara@acme.test",
		strings.Repeat("a", 64) + "@acme.test": domain.Email(strings.Repeat("a", 64) + "@acme.test"),
		"a@" + labels(252):                     domain.Email("a@" + labels(252)),
	} {
		got, err := domain.ParseEmail("/email", in)
		if err != nil || got != want {
			t.Errorf("%q is %q, %v; want %q", in, got, err, want)
		}
	}
}

// labels is a host name of n characters.
func labels(n int) string {
	s := strings.Repeat("abcdefg.", n/8+1)[:n]
	return strings.TrimSuffix(s, ".") + strings.Repeat("a", len(s)-len(strings.TrimSuffix(s, ".")))
}

func TestWhatIsNoEmailAddressIsRefused(t *testing.T) {
	for _, in := range []string{
		"", "@", "ann", "ann@", "@acme.test", "ann@acme@test", "ann acme@test", "Ann <ann@acme.test>", "<ann@acme.test>", "ann@acme.test (Ann)",
		"ann@acme.test, bob@acme.test", "ann@acme..test", "ann@.acme.test", "ann@acme.test.", ".ann@acme.test", "ann.@acme.test", "a..b@acme.test",
		`"ann lee"@acme.test`, `"ann"@acme.test`, "ann@[127.0.0.1]", "ann@127.0.0.1", "ann@-acme.test", "ann@ac_me.test", "ann@acme.test\n", "ann\x00@acme.test",
		"ann\u200b@acme.test", "ann\u202e@acme.test", "ann\u00a0@acme.test", "ann\u00ad@acme.test", "\xff@acme.test", " ann@acme.test", "ann@acme.123",
		strings.Repeat("a", 65) + "@acme.test", "a@" + labels(253), "ann@" + strings.Repeat("a", 64) + ".test", "ann@" + strings.Repeat("ü", 60) + ".test",
	} {
		if got, err := domain.ParseEmail("/email", in); err == nil {
			t.Errorf("%q is allowed as %q", in, got)
		}
	}
}

func FuzzAnEmailAddressIsItsOwnNormalForm(f *testing.F) {
	for _, s := range []string{"Ann@Acme.test", "jose\u0301@BÜCHER.example", "\u03ab\u0301@x.test", "İ@x.test", "\u2126@x.test", "a@xn--bcher-kva.example", "a@faß.test"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		e, err := domain.ParseEmail("", s)
		if err != nil {
			return
		}
		if again, err := domain.ParseEmail("", string(e)); err != nil || again != e {
			t.Errorf("%q is %q, and that is %q, %v", s, e, again, err)
		}
		if len(e) > 254 || strings.Count(string(e), "@") != 1 || !norm.NFC.IsNormalString(string(e)) || strings.ContainsFunc(string(e), unicode.IsSpace) {
			t.Errorf("%q is %q", s, e)
		}
		if e.Domain() == "" || strings.ContainsFunc(string(e.Domain()), func(r rune) bool { return r > unicode.MaxASCII }) {
			t.Errorf("%q is of the domain %q", s, e.Domain())
		}
	})
}

func TestATelephoneNumberHasOneNormalForm(t *testing.T) {
	for in, want := range map[string]string{
		"": "", "+4930123456": "+4930123456", "+49 30  123 456": "+4930123456", "+4930123456 ": "+4930123456", "+1234567": "+1234567", "+123456789012345": "+123456789012345",
	} {
		if got, err := domain.ParsePhone("/phone", in); err != nil || got != want {
			t.Errorf("%q is %q, %v; want %q", in, got, err, want)
		}
	}
	for _, in := range []string{
		" ", "+", "030 123456", "004930123456", "+0493012345", "+123456", "+1234567890123456", "+49-30-123456", "+49(30)123456", "+49\u00a030123456",
		"+49\t30123456", "+49 30 12345x", "++4930123456", "+4930123456 ext 1", "+\u0664\u0669\u0663\u0660\u0661\u0662\u0663", "tel:+4930123456", "+1.234.567",
	} {
		if got, err := domain.ParsePhone("/phone", in); err == nil {
			t.Errorf("%q is %q", in, got)
		}
	}
}

func TestAPostalAddressHasLines(t *testing.T) {
	for in, ok := range map[string]bool{
		"": true, "Musterweg 1\n12345 Berlin": true, strings.Repeat("ß", 1000): true, strings.Repeat("ß", 1001): false, "a\r\nb": false, " a": false, "a\x00": false,
	} {
		if err := domain.CheckAddress("/address", in); (err == nil) != ok {
			t.Errorf("%.20q: %v, want allowed %v", in, err, ok)
		}
	}
}
