package pulls

import (
	"context"

	"github.com/google/uuid"
)

const (
	connections = 4
	ofTenant    = connections / 2 // so that none keeps the others waiting
)

// share is what may be done for one tenant at once: the rest of it waits in line.
type share struct {
	turns chan struct{}
	users int // Pulls.mu owns it
}

// share waits for the tenant's turn. No connection is taken: that is for what is worked out without one.
func (p *Pulls) share(ctx context.Context, tenant uuid.UUID) (release func(), err error) {
	p.mu.Lock()
	s := p.shares[tenant]
	if s == nil {
		s = &share{turns: make(chan struct{}, ofTenant)}
		p.shares[tenant] = s
	}
	s.users++
	p.mu.Unlock()
	left := func() {
		p.mu.Lock()
		defer p.mu.Unlock()
		if s.users--; s.users == 0 {
			delete(p.shares, tenant)
		}
	}
	select {
	case s.turns <- struct{}{}:
		return func() { <-s.turns; left() }, nil
	case <-ctx.Done():
		left()
		return nil, context.Cause(ctx)
	}
}

// slot waits for the tenant's turn, and for that of a connection.
func (p *Pulls) slot(ctx context.Context, tenant uuid.UUID) (release func(), err error) {
	leave, err := p.share(ctx, tenant)
	if err != nil {
		return nil, err
	}
	select {
	case p.slots <- struct{}{}:
		return func() { <-p.slots; leave() }, nil
	case <-ctx.Done():
		leave()
		return nil, context.Cause(ctx)
	}
}
