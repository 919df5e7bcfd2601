package readmodels

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/google/uuid"
)

// How many questions judge at once. Each holds a connection meanwhile, since what it reads before and after must be of one moment, and
// keeps a core busy for as long as its judge lets it; the pool has 16.
const (
	turnsAtOnce = 4
	turnsTenant = 2  // of them, of one tenant
	turnsAsked  = 32 // for a tenant, with those that wait
)

// ErrBusy says that as many questions of the tenant as may wait do so.
var ErrBusy = errors.New("too many questions about what is pending are being asked at once; try again")

// turns let only so many questions judge at once. Tenants wait in one line, in which none has more than its part, so nobody's filters keep
// others waiting for long.
//
// mu owns tenants, and asked of each.
type turns struct {
	all chan struct{} // holds one for each that judges

	mu      sync.Mutex
	tenants map[uuid.UUID]*tenantTurns // those that ask
}

type tenantTurns struct {
	asked int
	all   chan struct{}
}

func newTurns() *turns {
	return &turns{all: make(chan struct{}, turnsAtOnce), tenants: map[uuid.UUID]*tenantTurns{}}
}

// take waits for a turn; the caller MUST call done. Errors: ErrBusy, that of the context.
func (t *turns) take(ctx context.Context, tenant uuid.UUID) (done func(), err error) {
	own := t.ask(tenant)
	if own == nil {
		return nil, ErrBusy
	}
	var held []chan struct{}
	done = func() {
		for _, h := range held {
			<-h
		}
		t.mu.Lock()
		defer t.mu.Unlock()
		if own.asked--; own.asked == 0 {
			delete(t.tenants, tenant)
		}
	}
	for _, all := range []chan struct{}{own.all, t.all} {
		select {
		case all <- struct{}{}:
			held = append(held, all)
		case <-ctx.Done():
			done()
			return nil, fmt.Errorf("wait for a turn to judge: %w", ctx.Err())
		}
	}
	return done, nil
}

// ask is nil if too many ask already.
func (t *turns) ask(tenant uuid.UUID) *tenantTurns {
	t.mu.Lock()
	defer t.mu.Unlock()
	own := t.tenants[tenant]
	if own == nil {
		own = &tenantTurns{all: make(chan struct{}, turnsTenant)}
		t.tenants[tenant] = own
	}
	if own.asked == turnsAsked {
		return nil
	}
	own.asked++
	return own
}
