package authn_test

import (
	"strings"
	"testing"
	"testing/quick"

	"chancery/internal/authn"
)

func TestWhatEverybodyTriesIsKnown(t *testing.T) {
	e := engine(t, authn.Config{})
	about := []string{"ann.o'hara@mail.acme-corp.example", "Ann O'Hara", "Acme Corporation"}
	for _, password := range []string{
		"password", "Password1", "P@ssw0rd!", "pa55w0rd2024", "passwordpassword", "!!password!!", "p-a-s-s-w-o-r-d", "letmein2025",
		"Summer2024!", "iloveyou123", "sunshine99", "1Qaz2Wsx", "football!!!", "trustno1trustno1",
		"12345678", "123456789012345", "987654321", "abcdefghij", "zyxwvuts", "abcd1234", "1234abcd!", "qwertyuiop", "poiuytrewq", "asdfghjkl;",
		"1qaz2wsx3edc", "1q2w3e4r5t", "qwerty12345", "qazwsxedc", "!@#$%^&*()",
		"aaaaaaaaaaaaaaa", "abababababab", "abcabcabcabc", "11112222", "xyzwxyzwxyzw", "2024202420242024",
		"chancery", "Chancery2026!", "ch4nc3ry", "yrecnahc1", "ChanceryChancery", "chancery-acme",
		"annohara", "Ann.OHara!", "ann.o'hara@mail.acme-corp.example", "acmecorp2024", "AcmeCorporation1", "ohara1999", "araho-nna", "acme corp ann",
	} {
		if known, err := e.Known(password, about...); err != nil || !known {
			t.Errorf("%q is not known (%v)", password, err)
		}
	}
}

func TestWhatNobodyTriesIsNotKnown(t *testing.T) {
	e := engine(t, authn.Config{})
	about := []string{"ann@acme.example", "Ann", "Acme"}
	for _, password := range []string{
		"correct horse battery staple", "my dog likes chancery a lot", "dragon monkey sunshine master", "xk7qPm2vTz", "7hG#kq2!", "ab$#%^&x9",
		"ann has three cats", "annual leave is short", "Zürich im Regen", "секретная дача у реки", "password of the month club", "a", "",
		"abc$#kd^&x", "k2.v9.q4.x7",
	} {
		if known, err := e.Known(password, about...); err != nil || known {
			t.Errorf("%q is known (%v)", password, err)
		}
	}
}

func TestAnyTextMayBeAskedAbout(t *testing.T) {
	e := engine(t, authn.Config{})
	ask := func(password, about string) bool {
		_, err := e.Known(password, about)
		return err == nil
	}
	if err := quick.Check(ask, nil); err != nil {
		t.Error(err)
	}
	for _, long := range []string{strings.Repeat("a", 1<<20), strings.Repeat("ab1!", 1<<18)} {
		if known, err := e.Known(long, strings.Repeat("a", 1<<10)); err != nil || !known {
			t.Error("a long repetition is not known")
		}
	}
	if known, _ := e.Known("\xff\xfe bad \x00 text", "\xff"); known {
		t.Error("bad text is known")
	}
}

func TestTheBuiltInWordsAreOfTheirForm(t *testing.T) {
	e := engine(t, authn.Config{})
	if known, err := e.Known("letmeinplease"); err != nil || !known {
		t.Error("the longest are not looked up")
	}
}
