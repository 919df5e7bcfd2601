package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
)

const (
	pendingEvents = 1_000_000
	startsWithin  = 5 * time.Second
	pendingMemory = 300 // MB
)

// pending measures what a server needs that has many deliveries before it: to start, and to go on. The receiver hangs.
func (b *bench) pending(ctx context.Context) error {
	if b.inprocess {
		return errors.New("the server must run as a process of its own")
	}
	w, err := b.wire(ctx)
	if err != nil {
		return err
	}
	defer func() { w.stopAll() }()
	if _, err := w.endpoint(ctx, 10, "/hangs", "shop.*"); err != nil {
		return err
	}
	few, fewMemory, err := b.restarted(ctx, w)
	if err != nil {
		return err
	}
	if err := b.fill(ctx, w); err != nil {
		return err
	}
	many, manyMemory, err := b.restarted(ctx, w)
	if err != nil {
		return err
	}
	what := fmt.Sprintf("of a server before %s pending deliveries (before none)", number(pendingEvents))
	b.add(row{
		what: "start " + what, measured: millis(many), baseline: millis(few), ratio: many.Seconds() / few.Seconds(),
		aim: "≤ 5 s", met: many <= startsWithin,
	})
	b.add(row{
		what: "resident memory " + what, measured: fmt.Sprintf("%.0f MB", manyMemory), baseline: fmt.Sprintf("%.0f MB", fewMemory),
		ratio: manyMemory / fewMemory, aim: fmt.Sprintf("≤ %d MB", pendingMemory), met: manyMemory <= pendingMemory,
	})
	return nil
}

// restarted says how long the server took to start, and how much memory it had at most, some time later.
func (b *bench) restarted(ctx context.Context, w *wire) (took time.Duration, most float64, err error) {
	w.stop()
	began := time.Now()
	if err := w.there(ctx, b.binary); err != nil {
		return 0, 0, err
	}
	took = time.Since(began)
	receiver := w.receiver
	w.stopAll = func() { w.stop(); receiver.Stop() }
	if b.verbose {
		most, _ = memory(w.pid)
		fmt.Fprintf(os.Stderr, "  after the start %.0f MB\n", most)
	}
	late := time.NewTimer(2*b.span + 5*time.Second)
	defer late.Stop()
	select {
	case <-late.C:
	case <-ctx.Done():
	}
	most, err = memory(w.pid)
	return took, most, err
}

// memory is the most that a process ever had resident, in MB.
func memory(pid int) (float64, error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0, err
	}
	for line := range bytes.Lines(text) {
		if value, found := strings.CutPrefix(string(line), "VmHWM:"); found {
			kb, err := strconv.ParseFloat(strings.Fields(value)[0], 64)
			return kb / 1000, err
		}
	}
	return 0, errors.New("the machine does not say how much memory a process has")
}

// fill puts events of the app into the log, as if they had been published, projected and reacted to long ago.
func (b *bench) fill(ctx context.Context, w *wire) error {
	w.stop()
	database, err := pgx.ParseConfig(w.url)
	if err != nil {
		return err
	}
	c, err := pgx.Connect(ctx, b.cluster.server.SuperuserURL(database.Database))
	if err != nil {
		return err
	}
	defer c.Close(ctx)
	_, err = c.Exec(ctx, `INSERT INTO core.events (position, id, tenant_id, tenant_seq, source_app_id, type, payload, metadata, tags, request_id, occurred_at, created_at)
		SELECT last.position + n, gen_random_uuid(), last.tenant_id, last.tenant_seq + n, 'shop', 'shop.order.kind-00',
			json_build_object('order', n::text, 'total', 99.5, 'note', $2::text),
			json_build_object('actor', gen_random_uuid(), 'effective', gen_random_uuid(), 'app', 'shop', 'cloudevent', json_build_object('id', n::text, 'source', '/bench')),
			'{}', gen_random_uuid(), last.created_at, last.created_at
		FROM (SELECT position, tenant_id, tenant_seq, created_at FROM core.events ORDER BY position DESC LIMIT 1) last, generate_series(1, $1::bigint) n`, pendingEvents, padding)
	if err != nil {
		return fmt.Errorf("fill the log: %w", err)
	}
	if _, err := c.Exec(ctx, `UPDATE core.projection_offsets SET position = (SELECT max(position) FROM core.events)`); err != nil {
		return err
	}
	_, err = c.Exec(ctx, `VACUUM (ANALYZE) core.events`)
	return err
}
