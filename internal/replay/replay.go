package replay

import (
	"context"
	"fmt"
	"runtime"
	"sync"

	"chancery/internal/dcb"
	"chancery/internal/eventlog"
	"chancery/internal/feed"
)

// Projection is a projector and the tables that it alone writes.
type Projection struct {
	Projector feed.Projector
	Tables    []string
	Grows     bool // it only ever adds rows, each once; so they need not be kept in memory
	Own       bool // it writes nothing of what apps publish
}

// Source is the log, or a part of it: at most limit events after a position, in order; none at its end.
type Source interface {
	Page(ctx context.Context, after int64, limit int) ([]eventlog.Raw, error)
}

const (
	pageSize  = 8000 // events per read
	chunkSize = 1000 // events per decoding and Apply
)

// Fold is projectors on their way through a source, writing to Tables.
type Fold struct {
	Tables *Tables
	Events int64 // read so far

	spill       func(context.Context) error // called now and then, nil: nobody is; it may take rows that no event will ever touch again
	source      Source
	decode      feed.Decode
	projections []Projection
	at          []int64 // by projection: applied up to here
}

// NewFold stands at the beginning, with empty tables.
func NewFold(tables []Table, source Source, decode feed.Decode, projections []Projection) (*Fold, error) {
	t, err := NewTables(tables)
	if err != nil {
		return nil, err
	}
	return &Fold{Tables: t, source: source, decode: decode, projections: projections, at: make([]int64, len(projections))}, nil
}

// To applies to each projector the events up to its position in until, both read ahead and decoded by
// other goroutines meanwhile. After an error the Fold is of no more use.
func (f *Fold) To(ctx context.Context, until map[string]int64) error {
	var from, last int64 = 1<<63 - 1, 0
	for i, p := range f.projections {
		if u := until[p.Projector.Name()]; u > f.at[i] {
			from, last = min(from, f.at[i]), max(last, u)
		}
	}
	if last == 0 {
		return nil
	}
	ctx, cancel := context.WithCancel(ctx)
	var wg sync.WaitGroup
	defer wg.Wait()
	defer cancel()
	for chunk := range f.read(ctx, &wg, from, last) {
		<-chunk.done
		if chunk.err != nil {
			return chunk.err
		}
		f.Events += int64(len(chunk.events))
		for i, p := range f.projections {
			if err := f.apply(ctx, i, within(chunk.events, f.at[i], until[p.Projector.Name()])); err != nil {
				return err
			}
		}
		if f.spill != nil {
			if err := f.spill(ctx); err != nil {
				return err
			}
		}
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	for i, p := range f.projections {
		f.at[i] = max(f.at[i], until[p.Projector.Name()])
	}
	return nil
}

func (f *Fold) apply(ctx context.Context, i int, events []dcb.Recorded) (err error) {
	if len(events) == 0 {
		return nil
	}
	name, first, last := f.projections[i].Projector.Name(), events[0].Position, events[len(events)-1].Position
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("replay %s over events %d to %d: panic: %v", name, first, last, p)
		}
	}()
	if err := f.projections[i].Projector.Apply(ctx, f.Tables, events); err != nil {
		return fmt.Errorf("replay %s over events %d to %d: %w", name, first, last, err)
	}
	f.at[i] = last
	return nil
}

// within cuts ordered events to those after a position and up to another.
func within(events []dcb.Recorded, after, until int64) []dcb.Recorded {
	for len(events) > 0 && events[0].Position <= after {
		events = events[1:]
	}
	for len(events) > 0 && events[len(events)-1].Position > until {
		events = events[:len(events)-1]
	}
	return events
}

// chunk is decoded by whichever worker takes it; done is closed then.
type chunk struct {
	raw    []eventlog.Raw
	events []dcb.Recorded
	err    error
	done   chan struct{}
}

// read yields the chunks of (after, last] in order, decoded or about to be. Its goroutines end with ctx
// or with the source.
func (f *Fold) read(ctx context.Context, wg *sync.WaitGroup, after, last int64) <-chan *chunk {
	ordered := make(chan *chunk, 2*pageSize/chunkSize)
	work := make(chan *chunk, cap(ordered))
	put := func(c *chunk) bool {
		for _, to := range []chan *chunk{work, ordered} {
			select {
			case to <- c:
			case <-ctx.Done():
				return false
			}
		}
		return true
	}
	wg.Go(func() {
		defer close(ordered)
		defer close(work)
		for after < last {
			limit := int(min(pageSize, last-after))
			page, err := f.source.Page(ctx, after, limit)
			if err != nil {
				put(&chunk{err: fmt.Errorf("replay: read events after %d: %w", after, err), done: make(chan struct{})})
				return
			}
			if len(page) == 0 {
				return
			}
			after = page[len(page)-1].Position
			for len(page) > 0 {
				n := min(chunkSize, len(page))
				if !put(&chunk{raw: page[:n], done: make(chan struct{})}) {
					return
				}
				page = page[n:]
			}
		}
	})
	for range max(1, runtime.GOMAXPROCS(0)) {
		wg.Go(func() {
			for c := range work {
				f.open(c)
			}
		})
	}
	return ordered
}

func (f *Fold) open(c *chunk) {
	defer close(c.done)
	if c.err != nil {
		return
	}
	at := 0
	defer func() {
		if p := recover(); p != nil {
			c.err = fmt.Errorf("replay: decode event %d: panic: %v", c.raw[at].Position, p)
		}
	}()
	c.events = make([]dcb.Recorded, len(c.raw))
	for i, raw := range c.raw {
		at = i
		e, err := f.decode(raw)
		if err != nil {
			c.err = fmt.Errorf("replay: decode event %d (%s): %w", raw.Position, raw.Type, err)
			return
		}
		e.Position = raw.Position
		c.events[i] = e
	}
	c.raw = nil
}
