package pulls

import (
	"context"

	"github.com/google/uuid"
)

const (
	connections = 4               // that may be used at once: the pool is the projectors' too
	ofTenant    = connections / 2 // so that none keeps the others waiting
)

// share waits for the tenant's turn. No connection is taken: that is for what is worked out without one.
func (p *Pulls) share(ctx context.Context, tenant uuid.UUID) (release func(), err error) {
	return p.shares.Take(ctx, tenant)
}

// slot waits for the tenant's turn, and for that of a connection.
func (p *Pulls) slot(ctx context.Context, tenant uuid.UUID) (release func(), err error) {
	return p.shares.TakeOf(ctx, p.slots, tenant)
}
