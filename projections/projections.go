// Package projections turns events into rows. It only writes: it never reads a table, a clock or the network.
package projections

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"chancery/internal/dcb"
	"chancery/internal/feed"
	"chancery/projections/internal/rows"
)

// DBTX is what statements are executed on: a unit of work of the feed, or tables in memory.
type DBTX = feed.DBTX

// Projector keeps some tables in step with the log. It satisfies feed.Projector.
type Projector struct {
	name   string
	tables []string
	writes map[string]write
}

type write func(context.Context, *rows.Queries, dcb.Recorded) error

// Core keeps the relational tables. It is one projector, so that a child never comes before its parent.
var Core = core(tenants, domains, departments, groups, memberships, policies, users, identities, tokens,
	privileges, roles, assignments, overrides, erasures, secrets, links, issuers, credentials, sessions,
	delegations, impersonations, invitations, approvals, constraints, reviews, accessChanges, tenantApps, vendors, signingKeys, apps, appVersions, activations, routes, licenses, entitlements, seats, publishedEvents, endpoints, consumption, unseen)

// Audit writes one row for every event there is.
var Audit = audit(tenants, domains, departments, groups, memberships, policies, users, identities, tokens,
	privileges, roles, assignments, overrides, erasures, secrets, links, issuers, credentials, sessions,
	delegations, impersonations, invitations, approvals, constraints, reviews, accessChanges, tenantApps, vendors, signingKeys, apps, appVersions, activations, routes, licenses, entitlements, seats, publishedEvents, endpoints, consumption, unseen)

// Name is the projector's name in the table of checkpoints.
func (p *Projector) Name() string { return p.name }

// Tables are the tables that this projector writes, and no other does.
func (p *Projector) Tables() []string { return slices.Clone(p.tables) }

// Types are the event types of Chancery's own that the projector knows, sorted, with those from which it writes nothing.
func (p *Projector) Types() []string {
	return slices.DeleteFunc(slices.Sorted(maps.Keys(p.writes)), func(t string) bool { return t == foreign })
}

// Apply writes what a page of events means, in order. Applying a page twice in a row changes nothing. An
// event of a type that the projector does not know is an error.
func (p *Projector) Apply(ctx context.Context, db DBTX, page []dcb.Recorded) error {
	q := rows.New(db)
	for _, r := range page {
		w, known := p.writes[typeOf(r.Event)]
		if !known {
			return fmt.Errorf("projector %s does not know events of type %q", p.name, r.Event.EventType())
		}
		if w == nil {
			continue
		}
		if err := w(ctx, q, r); err != nil {
			return fmt.Errorf("project event %d (%s): %w", r.Position, r.Event.EventType(), err)
		}
	}
	return nil
}

// foreign stands for all types of events that apps publish.
const foreign = "(published)"

func typeOf(e dcb.Event) string {
	if _, is := e.(published); is {
		return foreign
	}
	return e.EventType()
}

// feature is the share of one feature: its tables, what its events write to them, and what its events are about.
type feature struct {
	tables  []string
	writes  []handler
	objects []object
}

type handler struct {
	event string
	write write
}

// on writes the rows of one type of event.
func on[E dcb.Event](fn func(context.Context, *rows.Queries, dcb.Meta, E) error) handler {
	var zero E
	return handler{zero.EventType(), func(ctx context.Context, q *rows.Queries, r dcb.Recorded) error {
		return fn(ctx, q, r.Meta, r.Event.(E)) // the type's name led here
	}}
}

// ignoring says that a type of event changes no core table.
func ignoring[E dcb.Event]() handler {
	var zero E
	return handler{event: zero.EventType()}
}

// core panics on a type handled twice: that is a mistake in the program.
func core(features ...feature) *Projector {
	p := &Projector{name: "core", writes: map[string]write{}}
	for _, f := range features {
		p.tables = append(p.tables, f.tables...)
		for _, h := range f.writes {
			if _, twice := p.writes[h.event]; twice {
				panic("projections: two handlers of " + h.event)
			}
			p.writes[h.event] = h.write
		}
	}
	return p
}

// orNull is how an absent value is stored.
func orNull[T comparable](v T) *T {
	var zero T
	if v == zero {
		return nil
	}
	return &v
}

// timeOrNull is orNull for times, whose zero has more than one representation.
func timeOrNull(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	return &t
}

// stored is a claim as the log has it; a claim in the clear is an error.
func stored(c dcb.Claim) (string, error) {
	b, err := c.MarshalText()
	return string(b), err
}
