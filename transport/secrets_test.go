package transport_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
)

// readings is so many lines that read a secret which ann has made.
func (w *world) readings(t *testing.T, n int) []string {
	t.Helper()
	w.must(t, "ann", "/v1/tenants/acme/commands/create-secret", `{"name":"pin","value":"4711"}`, "id")
	return slices.Repeat([]string{`{"command":"read-secret","body":{"ref":"secret://core/pin"}}`}, n)
}

func TestOneAnswerHoldsABoundedNumberOfValues(t *testing.T) {
	w := newWorld(t)
	w.people(t)
	lines := w.readings(t, 101)
	if got := statuses(w.bulk(t, "ann", "acme", "", lines...)); slices.ContainsFunc(got, func(s int) bool { return s != 200 }) || len(got) != 101 {
		t.Errorf("one by one: %v", got)
	}
	if got := statuses(w.bulk(t, "ann", "acme", "?atomic=true", lines[:100]...)); slices.ContainsFunc(got, func(s int) bool { return s != 200 }) {
		t.Errorf("as many as may be: %v", got)
	}
	if got := statuses(w.bulk(t, "ann", "acme", "?atomic=true", lines...)); got[100] != 413 || slices.Contains(got, 200) {
		t.Errorf("too many: %v", got)
	}
}

// A file that is handed out is as much in memory as a secret.
func TestFilesThatAreHandedOutCountAsValues(t *testing.T) {
	w := newWorld(t)
	w.people(t)
	line := `{"command":"check-out-activation","body":{"id":"0194f3a0-0063-7000-8000-000000000003","fingerprint":"board-1","days":3}}`
	got := w.bulk(t, "root", "acme", "?atomic=true", slices.Repeat([]string{line}, 101)...)
	if got[100].Status != 413 || got[0].Status != 424 {
		t.Errorf("too many: %+v", got[100])
	}
}

func TestAReadingHasNoTimeOfItsOwn(t *testing.T) {
	w := newWorld(t)
	w.people(t)
	line := strings.TrimSuffix(w.readings(t, 1)[0], "}") + `,"at":"2026-03-01T12:00:00.9Z"}`
	if got := w.bulk(t, "ann", "acme", "", line); got[0].Status != 422 || got[0].Problem.Code != "invalid-value" {
		t.Errorf("%+v", got)
	}
}

func TestAFaultOfOneLineIsLogged(t *testing.T) {
	w := newWorld(t)
	w.people(t)
	lines := w.readings(t, 2)
	w.engine.Settle = func(context.Context, int64) error { return errors.New("the tables are stuck") }
	if got := statuses(w.bulk(t, "ann", "acme", "", lines...)); !slices.Equal(got, []int{500, 500}) {
		t.Errorf("answers %v", got)
	}
	if n := strings.Count(w.logged.String(), "the tables are stuck"); n != 1 {
		t.Errorf("logged %d times: %s", n, w.logged.String())
	}
}
