package main

import (
	"context"
	"fmt"
	"slices"

	"github.com/google/uuid"

	"chancery/internal/eventlog"
)

// appends measures the log alone: one event with three tags under a condition of two items, a commit for each caller.
func (b *bench) appends(ctx context.Context) error {
	url, data, err := b.cluster.database(ctx)
	if err != nil {
		return err
	}
	in, err := open(ctx, url, data, eventlog.Config{})
	if err != nil {
		return err
	}
	defer in.close(ctx)
	callers := []int{1, 8, 64, 256}
	plain, err := openBare(ctx, in.ledger, slices.Max(callers))
	if err != nil {
		return err
	}
	defer plain.close()
	for _, n := range callers {
		engine, err := drive(n, b.span, func(int) error { return appendOne(ctx, in.log) })
		if err != nil {
			return err
		}
		single, err := plain.inserts(ctx, n, b.span)
		if err != nil {
			return err
		}
		r := versus(fmt.Sprintf("append, %d callers (bare INSERT + COMMIT)", n), engine, single, 0)
		if n == 64 {
			r.aim, r.met = "≥ 1.0 × bare", r.ratio >= 1
		}
		b.add(r)
	}
	return nil
}

func appendOne(ctx context.Context, log eventlog.Log) error {
	e, user := someEvent()
	v, err := log.Append(ctx, eventlog.Request{
		Parts:  []eventlog.Part{{ID: uuid.Must(uuid.NewV7()), Fingerprint: user[:], Events: 1}},
		Events: []eventlog.Raw{e},
		Conditions: []eventlog.Condition{{Query: eventlog.Query{
			{Types: []string{"role.assigned"}, Tags: e.Tags[:1]}, {Types: []string{"role.retired"}, Tags: e.Tags[1:2]},
		}}},
	})
	if err == nil && v.Status != eventlog.Accepted {
		err = fmt.Errorf("the append was answered: %s", v.Status)
	}
	return err
}
