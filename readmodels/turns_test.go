package readmodels_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"chancery/domain"
	"chancery/internal/eventlog"
	"chancery/internal/ledger"
	"chancery/readmodels"
)

// pondering has endpoints take a tenth of a second to say what they mean, by a clock of its own, and counts how often they are asked.
type pondering struct {
	*world
	clock time.Time
	asked int
	also  func(domain.TenantID) // on each asking
}

const tenth = 100 * time.Millisecond

func newPondering(t *testing.T) *pondering {
	t.Helper()
	p := &pondering{world: newWorld(t).meaning()}
	p.slow(func(tenant domain.TenantID) {
		p.clock = p.clock.Add(tenth)
		p.asked++
		if p.also != nil {
			p.also(tenant)
		}
	}, p.ledger, func() time.Time { return p.clock })
	return p
}

// slow is like meaning, with something done before an endpoint says what it means.
func (w *world) slow(before func(domain.TenantID), s readmodels.Source, clock func() time.Time) {
	w.reader = readmodels.New(readmodels.Config{Source: s, Opener: w.vault, Claim: w.claim, Clock: clock, Means: func(s readmodels.Subscriber) func(*eventlog.Raw) bool {
		return func(e *eventlog.Raw) bool {
			before(s.Tenant)
			return domain.MatchesAny(s.Terms.Types, domain.OutwardType(e.SourceApp, e.Type))
		}
	}})
}

// pages walks through a list and tells how many askings each page took.
func (p *pondering) pages(v readmodels.View, asked readmodels.Params, ids ...uuid.UUID) (all []string, askings []int) {
	p.t.Helper()
	for range 100 {
		p.asked = 0
		page := list(p.t, v, "deliveries", asked)
		all, askings = append(all, told(p.t, page.Items, ids...)...), append(askings, p.asked)
		if asked.Cursor = page.Next; asked.Cursor == "" {
			return all, askings
		}
	}
	p.t.Fatal("the pages do not end")
	return nil, nil
}

func TestAPageEndsWhenJudgingHasTakenHalfASecond(t *testing.T) {
	p := newPondering(t)
	tenant, ids := p.traffic()
	ids = append(ids, p.endpoint(tenant, "billing", row{"types": []string{"core.b.*"}}))
	for range 20 { // in the middle of an event
		p.endpoint(tenant, "billing", row{"types": []string{"core.x.*"}})
	}
	want := []string{
		"1 to 0 delivered 2", "2 to 0 dead 2", "3 to 2 pending 0", "4 to 0 retrying 2", "5 to 0 pending 0", "6 to 2 pending 0", "7 to 0 delivered 2",
		"8 to 0 pending 0", "8 to 1 pending 0", "9 to 1 pending 0", "9 to 2 pending 0", "10 to 0 pending 0", "10 to 1 pending 0",
	}
	check := func(what string, v readmodels.View, asked readmodels.Params, want []string, least int) {
		t.Helper()
		got, askings := p.pages(v, asked, ids...)
		slices.Sort(got) // endpoints of one event are in the order of ids, which are random
		if want = slices.Sorted(slices.Values(want)); !slices.Equal(got, want) {
			t.Errorf("%s: %v, want %v", what, got, want)
		}
		if slices.Max(askings) > 5 || len(askings) < least {
			t.Errorf("%s: endpoints were asked so many times for each page: %v", what, askings)
		}
	}
	for _, limit := range []int32{1, 3, 100} {
		check(fmt.Sprint("by ", limit), p.now(tenant), readmodels.Params{Limit: limit}, want, 20*10/5)
	}
	event := list(t, p.now(tenant), "events", readmodels.Params{}).Items[9].(*readmodels.Event).ID.String()
	check("of an event", p.now(tenant), readmodels.Params{Filter: map[string]string{"event_id": event}}, want[11:], 20/5)

	p.exec(ledger.Project, `UPDATE event_deliveries SET attempt_count = 0, status = 'waiting'`) // as of the past they have no attempts
	p.remember()
	p.exec(ledger.Project, `INSERT INTO core.event_deliveries (tenant_id, endpoint_id, tenant_seq, id, event_id, event_type, position, consumer_app_id, sequence, status,
		attempt_count, created_at) SELECT $1, $2, tenant_seq, gen_random_uuid(), id, 'core.a.b', position, 'billing', tenant_seq, 'delivered', 1, now()
		FROM core.events WHERE tenant_seq > 4 ON CONFLICT DO NOTHING`, tenant, ids[0])
	var then []string
	for _, seq := range []int{1, 2, 4, 5, 7, 8, 10} {
		then = append(then, fmt.Sprint(seq, " to 0 pending 0"))
	}
	of := map[string]string{"endpoint_id": ids[0].String()}
	check("of the past", p.then(tenant, 10, time.Time{}), readmodels.Params{Filter: of}, then, 2)
}

func TestStatisticsTellThatMoreMayWaitWhenJudgingTakesLong(t *testing.T) {
	p := newPondering(t)
	tenant, ids := p.traffic()
	s, err := p.now(tenant).EndpointStats(t.Context(), ids[0].String(), time.Hour, p.at)
	if err != nil || s.Backlog != 3 || !s.BacklogIsLeast || p.asked != 5 { // the retrying one, the 5th and the 8th; the 10th is not come to
		t.Errorf("after %d askings: %+v, %v", p.asked, s, err)
	}
	if s, err = p.now(tenant).EndpointStats(t.Context(), ids[1].String(), time.Hour, p.at); err != nil || s.Backlog != 3 || s.BacklogIsLeast {
		t.Errorf("%+v, %v", s, err)
	}
}

