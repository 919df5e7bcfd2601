package commands_test

import (
	"context"
	"log/slog"
	"testing"

	"chancery/commands"
	"chancery/domain"
	"chancery/internal/dcb"
)

// happened is a command that has decided already.
type happened []dcb.Event

func (h happened) Decide(commands.Env) dcb.Decision {
	return dcb.From().Decide(func() ([]dcb.Event, error) { return h, nil })
}

func TestUseOfSessionsIsRecordedOncePerNoteAndAtTheEnd(t *testing.T) {
	w := newWorld(t)
	w.must(t, commands.SystemOrder("begin", happened{
		registered("ann"), began("here", user("ann"), domain.ByPassword), began("there", user("ann"), domain.ByPassword),
		ended("there", user("ann"), domain.SignedOut),
	}, acme, dcb.Provenance{}))
	head := w.head(t)
	s := commands.NewSightings(w.Engine, slog.New(slog.DiscardHandler))
	for range 100 {
		s.Note(acme, user("ann"), session("here"))
		s.Note(acme, user("ann"), session("there"))
		s.Note(acme, user("ann"), session("never"))
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	s.Run(ctx)
	events := w.stored(t, head)
	if len(events) != 1 || events[0].Event != (domain.SessionSeen{Session: session("here"), User: user("ann")}) || events[0].Session != session("here").UUID {
		t.Errorf("recorded %v", events)
	}
}
