// Package memlog is the event log in memory: the reference for eventlog.PG, and the log of tests that need no database. It never
// outlives its process.
package memlog

import (
	"bytes"
	"context"
	"math"
	"sync"
	"time"

	"github.com/google/uuid"

	"chancery/internal/eventlog"
)

// Log keeps everything. It decides as the database does, by plain loops over all events.
type Log struct {
	now      func() time.Time
	onAppend func([]eventlog.Raw)

	mu       sync.Mutex // owns the rest, and is held while onAppend runs: that keeps its order
	events   []eventlog.Raw
	receipts map[uuid.UUID]eventlog.Receipt
	keys     map[[2]uuid.UUID][]byte
	newest   map[uuid.UUID]eventlog.Raw // by tenant
}

// New returns an empty log. Of the configuration it heeds Now and OnAppend.
func New(c eventlog.Config) *Log {
	if c.Now == nil {
		c.Now = time.Now
	}
	return &Log{
		now: c.Now, onAppend: c.OnAppend,
		receipts: map[uuid.UUID]eventlog.Receipt{}, keys: map[[2]uuid.UUID][]byte{}, newest: map[uuid.UUID]eventlog.Raw{},
	}
}

// Append implements eventlog.Log.
func (l *Log) Append(ctx context.Context, r eventlog.Request) (eventlog.Verdict, error) {
	r, err := r.Normal()
	if err != nil {
		return eventlog.Verdict{}, err
	}
	if err := ctx.Err(); err != nil {
		return eventlog.Verdict{}, err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	at := eventlog.Instant(l.now())
	if n := len(l.events); n > 0 && at.Before(l.events[n-1].CreatedAt) {
		at = l.events[n-1].CreatedAt
	}
	if v, rejected := l.judge(r, at); rejected {
		return v, nil
	}
	v := l.store(r, at)
	if l.onAppend != nil && len(r.Events) > 0 {
		l.onAppend(r.Events)
	}
	return v, nil
}

func (l *Log) judge(r eventlog.Request, at time.Time) (eventlog.Verdict, bool) {
	for i, p := range r.Parts {
		known, ok := l.receipts[p.ID]
		switch {
		case ok && bytes.Equal(known.Fingerprint, p.Fingerprint):
			return eventlog.Verdict{Status: eventlog.Duplicate, Part: i, First: known.First, Last: known.Last, CreatedAt: known.CreatedAt}, true
		case ok:
			return eventlog.Verdict{Status: eventlog.KeyReused, Part: i}, true
		}
	}
	if hit := l.conflict(r.Conditions); hit > 0 {
		return eventlog.Verdict{Status: eventlog.Conflict, ConflictAt: hit}, true
	}
	for _, k := range r.Keys {
		if known, ok := l.keys[[2]uuid.UUID{k.Tenant, k.Subject}]; ok && !bytes.Equal(known, k.Wrapped) {
			return eventlog.Verdict{Status: eventlog.Conflict}, true
		}
	}
	early := eventlog.OutOfOrder(r.Events)
	for _, e := range r.Events {
		if !e.OccurredAt.IsZero() && (e.OccurredAt.After(at) || e.OccurredAt.Before(l.newest[e.Tenant].OccurredAt)) {
			early = true
		}
	}
	return eventlog.Verdict{Status: eventlog.TooEarly}, early
}

// conflict returns the first position that fails a condition, or 0.
func (l *Log) conflict(conditions []eventlog.Condition) int64 {
	for i := range l.events {
		for _, c := range conditions {
			if e := &l.events[i]; e.Position > c.After && c.Query.Matches(e) {
				return e.Position
			}
		}
	}
	return 0
}

func (l *Log) store(r eventlog.Request, at time.Time) eventlog.Verdict {
	base := int64(len(l.events))
	i := 0
	for _, p := range r.Parts {
		first := base + int64(i) + 1
		for range p.Events {
			e := &r.Events[i]
			i++
			e.Position, e.RequestID, e.CreatedAt, e.TenantSeq = base+int64(i), p.ID, at, l.newest[e.Tenant].TenantSeq+1
			if e.OccurredAt.IsZero() {
				e.OccurredAt = at
			}
			stored := *e
			stored.Typed = nil
			l.events = append(l.events, stored)
			l.newest[e.Tenant] = stored
		}
		l.receipts[p.ID] = eventlog.Receipt{Fingerprint: p.Fingerprint, First: first, Last: base + int64(i), CreatedAt: at}
	}
	for _, k := range r.Keys {
		if _, known := l.keys[[2]uuid.UUID{k.Tenant, k.Subject}]; !known {
			l.keys[[2]uuid.UUID{k.Tenant, k.Subject}] = k.Wrapped
		}
	}
	for i := range r.Events {
		if subject, erases := eventlog.Erases(&r.Events[i]); erases {
			l.keys[[2]uuid.UUID{r.Events[i].Tenant, subject}] = []byte{}
		}
	}
	return eventlog.Verdict{First: base + 1, Last: base + int64(len(r.Events)), CreatedAt: at}
}

// Read implements eventlog.Log.
func (l *Log) Read(ctx context.Context, q eventlog.Query) ([]eventlog.Raw, int64, error) {
	if err := q.Check(); err != nil {
		return nil, 0, err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	var found []eventlog.Raw
	for i := range l.events {
		if q.Matches(&l.events[i]) {
			found = append(found, l.events[i])
		}
	}
	return found, int64(len(l.events)), ctx.Err()
}

// Receipts implements eventlog.Log.
func (l *Log) Receipts(ctx context.Context, ids []uuid.UUID) (map[uuid.UUID]eventlog.Receipt, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	found := map[uuid.UUID]eventlog.Receipt{}
	for _, id := range ids {
		if r, ok := l.receipts[id]; ok {
			found[id] = r
		}
	}
	return found, ctx.Err()
}

// Page implements eventlog.Log.
func (l *Log) Page(ctx context.Context, after int64, limit int) ([]eventlog.Raw, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	n := int64(len(l.events))
	after = min(max(after, 0), n)
	return append([]eventlog.Raw(nil), l.events[after:min(after+int64(limit), n)]...), ctx.Err()
}

// Own implements eventlog.Log.
func (l *Log) Own(ctx context.Context, after int64, limit int) (page []eventlog.Raw, through int64, err error) {
	rest, err := l.Page(ctx, after, math.MaxInt32)
	through = after
	for _, e := range rest {
		if len(page) == limit {
			break
		}
		if through = e.Position; e.SourceApp == "core" {
			page = append(page, e)
		}
	}
	return page, through, err
}

// Head implements eventlog.Log.
func (l *Log) Head(ctx context.Context) (int64, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return int64(len(l.events)), ctx.Err()
}

// Key returns the stored data key of a subject, as tests of personal data need it.
func (l *Log) Key(tenant, subject uuid.UUID) ([]byte, bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	k, ok := l.keys[[2]uuid.UUID{tenant, subject}]
	return k, ok
}