func TestWhoHangsUpIsJudgedNothingMoreFor(t *testing.T) {
	p := newPondering(t)
	tenant, ids := p.traffic()
	for name, ask := range map[string]func(context.Context) error{
		"the list": func(ctx context.Context) error {
			_, err := p.now(tenant).List(ctx, of(t, "deliveries"), readmodels.Params{})
			return err
		},
		"statistics": func(ctx context.Context) error {
			_, err := p.now(tenant).EndpointStats(ctx, ids[0].String(), time.Hour, p.at)
			return err
		},
	} {
		ctx, hangUp := context.WithCancel(t.Context())
		p.asked, p.also = 0, func(domain.TenantID) { hangUp() }
		if err := ask(ctx); !errors.Is(err, context.Canceled) || p.asked > 2 { // there are two endpoints
			t.Errorf("%s: %v after %d askings", name, err, p.asked)
		}
	}
}

func TestACountOfWhatWaitsEndsAndNoTenantsFiltersKeepOthersFromIt(t *testing.T) {
	p := newPondering(t)
	p.also = func(domain.TenantID) { p.clock = p.clock.Add(-tenth / 2) } // it takes 50 ms
	tenants := map[uuid.UUID]int64{}
	for range 3 {
		tenant := uuid.New()
		for range 3 {
			p.happen(tenant, "a.b", "{}", "thing:1")
		}
		p.put("tenant_apps", tenant, row{
			"id": uuid.New(), "app_id": uuid.New(), "app": "billing", "enabled": true, "app_version": "1.0.0", "config": "{}", "license_required": false, "resumes": false,
			"enabled_at": p.at, "changed_at": p.at,
		})
		p.endpoint(tenant, "billing", row{"types": []string{"core.a.*"}})
		p.endpoint(tenant, "billing", row{"types": []string{"core.a.*"}})
		tenants[tenant] = 0
	}
	b := p.reader.Backlogs(p.ledger.Pool(ledger.Project))
	for _, want := range []int64{2, 4, 6, 6} {
		p.asked = 0
		found, err := b.Count(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		clear(tenants)
		for _, f := range found {
			tenants[f.Tenant] += f.Deliveries
		}
		for tenant, n := range tenants {
			if n != want {
				t.Errorf("for %s wait %d, want %d", tenant, n, want)
			}
		}
		if p.asked > 6 {
			t.Errorf("endpoints were asked %d times", p.asked)
		}
	}
}

// counting is a source that tells how many read from it at once.
type counting struct {
	readmodels.Source

	reading atomic.Int64
}

func (c *counting) QueryIn(ctx context.Context, schema string, tenant uuid.UUID, fn func(pgx.Tx) error) error {
	c.reading.Add(1)
	defer c.reading.Add(-1)
	return c.Source.QueryIn(ctx, schema, tenant, fn)
}

func TestJudgingLeavesConnectionsForOthersAndTurnsForOtherTenants(t *testing.T) {
	w := newWorld(t)
	tenant, ids := w.traffic()
	source, entered, goOn := &counting{Source: w.ledger}, make(chan struct{}, 1000), make(chan struct{})
	w.slow(func(of domain.TenantID) {
		if of.UUID == tenant {
			entered <- struct{}{}
			<-goOn
		}
	}, source, nil)
	ask := func(ctx context.Context, tenant uuid.UUID, i int) (err error) {
		if i%2 == 0 {
			_, err = w.now(tenant).List(ctx, of(t, "deliveries"), readmodels.Params{})
		} else {
			_, err = w.now(tenant).EndpointStats(ctx, ids[0].String(), time.Hour, w.at)
		}
		return err
	}
	ctx, hangUp := context.WithCancel(t.Context())
	defer hangUp()
	ended := make(chan error, 40)
	var all sync.WaitGroup
	for i := range 40 {
		all.Go(func() { ended <- ask(ctx, tenant, i) })
	}
	for range 8 {
		if err := <-ended; !errors.Is(err, readmodels.ErrBusy) {
			t.Errorf("one of too many: %v", err)
		}
	}
	<-entered
	<-entered // two judge, and thirty wait
	if n := source.reading.Load(); n != 2 || len(entered) != 0 {
		t.Errorf("%d hold a connection", n)
	}
	for _, c := range []string{"users", "deliveries"} {
		list(t, w.now(uuid.New()), c, readmodels.Params{}) // of another tenant
	}
	for _, f := range []map[string]string{{"status": "dead"}, {"status": "delivered"}} {
		list(t, w.now(tenant), "deliveries", readmodels.Params{Filter: f}) // of which nothing is judged
	}
	hangUp()
	for range 30 {
		if err := <-ended; !errors.Is(err, context.Canceled) {
			t.Errorf("one that waited: %v", err)
		}
	}
	close(goOn)
	all.Wait()
	for i := range 2 {
		if err := ask(t.Context(), tenant, i); err != nil {
			t.Errorf("later: %v", err)
		}
	}
}
