package deliveries

import (
	"sync/atomic"
	"syscall"
	"time"

	"github.com/google/uuid"
)

// sum counts something for all, and for each tenant, so that no tenant takes so much of it that others are left with little.
type sum struct{ all, tenants atomic.Int64 } // tenants: how many have any

// add counts for a tenant.
func (s *sum) add(own *atomic.Int64, n int64) {
	s.all.Add(n)
	switch after := own.Add(n); {
	case n > 0 && after == n:
		s.tenants.Add(1)
	case n < 0 && after == 0:
		s.tenants.Add(-1)
	}
}

// account is a tenant's part of the sums.
type account struct{ flying, held atomic.Int64 }

// account of a tenant is the same for all its endpoints, and is kept.
func (e *Engine) account(tenant uuid.UUID) *account {
	e.mu.Lock()
	defer e.mu.Unlock()
	a := e.accounts[tenant]
	if a == nil {
		a = &account{}
		e.accounts[tenant] = a
	}
	return a
}

// hold counts bytes of events on their way.
func (p *pump) hold(size int64) { p.e.held.add(&p.own.held, size) }

// fly counts attempts under way. mu is held.
func (p *pump) fly(n int) {
	p.flying += n
	p.e.flying.add(&p.own.flying, int64(n))
}

// full reports whether all endpoints together hold so much, and those of this tenant more than its share, that this one must not hold more
// than one event. mu is held.
func (p *pump) full() bool {
	most := p.e.cfg.HeldBytes
	return p.e.held.all.Load() > most && p.own.held.Load() > most/max(1, p.e.held.tenants.Load()) && p.flying+len(p.fresh)+p.heldUp > 0
}

const leastShare = 4 // attempts under way that a tenant may always have, beside one for each endpoint

// crowded reports whether so much is under way that this endpoint must not have more than the one it always may. A tenant's share leaves
// room for one tenant more than there are, which need not wait until others' attempts end. mu is held.
func (p *pump) crowded() bool {
	all, own, most := &p.e.flying, p.own.flying.Load(), int64(p.e.cfg.Requests)
	return p.flying > 0 && own >= leastShare && (all.all.Load() >= most || own >= most/(all.tenants.Load()+1))
}

// lookSoon has the pump look again whether it is held back by what others have: when that ends nobody pokes it. mu is held.
func (p *pump) lookSoon(now time.Time) { p.alarm(now, now.Add(50*time.Millisecond)) }

// mostRequests is a quarter of the files that this process may have open, for each attempt has a connection, and others need some too.
func mostRequests() int {
	var l syscall.Rlimit
	if syscall.Getrlimit(syscall.RLIMIT_NOFILE, &l) != nil {
		return 256
	}
	return int(max(64, min(4096, l.Cur/4)))
}
