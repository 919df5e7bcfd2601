package commands

import (
	"context"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"

	"chancery/domain"
	"chancery/internal/dcb"
)

// view is history as one batch of decisions sees it: what was read, and what the batch itself decided so far.
// All conditions refer to the head of the first read: whatever a later read finds beyond it is a conflict.
type view struct {
	ctx    context.Context //nolint:containedctx // a view lives within one call
	store  dcb.Store
	tenant uuid.UUID
	open   dcb.Clear
	head   int64
	latest time.Time // newest given time in the batch

	decided int // events of the batch itself

	found map[uuid.UUID]uuid.UUID // by request, see Env.Found

	counts *counts                   // of the tenant of the batch, see Env
	own    map[uuid.UUID][]dcb.Event // what the batch itself decided, by the tenant in which it is recorded
	events []dcb.Recorded
	at     map[int64]struct{}
	byTag  map[dcb.Tag][]int
	loaded map[string]struct{}
	relied map[string]struct{}
	asked  dcb.Query
	ahead  int64
}

func newView(ctx context.Context, s dcb.Store, tenant uuid.UUID) *view {
	return &view{
		ctx: ctx, store: s, tenant: tenant, head: -1, ahead: math.MaxInt64 / 2,
		own: map[uuid.UUID][]dcb.Event{}, at: map[int64]struct{}{}, byTag: map[dcb.Tag][]int{}, loaded: map[string]struct{}{}, relied: map[string]struct{}{},
		found: map[uuid.UUID]uuid.UUID{}, counts: newCounts(),
	}
}

// Ask answers the facts of a decision from history, opening what it needs in the clear. It needs no rule: nothing is appended,
// and what it decides is not looked at.
func (e *Engine) Ask(ctx context.Context, tenant domain.TenantID, d dcb.Decision) error {
	view := newView(ctx, e.Store, tenant.UUID)
	view.open = d.Opens()
	_, _, err := d.Run(ctx, tenant.UUID, view.claim, view.ask)
	return err
}

func (v *view) claim(t dcb.Tag) dcb.Tag { return v.store.Claim(v.tenant, t) }

// load reads what is not known yet.
func (v *view) load(q dcb.Query) error {
	missing := make(dcb.Query, 0, len(q))
	for _, item := range q {
		if name := nameOf(item); !has(v.loaded, name) {
			v.loaded[name] = struct{}{}
			missing = append(missing, item)
		}
	}
	if len(missing) == 0 && v.head >= 0 {
		return nil
	}
	events, head, err := v.store.Read(v.ctx, missing, v.open)
	if err != nil {
		return err
	}
	if v.head < 0 {
		v.head = head
	}
	for _, r := range events {
		if r.Position > v.head {
			return dcb.ErrConflict
		}
		v.add(r)
	}
	return nil
}

func (v *view) add(r dcb.Recorded) {
	if _, known := v.at[r.Position]; known {
		return
	}
	v.at[r.Position] = struct{}{}
	for _, t := range r.Tags {
		v.byTag[t] = append(v.byTag[t], len(v.events))
	}
	v.events = append(v.events, r)
}

// ask answers a query from the view, reading on where it must.
func (v *view) ask(q dcb.Query) ([]dcb.Recorded, error) {
	if err := v.load(q); err != nil {
		return nil, err
	}
	var found []dcb.Recorded
	for n, item := range q {
		for _, i := range v.byTag[item.Tags[0]] {
			r := v.events[i]
			if item.Matches(r.Event.EventType(), r.Tags) && !q[:n].Matches(r.Event.EventType(), r.Tags) {
				found = append(found, r)
			}
		}
	}
	slices.SortFunc(found, func(a, b dcb.Recorded) int {
		switch {
		case a.Position < b.Position:
			return -1
		case a.Position > b.Position:
			return 1
		}
		return 0
	})
	return found, nil
}

// rely notes what the batch rests on.
func (v *view) rely(q dcb.Query) {
	for _, item := range q {
		if name := nameOf(item); !has(v.relied, name) {
			v.relied[name] = struct{}{}
			v.asked = append(v.asked, item)
		}
	}
}

// foresee adds a decided event, as it will be stored, after all that is known.
func (v *view) foresee(p dcb.Pending) {
	event := dcb.MapClaims(p.Event, func(t dcb.Tag) dcb.Tag { return v.store.Claim(p.Tenant, t) })
	v.ahead++
	v.add(dcb.Recorded{
		Meta:  dcb.Meta{Position: v.ahead, Tenant: p.Tenant, At: p.At, Provenance: p.Provenance},
		Event: event, Tags: dcb.TagsOf(event),
	})
	v.own[p.Tenant] = append(v.own[p.Tenant], event)
}

// foreseen are the events that the batch itself decided so far, as far as they are of that tenant.
func (v *view) foreseen(t domain.TenantID) []dcb.Event {
	return slices.Clip(v.own[t.UUID])
}

func nameOf(i dcb.Item) string {
	n := 0
	for _, t := range i.Tags {
		n += len(t) + 1
	}
	for _, t := range i.Types {
		n += len(t) + 1
	}
	var b strings.Builder
	b.Grow(n)
	for _, t := range i.Tags {
		b.WriteString(string(t))
		b.WriteByte('\n')
	}
	for _, t := range i.Types {
		b.WriteByte('\t')
		b.WriteString(t)
	}
	return b.String()
}

func has(set map[string]struct{}, name string) bool { _, ok := set[name]; return ok }
