package main

import (
	"context"
	"fmt"
	"io"
	"slices"
	"sync"
	"sync/atomic"
	"text/tabwriter"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5/pgxpool"

	"chancery/internal/eventlog"
	"chancery/internal/ledger"
)

// appendTable prints how many commands a second the log appends, each one event with three tags under a condition of two
// items, beside bare INSERTs of the same event, a transaction each, into a table with the same indexes and nothing else.
// Both run on the same database, one after the other at each number of callers.
func appendTable(ctx context.Context, url string, out io.Writer, span time.Duration, callers ...int) error {
	l, err := ledger.Open(ctx, ledger.Config{URL: url, Migrate: true})
	if err != nil {
		return err
	}
	defer l.Close()
	log := eventlog.Open(l, eventlog.Config{})
	defer log.Close(ctx)
	owner := l.Pool(ledger.Owner)
	if _, err := owner.Exec(ctx, `DROP SCHEMA IF EXISTS bare CASCADE; CREATE SCHEMA bare;
		CREATE TABLE bare.events (LIKE core.events INCLUDING ALL); CREATE SEQUENCE bare.seq CACHE 1;`); err != nil {
		return fmt.Errorf("bench: bare table: %w", err)
	}
	cfg := owner.Config()
	cfg.MaxConns = int32(slices.Max(callers))
	bare, err := pgxpool.NewWithConfig(ctx, cfg)
	if err != nil {
		return err
	}
	defer bare.Close()

	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(w, "callers\tengine/s\tp50\tp99\tbare INSERT/s\tp50\tp99\tratio\t")
	for _, n := range callers {
		engine, err := drive(n, span, func() error {
			return engineAppend(ctx, log)
		})
		if err != nil {
			return err
		}
		plain, err := drive(n, span, func() error { return bareInsert(ctx, bare) })
		if err != nil {
			return err
		}
		fmt.Fprintf(w, "%d\t%.0f\t%s\t%s\t%.0f\t%s\t%s\t%.2f\t\n", n,
			engine.rate, engine.p50, engine.p99, plain.rate, plain.p50, plain.p99, engine.rate/plain.rate)
	}
	return w.Flush()
}

func benchEvent() (eventlog.Raw, uuid.UUID, uuid.UUID) {
	tenant, user := uuid.New(), uuid.New()
	return eventlog.Raw{
		ID: uuid.Must(uuid.NewV7()), Tenant: tenant, SourceApp: "core", Type: "role.assigned",
		Payload:  []byte(`{"user_id":"` + user.String() + `","role_id":"` + tenant.String() + `","scope":"department","expires_at":"2027-01-01T00:00:00Z"}`),
		Metadata: []byte(`{"actor":"` + user.String() + `","effective":"` + user.String() + `","correlation_id":"` + tenant.String() + `"}`),
		Tags:     []string{"user:" + user.String(), "role:" + tenant.String(), "assignment:" + user.String()},
	}, tenant, user
}

func engineAppend(ctx context.Context, log eventlog.Log) error {
	e, _, user := benchEvent()
	v, err := log.Append(ctx, eventlog.Request{
		Parts:  []eventlog.Part{{ID: uuid.Must(uuid.NewV7()), Fingerprint: user[:], Events: 1}},
		Events: []eventlog.Raw{e},
		Conditions: []eventlog.Condition{{Query: eventlog.Query{
			{Types: []string{"role.assigned"}, Tags: e.Tags[:1]}, {Types: []string{"role.retired"}, Tags: e.Tags[1:2]},
		}}},
	})
	if err == nil && v.Status != eventlog.Accepted {
		err = fmt.Errorf("bench: %s", v.Status)
	}
	return err
}

func bareInsert(ctx context.Context, pool *pgxpool.Pool) error {
	e, tenant, user := benchEvent()
	_, err := pool.Exec(ctx, `INSERT INTO bare.events (position, id, tenant_id, tenant_seq, source_app_id, type, payload, metadata, tags, request_id, occurred_at, created_at)
		VALUES (nextval('bare.seq'), $1, $2, 1, $3, $4, $5, $6, $7, $8, now(), now())`,
		e.ID, tenant, e.SourceApp, e.Type, e.Payload, e.Metadata, e.Tags, user)
	return err
}

type driven struct {
	rate     float64
	p50, p99 time.Duration
}

// drive calls op from n goroutines for a span, after a warm-up of a tenth of it.
func drive(n int, span time.Duration, op func() error) (driven, error) {
	var wg sync.WaitGroup
	var failed atomic.Pointer[error]
	took := make([][]time.Duration, n)
	warm := time.Now().Add(span / 10)
	end := warm.Add(span)
	for i := range n {
		wg.Go(func() {
			for failed.Load() == nil {
				began := time.Now()
				if began.After(end) {
					return
				}
				if err := op(); err != nil {
					failed.Store(&err)
					return
				}
				if began.After(warm) {
					took[i] = append(took[i], time.Since(began))
				}
			}
		})
	}
	wg.Wait()
	if err := failed.Load(); err != nil {
		return driven{}, *err
	}
	all := slices.Concat(took...)
	slices.Sort(all)
	if len(all) == 0 {
		return driven{}, fmt.Errorf("bench: nothing finished in %s", span)
	}
	round := func(d time.Duration) time.Duration { return d.Round(10 * time.Microsecond) }
	return driven{float64(len(all)) / span.Seconds(), round(all[len(all)/2]), round(all[len(all)*99/100])}, nil
}
