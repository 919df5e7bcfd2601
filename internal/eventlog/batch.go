package eventlog

import (
	"context"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"
)

// call is one Append under way. All but done is written by the caller before it is queued, and read by the appender only.
type call struct {
	ctx    context.Context //nolint:containedctx // the caller's, and so is the call
	req    Request
	probes []probe
	events []hashed
	early  bool // OutOfOrder
	timed  bool // some OccurredAt is given
	size   int
	done   chan answer // holds one, so that the appender never waits for a caller
}

type answer struct {
	verdict Verdict
	err     error
}

// probe is one index range of core.event_tags: a tag, a type unless any, and further tags that the hit must carry.
type probe struct {
	after   int64
	tag     int64
	kind    int32
	anyKind bool
	rest    string // '{1,2}', or empty
}

// hashed are the keys of an event in core.event_tags, without repetitions.
type hashed struct {
	tags   []int64
	kind   int32
	joined string
}

// newCall does the caller's share of the work, in the caller's goroutine.
func newCall(ctx context.Context, r Request) *call {
	c := &call{ctx: ctx, req: r, done: make(chan answer, 1), early: OutOfOrder(r.Events), events: make([]hashed, len(r.Events))}
	for _, cond := range r.Conditions {
		c.probes = appendProbes(c.probes, cond.Query, cond.After)
	}
	for i := range r.Events {
		e := &r.Events[i]
		h := hashed{kind: TypeHash(e.Type), tags: make([]int64, 0, len(e.Tags)), joined: strings.Join(e.Tags, "\x1f")}
		for _, t := range e.Tags {
			if v := TagHash(t); !slices.Contains(h.tags, v) {
				h.tags = append(h.tags, v)
			}
		}
		c.events[i] = h
		c.timed = c.timed || !e.OccurredAt.IsZero()
		c.size += len(e.Payload) + len(e.Metadata) + len(h.joined) + 100
	}
	return c
}

// appendProbes lists the index ranges of a query. An item's first tag leads; callers put the rarest first.
func appendProbes(to []probe, q Query, after int64) []probe {
	n := 0
	for _, i := range q {
		n += max(1, len(i.Types))
	}
	to = slices.Grow(to, n)
	for _, i := range q {
		p := probe{after: after, tag: TagHash(i.Tags[0])}
		for n, t := range i.Tags[1:] {
			p.rest += "{,"[min(n, 1):min(n, 1)+1] + strconv.FormatInt(TagHash(t), 10)
		}
		if p.rest != "" {
			p.rest += "}"
		}
		if len(i.Types) == 0 {
			p.anyKind = true
			to = append(to, p)
		}
		for _, t := range i.Types {
			p.kind = TypeHash(t)
			to = append(to, p)
		}
	}
	return to
}

// batch collects calls that cannot influence one another, so that judging all of them against the log as it stands equals
// judging them one by one, in this order.
type batch struct {
	calls  []*call
	size   int
	parts  map[uuid.UUID]bool
	keys   map[[2]uuid.UUID]bool
	tags   map[string][]*Raw
	newest map[uuid.UUID]time.Time // by tenant, the latest OccurredAt; far in the future for "now"
}

func (b *batch) reset() {
	if b.parts == nil {
		*b = batch{parts: map[uuid.UUID]bool{}, keys: map[[2]uuid.UUID]bool{}, tags: map[string][]*Raw{}, newest: map[uuid.UUID]time.Time{}}
	}
	b.calls, b.size = nil, 0
	clear(b.parts)
	clear(b.keys)
	clear(b.tags)
	clear(b.newest)
}

// admits reports whether nothing in the batch touches what c asks or brings.
func (b *batch) admits(c *call) bool {
	for i := range c.req.Parts {
		if b.parts[c.req.Parts[i].ID] {
			return false
		}
	}
	for _, k := range c.req.Keys {
		if b.keys[[2]uuid.UUID{k.Tenant, k.Subject}] {
			return false
		}
	}
	for _, cond := range c.req.Conditions {
		for _, item := range cond.Query {
			if slices.ContainsFunc(b.tags[item.Tags[0]], item.Matches) {
				return false
			}
		}
	}
	if !c.timed {
		return true
	}
	return !slices.ContainsFunc(c.req.Events, func(e Raw) bool {
		return !e.OccurredAt.IsZero() && b.newest[e.Tenant].After(e.OccurredAt)
	})
}

func (b *batch) add(c *call) {
	b.calls = append(b.calls, c)
	b.size += c.size
	for i := range c.req.Parts {
		b.parts[c.req.Parts[i].ID] = true
	}
	for _, k := range c.req.Keys {
		b.keys[[2]uuid.UUID{k.Tenant, k.Subject}] = true
	}
	for i := range c.req.Events {
		e := &c.req.Events[i]
		for _, t := range e.Tags {
			b.tags[t] = append(b.tags[t], e)
		}
		at := e.OccurredAt
		if at.IsZero() {
			at = time.Unix(math.MaxInt32*1000, 0)
		}
		if at.After(b.newest[e.Tenant]) {
			b.newest[e.Tenant] = at
		}
	}
}

// fill takes from waiting what fits and leaves the rest, in order. Calls whose callers have gone are dropped.
func (b *batch) fill(waiting []*call, requests, size int) (rest []*call) {
	b.reset()
	rest = waiting[:0]
	for _, c := range waiting {
		switch {
		case c.ctx.Err() != nil:
			c.done <- answer{err: c.ctx.Err()}
		case len(b.calls) > 0 && (len(b.calls) >= requests || b.size+c.size > size) || !b.admits(c):
			rest = append(rest, c)
		default:
			b.add(c)
		}
	}
	clear(waiting[len(rest):])
	return rest
}
