package dcb_test

import (
	"fmt"
	"strings"
	"testing"

	"chancery/internal/dcb"
)

func TestPersonalDataIsNotPrintedByAnyVerb(t *testing.T) {
	type holder struct {
		P dcb.Personal
		C dcb.Claim
	}
	h := holder{dcb.Plain("canary"), dcb.Claimed("email", "canary")}
	for verb := range strings.FieldsSeq("%v %+v %#v %s %q %d %x %X %t %o %e") {
		for _, value := range []any{h.P, h.C, &h.P, struct{ P dcb.Personal }{h.P}} {
			text := fmt.Sprintf(verb, value)
			if strings.Contains(text, "canary") || strings.Contains(strings.ToLower(text), fmt.Sprintf("%x", "canary")) {
				t.Errorf("%s prints %s", verb, text)
			}
		}
	}
}
