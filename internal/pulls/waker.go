package pulls

import (
	"context"
	"slices"
	"time"

	"github.com/google/uuid"

	"chancery/internal/eventlog"
)

// Awaited reports whether anybody waits for events at all.
func (p *Pulls) Awaited() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.rooms) > 0
}

// Heard is told of events as this process appends them; of those of others Elsewhere is. It does not block, and keeps none for which nobody waits.
func (p *Pulls) Heard(events []eventlog.Raw) {
	p.mu.Lock()
	for i := range events {
		if seen, waiting := p.heads[events[i].Tenant]; waiting {
			p.heads[events[i].Tenant] = max(seen, events[i].TenantSeq)
		}
	}
	switch {
	case len(p.rooms) == 0:
	case len(p.queue)+len(events) > mostHeard:
		p.queue, p.lost = p.queue[:0], true
	default:
		p.queue = append(p.queue, events...)
	}
	told := len(p.queue) > 0 || p.lost
	p.mu.Unlock()
	if told {
		p.poke()
	}
}

// Elsewhere says that some process has appended something. It does not block.
func (p *Pulls) Elsewhere() {
	select {
	case p.others <- struct{}{}:
	default:
	}
}

// Wake has everybody who waits look again: things were handed back.
func (p *Pulls) Wake() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, r := range p.rooms {
		r.call()
	}
}

// Changed says that endpoints of a tenant may have come to mean something else: all who wait there look again.
func (p *Pulls) Changed(tenant uuid.UUID) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, r := range p.rooms {
		if r.endpoint != nil && r.endpoint.Tenant == tenant {
			r.tell()
			for range len(r.line) {
				r.call()
			}
		}
	}
	for at := range p.begins { // some may be gone
		if at.tenant == tenant {
			delete(p.begins, at)
		}
	}
}

func (p *Pulls) poke() {
	select {
	case p.wake <- struct{}{}:
	default:
	}
}

// Run tells those who wait of what was heard, until ctx ends.
func (p *Pulls) Run(ctx context.Context) {
	tick := time.NewTicker(recheck / 5)
	defer tick.Stop()
	var owed <-chan time.Time
	for {
		select {
		case <-ctx.Done():
			return
		case <-p.wake:
			if p.spread(time.Now()) && owed == nil {
				owed = time.After(pause)
			}
		case <-owed:
			if owed = nil; p.spread(time.Now()) {
				owed = time.After(pause)
			}
		case <-p.others:
			p.compare(ctx)
		case <-tick.C:
			p.compare(ctx)
			p.look(time.Now())
		}
	}
}

// compare wakes those in whose tenants other processes have appended something: how far those are is asked in one statement, what it was
// is not.
func (p *Pulls) compare(ctx context.Context) {
	p.mu.Lock()
	var tenants []uuid.UUID
	for _, r := range p.rooms {
		if r.waited() && !slices.Contains(tenants, r.endpoint.Tenant) {
			tenants = append(tenants, r.endpoint.Tenant)
		}
	}
	p.mu.Unlock()
	if len(tenants) == 0 {
		return
	}
	heads, err := p.headsOf(ctx, tenants)
	if err != nil {
		return // it is asked again soon
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, r := range p.rooms {
		if !r.waited() {
			continue
		}
		seen, known := p.heads[r.endpoint.Tenant]
		if head, asked := heads[r.endpoint.Tenant]; asked && (!known || head > seen) {
			r.call()
			r.tell()
		}
	}
	for t, head := range heads {
		heads[t] = max(head, p.heads[t])
	}
	p.heads = heads
}

// waited reports whether anybody is in the room who is to be woken.
func (r *room) waited() bool { return r.endpoint != nil && (len(r.line) > 0 || r.news != nil) }

func (p *Pulls) headsOf(ctx context.Context, tenants []uuid.UUID) (map[uuid.UUID]int64, error) {
	rows, err := p.cfg.Pool.Query(ctx, `SELECT t.id, coalesce((SELECT max(e.tenant_seq) FROM core.events e WHERE e.tenant_id = t.id), 0) FROM unnest($1::uuid[]) t(id)`, tenants)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	heads := make(map[uuid.UUID]int64, len(tenants))
	for rows.Next() {
		var id uuid.UUID
		var head int64
		if err := rows.Scan(&id, &head); err != nil {
			return nil, err
		}
		heads[id] = head
	}
	return heads, rows.Err()
}

// spread wakes those who wait for what was heard, unless they were a moment ago: then they are owed it. It reports whether any are.
// What an endpoint means is not asked, which may take a while: whoever was woken for nothing waits on. Nor is anything asked under the lock.
func (p *Pulls) spread(now time.Time) (owed bool) {
	p.mu.Lock()
	heard, lost := p.queue, p.lost
	p.queue, p.lost = nil, false
	waiting := make(map[*room]*Endpoint, len(p.rooms))
	for _, r := range p.rooms {
		if r.waited() {
			waiting[r] = r.endpoint
		}
	}
	p.mu.Unlock()
	of := map[uuid.UUID][]*eventlog.Raw{}
	for i := range heard {
		of[heard[i].Tenant] = append(of[heard[i].Tenant], &heard[i])
	}
	for r, e := range waiting {
		if !lost && !slices.ContainsFunc(of[e.Tenant], e.stirs) {
			delete(waiting, r)
		}
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, r := range p.rooms {
		_, stirred := waiting[r]
		switch {
		case !stirred && !r.owed:
		case now.Sub(r.stirred) < pause:
			r.owed, owed = true, true
		default:
			r.owed, r.stirred = false, now
			r.call()
			r.tell()
		}
	}
	return owed
}

func (e *Endpoint) stirs(raw *eventlog.Raw) bool { return e.Stirs == nil || e.Stirs(raw) }

// look has somebody look where nobody was woken for a while.
func (p *Pulls) look(now time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, r := range p.rooms {
		if len(r.line) > 0 && now.Sub(r.looked) >= recheck {
			r.call()
		}
	}
}
