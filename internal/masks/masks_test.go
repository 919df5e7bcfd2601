package masks_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/uuid"

	"chancery/internal/masks"
)

func TestWhatNobodyMaySeeIsHiddenAndNothingElse(t *testing.T) {
	mask := masks.Of(map[string][]string{"token.created": {"hash"}, "user.registered": {"email_key", "released"}, "user.renamed": nil})
	for _, c := range []struct{ typ, payload, want string }{
		{"user.renamed", `{"email":"sealed:1:a:b","name":"Ann"}`, `{"email":"[sealed]","name":"Ann"}`},
		{"user.renamed", `{"value":"sealed:2:x","private":"sealed:2:y","public_key":"whpk_a"}`, `{"value":"[sealed]","private":"[sealed]","public_key":"whpk_a"}`},
		{"user.renamed", `{"reason":"said \"sealed:1:x\" once","sealed:0":"sealed: no"}`, `{"reason":"said \"sealed:1:x\" once","sealed:0":"sealed: no"}`},
		{"user.renamed", `{"reason":"sealed:1:\"x","hash":"a"}`, `{"reason":"[sealed]","hash":"a"}`},
		{"user.renamed", `{"email":"sealed:1:cut`, `{"email":"sealed:1:cut`},
		{"token.created", `{"hash":"abc","to":"sealed:1:z"}`, `{"hash":"[hash]","to":"[sealed]"}`},
		{"token.created", `{"hash": "abc"}`, `{"hash": "[hash]"}`},
		{"token.created", `{"hash":"a\"b\\","hashes":"abc","in":{"hash":["",1,"b"]}}`, `{"hash":"[hash]","hashes":"abc","in":{"hash":["[hash]",1,"[hash]"]}}`},
		{"token.created", `{"note":"\"hash\":\"a\"","of":"hash","hash":null,"hash":`, `{"note":"\"hash\":\"a\"","of":"hash","hash":null,"hash":`},
		{"user.registered", `{"released":"email:1","email_key":"email:0","hash":"a"}`, `{"released":"[hash]","email_key":"[hash]","hash":"a"}`},
		{"newer.release", `{"released":"email:1","key":"k","hash":"a"}`, `{"released":"[hash]","key":"k","hash":"[hash]"}`},
	} {
		if got := string(mask.Payload(c.typ, []byte(c.payload))); got != c.want {
			t.Errorf("%s %s: %s, want %s", c.typ, c.payload, got, c.want)
		}
	}
}

func TestTagsThatAreKeyedHashesAreLeftOut(t *testing.T) {
	things := []string{"department:" + uuid.NewString(), "domain:acme.test", "meter:" + uuid.NewString() + "/x", "slug:acme"}
	hashes := []string{"email:" + strings.Repeat("0a", 32), "passkey:" + strings.Repeat("9f", 32)}
	if got := masks.Tags(slices.Concat(things[:2], hashes, things[2:])); !slices.Equal(got, things) {
		t.Errorf("left: %v", got)
	}
}

func TestOnesOwnSealedTextsAreLeftWhereOthersAreHidden(t *testing.T) {
	ann, bob := uuid.New(), uuid.New()
	doc := []byte(`["sealed:1:` + ann.String() + `:x","sealed:1:` + bob.String() + `:x","sealed:2:x"]`)
	if got, want := string(masks.Others(doc, ann)), `["sealed:1:`+ann.String()+`:x","[sealed]","[sealed]"]`; got != want {
		t.Errorf("%s, want %s", got, want)
	}
	if got := string(masks.Without(doc)); got != `[null,null,null]` {
		t.Errorf("left out: %s", got)
	}
}
