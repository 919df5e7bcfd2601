package dcb_test

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	jsonv2 "github.com/go-json-experiment/json"

	"chancery/internal/dcb"
)

// enrolled has a field of each kind that is sealed.
type enrolled struct {
	Who  thing        `json:"who"`
	Name dcb.Personal `json:"name,omitzero"`
	Seed dcb.Sealed   `json:"seed,omitzero"`
}

func (enrolled) EventType() string { return "enrolled" }

func TestSealedValuesAreNeverPrintedAndNeverEncodedInTheClear(t *testing.T) {
	e := enrolled{Who: "a", Seed: dcb.Hide("canary")}
	var log strings.Builder
	slog.New(slog.NewJSONHandler(&log, nil)).Info("x", "seed", e.Seed, "event", e)
	for _, s := range []string{
		log.String(), fmt.Sprint(e.Seed), fmt.Sprintf("%v %+v %#v %s %q %x", e.Seed, e.Seed, e.Seed, e.Seed, e.Seed, e.Seed), fmt.Sprintf("%v %+v", e, &e),
	} {
		if strings.Contains(s, "canary") || strings.Contains(s, fmt.Sprintf("%x", "canary")) {
			t.Errorf("printed as %s", s)
		}
	}
	if b, err := jsonv2.Marshal(e); err == nil {
		t.Errorf("encoded as %s", b)
	}
	if b, err := json.Marshal(e); err == nil {
		t.Errorf("encoded as %s", b)
	}
}

func TestWhatIsInsideOfOtherValuesIsNotPrintedEither(t *testing.T) {
	type state struct { // unexported: fmt calls no method on them
		seed  dcb.Sealed
		name  dcb.Personal
		claim dcb.Claim
	}
	s := state{dcb.Hide("canary"), dcb.Plain("canary"), dcb.Claimed("email", "canary")}
	var log strings.Builder
	slog.New(slog.NewTextHandler(&log, nil)).Info("x", "state", s)
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x"} {
		text := fmt.Sprintf(verb+verb, s, &s) + log.String()
		if strings.Contains(text, "canary") || strings.Contains(text, fmt.Sprintf("%x", "canary")) {
			t.Errorf("%s prints %s", verb, text)
		}
	}
}

func TestOnlyTheFieldsAskedForAreMapped(t *testing.T) {
	e := enrolled{Who: "a", Name: dcb.Plain("Ann"), Seed: dcb.Hide("seed")}
	for what, want := range map[dcb.Clear]string{
		dcb.Nothing: "", dcb.Personals: "name ", dcb.Secrets: "seed! ", dcb.Personals | dcb.Secrets: "name seed! ",
	} {
		seen := ""
		got, err := dcb.MapHidden(e, what, func(f dcb.Field) (dcb.Field, error) {
			seen += f.Name + map[bool]string{true: "!"}[f.Secret] + " "
			return dcb.Field{Ciphertext: "c" + f.Plain}, nil
		})
		if err != nil || seen != want {
			t.Errorf("%d: mapped %q, %v; want %q", what, seen, err, want)
		}
		if sealed := got.(enrolled).Seed.Ciphertext() == "cseed"; sealed != (what&dcb.Secrets != 0) {
			t.Errorf("%d: the seed became %q", what, got.(enrolled).Seed.Ciphertext())
		}
	}
	if e.Seed.Reveal() != "seed" || e.Name.Reveal() != "Ann" {
		t.Error("the event itself was changed")
	}
}
