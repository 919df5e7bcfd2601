// Package access holds who may do what in memory, folded from the log, and decides questions about it; it never writes and never reads a clock.
package access

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/google/uuid"

	"chancery/domain"
	"chancery/internal/dcb"
)

// Index answers access questions about every tenant of one ledger.
//
// One goroutine calls Apply, any number call the rest. The lock mu owns every field and all that is reachable from
// them, except the memoised grants and role sets, and when sessions were used: those are atomic, and readers fill them while
// they hold mu for reading. Whatever is memoised names the generations it was compiled at, and no instant: windows are judged when asked.
type Index struct {
	mu         sync.RWMutex
	position   int64
	moved      chan struct{} // closed when position grows, then replaced
	root       *tenant
	tenants    map[domain.TenantID]*tenant
	slugs      map[domain.Slug]domain.TenantID
	users      map[domain.UserID]*user
	tokens     map[domain.TokenID]*token
	sessions   map[domain.SessionID]*session
	sweepAt    int // how many sessions there may be before those that are over are looked for
	issuers    issuers
	routing    routing
	privileges map[domain.Privilege]int64

	apps     map[domain.App]int64 // registered, and since which event
	initials initials             // of those
	licenses map[domain.LicenseID]*license
	tallies  map[domain.Key]tally // by meter
	pools    map[domain.Key]*seatPool

	delegations    map[domain.DelegationID]*delegation
	inbound        map[domain.UserID][]*delegation // by the delegate; those that have not ended
	impersonations map[domain.ImpersonationID]*impersonation
	bounds         map[string][]domain.Pattern // of delegations, by what they say

	allowable []domain.Pattern // what tenants may allow by override
	allowedAt int64            // the event that said so
	implied   map[domain.GroupRole]*roleSet
}

// ErrGap says that an event between Position and the page is missing.
var ErrGap = errors.New("access: the page does not follow the index")

// New is an index of an empty log.
func New() *Index {
	maintain := []domain.Privilege{"core.group-memberships.add", "core.group-memberships.remove", "core.group-memberships.change", "core.group-invitations.create", "core.group-invitations.withdraw"}
	root := newTenant(domain.Root)
	return &Index{
		moved:      make(chan struct{}),
		root:       root,
		tenants:    map[domain.TenantID]*tenant{domain.Root: root},
		slugs:      map[domain.Slug]domain.TenantID{},
		users:      map[domain.UserID]*user{},
		tokens:     map[domain.TokenID]*token{},
		sessions:   map[domain.SessionID]*session{},
		sweepAt:    fewSessions,
		issuers:    newIssuers(),
		routing:    newRouting(),
		privileges: map[domain.Privilege]int64{},

		apps:     map[domain.App]int64{},
		licenses: map[domain.LicenseID]*license{},
		tallies:  map[domain.Key]tally{},
		pools:    map[domain.Key]*seatPool{},

		delegations:    map[domain.DelegationID]*delegation{},
		inbound:        map[domain.UserID][]*delegation{},
		impersonations: map[domain.ImpersonationID]*impersonation{},
		bounds:         map[string][]domain.Pattern{},

		implied: map[domain.GroupRole]*roleSet{
			domain.Maintainer: setOf(maintain...),
			domain.Owner:      setOf(append(maintain, "core.groups.rename")...),
		},
	}
}

// Apply folds a page in log order. Events up to Position are ignored. A page becomes visible at once; if an event
// cannot be taken, the index stands exactly before it and says so.
func (x *Index) Apply(page []dcb.Recorded) error { return x.apply(page, 0, true) }

// ApplyOwn is Apply for the events of Chancery itself that stand after a position and up to another; the caller has made sure that all
// others there are apps'. The index stands at through then.
func (x *Index) ApplyOwn(page []dcb.Recorded, after, through int64) error {
	if at := x.Position(); at < after {
		return fmt.Errorf("%w: at %d, given what follows %d", ErrGap, at, after)
	}
	return x.apply(page, through, false)
}

// ApplyExcerpt is Apply for an index of a part of the log, such as one tenant's past: positions grow but leave gaps.
func (x *Index) ApplyExcerpt(page []dcb.Recorded) error { return x.apply(page, 0, false) }

func (x *Index) apply(page []dcb.Recorded, through int64, contiguous bool) error {
	x.mu.Lock()
	defer x.mu.Unlock()
	before := x.position
	defer func() {
		if x.position > before {
			close(x.moved)
			x.moved = make(chan struct{})
		}
	}()
	for _, r := range page {
		if r.Position <= x.position {
			continue
		}
		if contiguous && r.Position != x.position+1 {
			return fmt.Errorf("%w: at %d, given %d", ErrGap, x.position, r.Position)
		}
		if err := x.fold(r); err != nil {
			return fmt.Errorf("access: event %d: %w", r.Position, err)
		}
		x.position = r.Position
	}
	x.position = max(x.position, through)
	return nil
}

// Position is that of the last event folded.
func (x *Index) Position() int64 {
	x.mu.RLock()
	defer x.mu.RUnlock()
	return x.position
}

// Wait returns once the index has seen position, or with the context's error.
func (x *Index) Wait(ctx context.Context, position int64) error {
	for {
		x.mu.RLock()
		at, moved := x.position, x.moved
		x.mu.RUnlock()
		if at >= position {
			return nil
		}
		select {
		case <-moved:
		case <-ctx.Done():
			return fmt.Errorf("wait for position %d at %d: %w", position, at, ctx.Err())
		}
	}
}

// Tenant finds a tenant by id or slug. A closed tenant is found by its id alone.
func (x *Index) Tenant(idOrSlug string) (domain.TenantID, domain.TenantStatus, bool) {
	x.mu.RLock()
	defer x.mu.RUnlock()
	id, ok := x.slugs[domain.Slug(idOrSlug)]
	if !ok && len(idOrSlug) == 36 {
		parsed, err := uuid.Parse(idOrSlug)
		id, ok = domain.TenantID{UUID: parsed}, err == nil
	}
	t := x.tenants[id]
	if !ok || t == nil || t.status == domain.TenantUnknown {
		return domain.TenantID{}, domain.TenantUnknown, false
	}
	return id, t.status, true
}

// User finds a user's tenant and status.
func (x *Index) User(id domain.UserID) (domain.TenantID, domain.UserStatus, bool) {
	x.mu.RLock()
	defer x.mu.RUnlock()
	u := x.users[id]
	if u == nil {
		return domain.TenantID{}, domain.UserUnknown, false
	}
	return u.home.id, u.status, true
}

// Registered reports whether the platform knows the privilege.
func (x *Index) Registered(p domain.Privilege) bool {
	x.mu.RLock()
	defer x.mu.RUnlock()
	return x.privileges[p] > 0
}
