package vault_test

import (
	"path/filepath"
	"strings"
	"testing"
)

func TestATicketOpensForItsPurposeOnly(t *testing.T) {
	path := filepath.Join(t.TempDir(), "keys")
	keys := loadKeys(t, path)
	for _, plain := range []string{"", "user 7", strings.Repeat("x", 5000)} {
		ticket := keys.SealTicket("sign-in", []byte(plain))
		if ticket == keys.SealTicket("sign-in", []byte(plain)) {
			t.Error("two tickets are one")
		}
		if got, ok := loadKeys(t, path).OpenTicket("sign-in", ticket); !ok || string(got) != plain {
			t.Errorf("%q, %v", got, ok)
		}
		if _, ok := keys.OpenTicket("reset", ticket); ok {
			t.Error("it opens for another purpose")
		}
		if _, ok := loadKeys(t, filepath.Join(t.TempDir(), "keys")).OpenTicket("sign-in", ticket); ok {
			t.Error("it opens with another keyring")
		}
	}
}

func TestATamperedTicketDoesNotOpen(t *testing.T) {
	keys := loadKeys(t, filepath.Join(t.TempDir(), "keys"))
	ticket := keys.SealTicket("sign-in", []byte("user 7"))
	for i := range ticket {
		for _, c := range []byte("Ax0=\n") {
			if changed := ticket[:i] + string(c) + ticket[i+1:]; changed != ticket {
				if _, ok := keys.OpenTicket("sign-in", changed); ok {
					t.Fatalf("%s opens", changed)
				}
			}
		}
	}
	for _, text := range []string{"", "x", ticket + "A", ticket[:20], ticket[1:]} {
		if _, ok := keys.OpenTicket("sign-in", text); ok {
			t.Errorf("%q opens", text)
		}
	}
}
