package app

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"chancery/commands"
	"chancery/domain"
	"chancery/internal/ledger"
	"chancery/internal/pgtest"
	"chancery/internal/throttle"
)

func TestATicketComesBackAsItWentForItsPurposeAndInTime(t *testing.T) {
	a := start(t)
	now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	ticket := commands.Ticket{
		ID: domain.TicketID{UUID: uuid.New()}, Purpose: "step-up", Tenant: domain.Root, User: domain.UserID{UUID: uuid.New()},
		Methods: []string{"pwd"}, State: []byte("canary state"), Until: now.Add(time.Minute),
	}
	text := a.engine.Authn.Ticket(ticket)
	if strings.Contains(text, "canary") {
		t.Errorf("the ticket can be read: %s", text)
	}
	got, ok := a.engine.Authn.OpenTicket("step-up", text, now)
	if diff := cmp.Diff(ticket, got); !ok || diff != "" {
		t.Errorf("%v (-sealed +opened)\n%s", ok, diff)
	}
	edited := "A" + text[1:]
	if edited == text {
		edited = "B" + text[1:]
	}
	for what, try := range map[string]func() (commands.Ticket, bool){
		"another purpose":   func() (commands.Ticket, bool) { return a.engine.Authn.OpenTicket("sign-in", text, now) },
		"the end":           func() (commands.Ticket, bool) { return a.engine.Authn.OpenTicket("step-up", text, ticket.Until) },
		"an edit":           func() (commands.Ticket, bool) { return a.engine.Authn.OpenTicket("step-up", edited, now) },
		"nothing":           func() (commands.Ticket, bool) { return a.engine.Authn.OpenTicket("step-up", "", now) },
		"another's sealing": func() (commands.Ticket, bool) { return start(t).engine.Authn.OpenTicket("step-up", text, now) },
	} {
		if got, ok := try(); ok || got.Tenant != (domain.TenantID{}) {
			t.Errorf("%s: opens as %+v", what, got)
		}
	}
}

func TestCountsOfTriesOutliveARestartAndAreNoPartOfAReplay(t *testing.T) {
	url, data := pgtest.URL(t), t.TempDir()
	a := startOn(t, url, data)
	try := throttle.Try{Key: "canary@example.org", Limit: throttle.Limit{Burst: 1, Every: time.Hour}}
	now := time.Now()
	if wait, err := a.throttle.Take(t.Context(), now, try); err != nil || wait != 0 {
		t.Fatal(wait, err)
	}
	a.settled(t)
	r, err := a.Replay()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := r.Rebuild(t.Context()); err != nil {
		t.Fatal(err)
	}
	if v, err := r.Verify(t.Context(), 10); err != nil || v.Total != 0 {
		t.Errorf("%v, %v", v, err)
	}
	a.Close()
	again := startOn(t, url, data)
	if wait, err := again.throttle.Take(t.Context(), now, try); err != nil || wait == 0 {
		t.Errorf("wait %s, %v", wait, err)
	}
	var row string
	if err := again.ledger.Pool(ledger.Append).QueryRow(context.Background(), "SELECT t::text FROM core.throttle t").Scan(&row); err != nil || strings.Contains(row, "canary") {
		t.Errorf("the table says %s, %v", row, err)
	}
}

func TestTheLocalURLHasThePortOfTheListener(t *testing.T) {
	for listen, want := range map[string]string{
		"127.0.0.1:8080": "http://localhost:8080", ":80": "http://localhost:80", "[::]:8080": "http://localhost:8080", "nonsense": "http://localhost",
	} {
		if got := localURL(listen); got != want {
			t.Errorf("%s: %s, want %s", listen, got, want)
		}
	}
}
