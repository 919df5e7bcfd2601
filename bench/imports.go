package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"time"

	"chancery/internal/eventlog"
	"chancery/internal/imports"
	"chancery/internal/imports/orgtest"
)

// realHistory is present on some machines only.
const realHistory = "../shared/data/kubernetes-org/history.ndjson"

// history is a database that holds an imported history.
type history struct {
	*inside
	server *server
	what   string
	events int64
	took   time.Duration
}

func (h *history) close(ctx context.Context) {
	h.inside.close(ctx)
	h.server.stop()
}

// imported imports the history once.
func (b *bench) imported(ctx context.Context) (*history, error) {
	if b.history != nil {
		return b.history, nil
	}
	changes, what, err := changes()
	if err != nil {
		return nil, err
	}
	plan, err := imports.PlanHistory(changes)
	if err != nil {
		return nil, err
	}
	s, err := b.serve(ctx)
	if err != nil {
		return nil, err
	}
	before, began := b.usage(), time.Now()
	err = s.bulk().Run(ctx, plan)
	h := &history{server: s, what: fmt.Sprintf("%s, %s commands", what, number(float64(plan.Lines()))), took: time.Since(began)}
	b.spent(before, float64(plan.Lines()))
	if err == nil {
		h.inside, err = open(ctx, s.url, s.data, eventlog.Config{})
	}
	if err != nil {
		s.stop()
		return nil, err
	}
	b.history = h
	h.events, err = h.log.Head(ctx)
	return h, err
}

func changes() (list []imports.Change, what string, err error) {
	f, err := os.Open(realHistory)
	if errors.Is(err, fs.ErrNotExist) {
		return orgtest.Generate(1, 20000), "a made-up organisation", nil
	}
	if err != nil {
		return nil, "", err
	}
	defer f.Close()
	list, err = imports.ReadHistory(f)
	return list, "kubernetes/org", err
}

// imports measures the import of a history, line by line through the bulk API.
func (b *bench) imports(ctx context.Context) error {
	h, err := b.imported(ctx)
	if err != nil {
		return err
	}
	bare, err := copied(ctx, h.ledger, "events")
	if err != nil {
		return err
	}
	b.add(row{
		what:     fmt.Sprintf("bulk import of %s (COPY of its events)", h.what),
		measured: fmt.Sprintf("%.1f s, %s events/s", h.took.Seconds(), number(float64(h.events)/h.took.Seconds())),
		baseline: fmt.Sprintf("%.2f s, %s rows/s", bare.Seconds(), number(float64(h.events)/bare.Seconds())),
		ratio:    h.took.Seconds() / bare.Seconds(), aim: "≤ 10 s", met: h.took <= 10*time.Second,
	})
	return nil
}
