package reactions_test

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"strings"
	"testing"

	"github.com/google/uuid"

	"chancery/internal/dcb"
	"chancery/internal/reactions"
)

type happened struct{}

func (happened) EventType() string { return "toy.happened" }

func event(position int64) dcb.Recorded {
	return dcb.Recorded{Meta: dcb.Meta{Position: position, ID: uuid.New()}, Event: happened{}}
}

var (
	errBroken = errors.New("broken")
	errAway   = errors.New("the database is away")
)

// reaction does what is put into do next, and counts what it gave up.
type reaction struct {
	*reactions.Reaction
	do     func() error
	gaveUp int
	log    bytes.Buffer
}

func with(tries int) *reaction {
	r := &reaction{}
	r.Reaction = reactions.New(reactions.Config{
		Name: "toys", Types: []string{"toy.happened"}, Tries: tries, GaveUp: func() { r.gaveUp++ },
		Do:      func(context.Context, dcb.Recorded) error { return r.do() },
		Passing: func(err error) bool { return errors.Is(err, errAway) },
		Log:     slog.New(slog.NewTextHandler(&r.log, nil)),
	})
	return r
}

func (r *reaction) want(t *testing.T, position int64, want error) {
	t.Helper()
	if err := r.React(t.Context(), nil, event(position)); !errors.Is(err, want) {
		t.Fatalf("event %d: %v, want %v", position, err, want)
	}
}

func TestAnEventIsGivenUpAfterSoManyTriesAndTheNextOneHasAsMany(t *testing.T) {
	r := with(3)
	for position := range int64(2) {
		r.do = func() error { return errBroken }
		r.want(t, position+7, errBroken)
		r.do = func() error { panic("of its own") }
		if err := r.React(t.Context(), nil, event(position+7)); err == nil || !strings.Contains(err.Error(), "of its own") {
			t.Fatalf("a panic came to %v", err)
		}
		r.do = func() error { return errBroken }
		r.want(t, position+7, nil)
		if r.gaveUp != int(position)+1 {
			t.Fatalf("gave up %d events, want %d", r.gaveUp, position+1)
		}
	}
	if text := r.log.String(); strings.Count(text, "given up") != 2 || !strings.Contains(text, "position=8") || !strings.Contains(text, "broken") {
		t.Errorf("the log says %s", text)
	}
}

func TestTroubleThatPassesIsWaitedOut(t *testing.T) {
	r := with(2)
	r.do = func() error { return errAway }
	for range 50 {
		r.want(t, 1, errAway)
	}
	r.do = func() error { return nil }
	r.want(t, 1, nil)
	stopped, stop := context.WithCancel(t.Context())
	stop()
	r.do = func() error { return errBroken }
	for range 50 {
		if err := r.React(stopped, nil, event(2)); !errors.Is(err, errBroken) {
			t.Fatalf("on stopping: %v", err)
		}
	}
	if r.gaveUp != 0 {
		t.Errorf("gave up %d events", r.gaveUp)
	}
}
