package masks_test

import (
	"testing"

	"github.com/google/uuid"

	"chancery/internal/masks"
)

func TestWhatNobodyMaySeeIsHiddenAndNothingElse(t *testing.T) {
	for _, c := range []struct{ typ, payload, want string }{
		{"user.registered", `{"email":"sealed:1:a:b","name":"Ann"}`, `{"email":"[sealed]","name":"Ann"}`},
		{"endpoint.secret-rotated", `{"value":"sealed:2:x","private":"sealed:2:y","public_key":"whpk_a"}`, `{"value":"[sealed]","private":"[sealed]","public_key":"whpk_a"}`},
		{"user.renamed", `{"reason":"said \"sealed:1:x\" once","sealed:0":"sealed: no"}`, `{"reason":"said \"sealed:1:x\" once","sealed:0":"sealed: no"}`},
		{"token.created", `{"hash":"abc","to":"sealed:1:z"}`, `{"hash":"[hash]","to":"[sealed]"}`},
		{"session.started", `{"hash": "abc"}`, `{"hash":"[hash]"}`},
		{"impersonation.started", `{"hash":"abc"}`, `{"hash":"[hash]"}`},
		{"link.made", `{"hash":"abc","hashes":"abc"}`, `{"hash":"[hash]","hashes":"abc"}`},
		{"manifest.published", `{"hash":"abc"}`, `{"hash":"abc"}`},
	} {
		if got := string(masks.Payload(c.typ, []byte(c.payload))); got != c.want {
			t.Errorf("%s: %s, want %s", c.typ, got, c.want)
		}
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
