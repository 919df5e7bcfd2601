package app

import (
	"fmt"
	"testing"

	"github.com/google/uuid"
)

func TestOfManyRacersForAnEventOneIsToldThatItWasTheFirst(t *testing.T) {
	run := func(t *testing.T, s *stall, at []caller) {
		t.Helper()
		_, address := s.pull("")
		s.order(s.shop, 1)
		event := s.received(s.stock.do("POST", address+"/receive", `{}`))[0].Event.EventID
		counts := race(field, func(i int) reply {
			return at[i%len(at)].command("acme", "consume-event", fmt.Sprintf(`{"event_id":%q%s}`, event, []string{"", `,"app":"stock"`}[i%2]))
		})
		t.Log(counts)
		s.equal("answers", map[string]int{"200": 1, "422 event-consumed": field - 1}, counts)
		s.app.settled(t)
		s.equal("rows", []string{event}, s.app.column(t, `SELECT event_id::text FROM core.event_consumption WHERE tenant_id = $1`, s.acme))
		s.equal("events", []string{"1"}, s.app.column(t, `SELECT count(*)::text FROM core.events WHERE tenant_id = $1 AND type = 'consumption.recorded'`, s.acme))
	}
	t.Run("one process", func(t *testing.T) {
		s := newStall(t)
		run(t, s, []caller{s.stock})
	})
	t.Run("two processes", func(t *testing.T) {
		s := newStall(t)
		other := openWith(t, Config{Now: s.clock.now, DatabaseURL: s.app.config.DatabaseURL, Data: s.app.config.Data})
		run(t, s, []caller{s.stock, {other.handlerForTest(t), s.stock.token}})
	})
}

func TestWhoRepeatsTheRequestIsAnsweredAsAtFirst(t *testing.T) {
	s := newStall(t)
	s.order(s.shop, 1)
	event := s.app.column(t, `SELECT id::text FROM core.events WHERE source_app_id = 'shop'`)[0]
	body := fmt.Sprintf(`{"event_id":%q}`, event)
	first := s.stock.command("acme", "consume-event", body, "Idempotency-Key", "once")
	again := s.stock.command("acme", "consume-event", body, "Idempotency-Key", "once")
	if first.status != 200 || again.status != 200 || first.body != again.body {
		t.Errorf("%d %s\n%d %s", first.status, first.body, again.status, again.body)
	}
	s.equal("another request", "event-consumed", s.stock.command("acme", "consume-event", body, "Idempotency-Key", "twice").code())
	s.equal("another app", 200, s.shop.command("acme", "consume-event", body).status)
	s.equal("for another app", "not-the-app", s.shop.command("acme", "consume-event", fmt.Sprintf(`{"event_id":%q,"app":"stock"}`, event)).code())
	s.equal("nobody's event", "not-found", s.stock.command("acme", "consume-event", fmt.Sprintf(`{"event_id":%q}`, uuid.New())).code())
	theirs := s.app.column(t, `SELECT id::text FROM core.events WHERE tenant_id <> $1 ORDER BY position LIMIT 1`, s.acme)[0]
	s.equal("another tenant's event", "not-found", s.stock.command("acme", "consume-event", fmt.Sprintf(`{"event_id":%q}`, theirs)).code())
}
