package transport_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"chancery/commands"
	"chancery/commands/commandstest"
	"chancery/domain"
)

// Who knows the id of a user must not use their tries up by typing it where an address belongs.
func TestNothingThatIsTypedCountsAsASecondFactorOfSomebody(t *testing.T) {
	w := withPassword(t)
	abe := w.vars["abeID"]
	counted := func(body string) []string {
		t.Helper()
		w.tried = nil
		w.do("", "POST", "/v1/tenants/acme/sessions", body)
		return slices.DeleteFunc(w.tried, func(key string) bool { return strings.HasPrefix(key, "address") })
	}
	ticket := commandstest.Authn{}.Ticket(commands.Ticket{
		Purpose: commands.ForSignIn, Tenant: domain.TenantID{UUID: uuid.MustParse(w.vars["acme"])}, User: domain.UserID{UUID: uuid.MustParse(abe)},
		Until: time.Date(9999, 1, 1, 0, 0, 0, 0, time.UTC),
	})
	factor := counted(fmt.Sprintf(`{"ticket":%q,"code":"000000"}`, ticket))
	if len(factor) != 3 {
		t.Fatalf("a second factor counts against %q", factor)
	}
	var typed []string
	for _, key := range factor {
		typed = append(typed, strings.Split(key, "\x00")[2])
	}
	for _, account := range append(typed, "Factor of "+abe, " factor of "+abe+" ") {
		for _, key := range counted(fmt.Sprintf(`{"email":%q,"password":"x"}`, account)) {
			if slices.Contains(factor, key) {
				t.Errorf("%q as an address counts against %q", account, key)
			}
		}
	}
}
