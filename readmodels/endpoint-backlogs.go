package readmodels

import (
	"cmp"
	"context"
	"fmt"
	"hash/fnv"
	"math"
	"slices"
	"sync"
	"time"

	"github.com/google/uuid"

	"chancery/domain"
	"chancery/internal/eventlog"
	"chancery/readmodels/internal/rows"
)

// Backlog is what waits for an endpoint, as its statistics tell it.
type Backlog struct {
	Tenant, Endpoint uuid.UUID
	Deliveries       int64
	OldestAt         *time.Time // when the event of the oldest was recorded; nil: nothing waits
}

// Backlogs counts what waits for each endpoint that there is, of every tenant. What it found pending it keeps until the endpoint comes
// further or means something else, so counting again is looking at new events. It looks at so many at once: where more are pending
// the next counts go on, and are too small until then.
//
// mu owns kept.
type Backlogs struct {
	db    *rows.Queries
	means func(Subscriber) func(*eventlog.Raw) bool
	clock func() time.Time

	mu   sync.Mutex
	kept map[uuid.UUID]*pendingCount
}

// pendingCount is what was found pending for an endpoint.
type pendingCount struct {
	subscriber
	by      uint64 // what the endpoint means and how far it has come: all of this goes by that
	through int64  // tenant_seq up to which was looked
	n       int64
	oldest  *time.Time
}

// The most that is looked at in one count.
const (
	countEvents = 20_000
	countJudged = 100_000                // whether an endpoint means an event
	countTime   = 500 * time.Millisecond // that judging takes
	countShare  = 100 * time.Millisecond // of it for one tenant, so that its filters do not keep others' endpoints from being counted
	countNear   = 2_000                  // events: who lags by more does not keep others of its tenant from being counted
)

// Backlogs makes a counter. The pool MUST be that of the projectors' role.
func (r *Reader) Backlogs(db rows.DBTX) *Backlogs {
	return &Backlogs{db: rows.New(planned{db}), means: r.config.Means, clock: r.config.Clock, kept: map[uuid.UUID]*pendingCount{}}
}

// Count counts. How far endpoints have come is read first, then their rows, and then the events: what moves on meanwhile is not lost.
func (b *Backlogs) Count(ctx context.Context) ([]Backlog, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	found, err := b.db.AllSubscribers(ctx, rows.AllSubscribersParams{Platform: domain.Root.UUID, Policy: domain.EventsDeliverable.Key})
	if err != nil {
		return nil, fmt.Errorf("read endpoints: %w", err)
	}
	asked := rows.KeptBacklogsParams{Most: MostBacklog}
	for _, r := range found {
		asked.Tenants, asked.Endpoints, asked.Reached = append(asked.Tenants, r.TenantID), append(asked.Endpoints, r.ID), append(asked.Reached, r.Reached)
	}
	kept, err := b.db.KeptBacklogs(ctx, asked)
	if err != nil {
		return nil, fmt.Errorf("read deliveries under way: %w", err)
	}
	heads, err := b.db.Heads(ctx, asked.Tenants)
	if err != nil {
		return nil, fmt.Errorf("read how many events there are: %w", err)
	}
	near, far := b.behind(found, heads)
	if err := b.lookOn(ctx, near, far); err != nil {
		return nil, fmt.Errorf("look for what is pending: %w", err)
	}
	all := make([]Backlog, 0, len(kept))
	for i, k := range kept { // in the same order
		all = append(all, b.kept[k.EndpointID].backlog(found[i].TenantID, k))
	}
	return all, nil
}

func (c *pendingCount) backlog(tenant uuid.UUID, k rows.KeptBacklogsRow) Backlog {
	is := Backlog{Tenant: tenant, Endpoint: k.EndpointID, Deliveries: k.Kept, OldestAt: k.OldestAt}
	if pending := c.n - k.Beyond; pending > 0 { // those beyond have a row, and were counted by that
		is.Deliveries = min(is.Deliveries+pending, MostBacklog)
		if is.OldestAt == nil || c.oldest.Before(*is.OldestAt) {
			is.OldestAt = c.oldest
		}
	}
	return is
}

// behind are the counts that do not reach the newest event of their tenant, those who lag little and those who lag much. What is no longer
// so is begun anew.
func (b *Backlogs) behind(found []rows.AllSubscribersRow, heads []rows.HeadsRow) (near, far map[uuid.UUID][]*pendingCount) {
	head := make(map[uuid.UUID]int64, len(heads))
	for _, h := range heads {
		head[h.TenantID] = h.Head
	}
	now := make(map[uuid.UUID]*pendingCount, len(found))
	near, far = map[uuid.UUID][]*pendingCount{}, map[uuid.UUID][]*pendingCount{}
	for _, r := range found {
		by := fnv.New64a()
		fmt.Fprintf(by, "%q %v %v %v %v %q %v", r.Types, or(r.Filter), r.StartsAfter, or(r.FromTime), r.Reached, r.Consumes, or(r.Policy))
		c := b.kept[r.ID]
		if c == nil || c.by != by.Sum64() {
			c = &pendingCount{subscriber: subscriberOf(rows.SubscribersRow(r), b.means), by: by.Sum64()}
			c.through = c.begins()
		}
		now[r.ID] = c
		switch lag := head[r.TenantID] - c.through; {
		case lag <= 0 || c.n >= MostBacklog:
		case lag <= countNear:
			near[r.TenantID] = append(near[r.TenantID], c)
		default:
			far[r.TenantID] = append(far[r.TenantID], c)
		}
	}
	b.kept = now
	return near, far
}

// lookOn brings counts up to date, as far as it may.
func (b *Backlogs) lookOn(ctx context.Context, lagging ...map[uuid.UUID][]*pendingCount) error {
	events, judged, left := countEvents, countJudged, countTime
	for _, behind := range lagging {
		for tenant, all := range behind { // in no order, so each has its turn
			if events <= 0 || judged <= 0 || left <= 0 {
				return nil
			}
			share := min(left, countShare)
			j := &judge{b.clock, share}
			err := scan(ctx, b.db, tenant, math.MaxInt64, least(all), func(e *eventlog.Raw, _ int) bool {
				for _, c := range all {
					if j.spent() { // the next count goes on with the others
						return false
					}
					judged -= c.look(e, j)
				}
				events--
				return events > 0 && judged > 0
			})
			left -= share - j.left
			if err != nil {
				return err
			}
		}
	}
	return nil
}

// least is the place up to which all have looked.
func least(all []*pendingCount) int64 {
	return slices.MinFunc(all, func(a, b *pendingCount) int { return cmp.Compare(a.through, b.through) }).through
}

// or is what a pointer points to, so that it can be printed; nil: nothing.
func or[T any](p *T) any {
	if p == nil {
		return nil
	}
	return *p
}

// look counts the next event if it is pending, and returns how many were judged.
func (c *pendingCount) look(e *eventlog.Raw, j *judge) int {
	if e.TenantSeq <= c.through || c.n >= MostBacklog {
		return 0
	}
	c.through = e.TenantSeq
	if j.pending(c.subscriber, e) {
		if c.n++; c.oldest == nil {
			c.oldest = new(e.CreatedAt)
		}
	}
	return 1
}
