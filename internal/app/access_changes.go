package app

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"chancery/commands"
	"chancery/domain"
	"chancery/internal/access"
	"chancery/internal/dcb"
	"chancery/internal/due"
	"chancery/internal/reactions"
)

// accessChanges announce what users may do now and could not before, and the reverse, in the tenants that want it: their own rights,
// where these hold. What somebody may do for another is that one's.
//
// An index of its own stands before the event in hand, and behind it when it is done; so the two can be compared, as often as it
// takes, and always with the same outcome. It is kept only while some tenant wants announcements. The lane's goroutine owns it.
type accessChanges struct {
	app    *App
	index  *access.Index
	worked struct { // the event whose announcements were computed last, should they fail
		position int64
		orders   []commands.Order
	}
}

func (a *App) accessChanges() *reactions.Reaction {
	c := &accessChanges{app: a}
	return reactions.New(reactions.Config{
		Name: "access-changes", Types: access.Weighty(), Do: c.react, Passing: passing, Log: a.log, GaveUp: a.metrics.gaveUp("access-changes"),
	})
}

func (c *accessChanges) react(ctx context.Context, r dcb.Recorded) error {
	if err := c.app.follower.upTo(ctx, r.Position); err != nil {
		return err
	}
	if len(c.app.index.Announcing()) == 0 {
		c.index = nil
		return nil
	}
	if c.worked.position != r.Position || c.index == nil {
		orders, err := c.compare(ctx, r)
		if err != nil {
			c.index = nil // who knows where it stands
			return err
		}
		c.worked.position, c.worked.orders = r.Position, orders
	}
	return firstOf(c.app.announceAll(ctx, c.worked.orders))
}

// compare moves the index behind the event, and returns the announcements of what has changed.
func (c *accessChanges) compare(ctx context.Context, r dcb.Recorded) ([]commands.Order, error) { //nolint:cyclop // one case for each kind of cause
	if c.index == nil || c.index.Position() >= r.Position {
		c.index = access.New()
	}
	if err := c.upTo(ctx, r.Position-1); err != nil {
		return nil, err
	}
	// What an end is said of was over before. What it changed, it changed then; and is announced if it is still so.
	then, now := r.RecordedAt, r.RecordedAt
	if end, over := c.index.EndOf(r); over {
		then = end.Add(-time.Microsecond)
	}
	tenants := c.index.Announcing()
	before := map[domain.TenantID]map[domain.UserID][]domain.Right{}
	for _, t := range tenants {
		before[t] = map[domain.UserID][]domain.Right{}
		for _, u := range c.index.Concerned(t, r) {
			before[t][u] = c.index.Effective(t, access.Holder{User: u}, then)
		}
	}
	if err := c.upTo(ctx, r.Position); err != nil {
		return nil, err
	}
	still := c.index.Announcing()
	var orders []commands.Order
	for _, t := range tenants {
		if !slices.Contains(still, t) {
			continue
		}
		for _, u := range c.index.Concerned(t, r) { // those who have become so had nothing before
			if _, known := before[t][u]; !known {
				before[t][u] = nil
			}
		}
		for u := range before[t] {
			gained, lost := access.Difference(before[t][u], c.index.Effective(t, access.Holder{User: u}, then))
			if then != now && len(gained)+len(lost) > 0 {
				gained, lost = lasting(gained, lost, c.index.Effective(t, access.Holder{User: u}, now))
			}
			if len(gained)+len(lost) > 0 {
				orders = append(orders, announcement(change{t, u, gained, lost}, "at once", r.Meta))
			}
		}
	}
	return orders, nil
}

// upTo has the index hear the log up to a position.
func (c *accessChanges) upTo(ctx context.Context, position int64) error {
	for c.index.Position() < position {
		after := c.index.Position()
		page, through, err := ownEvents(ctx, c.app.store, after, int(min(followPage, position-after)))
		if err != nil {
			return err
		}
		if through == after {
			return fmt.Errorf("follow the log: nothing at %d, though %d was seen", after+1, position)
		}
		for len(page) > 0 && page[len(page)-1].Position > position {
			page = page[:len(page)-1]
		}
		if err := c.index.ApplyOwn(page, after, min(through, position)); err != nil {
			return err
		}
	}
	return nil
}

// lasting is what was gained and is had still, and what was lost and is not had again.
func lasting(gained, lost, now []domain.Right) (still, gone []domain.Right) {
	has := map[domain.Right]bool{}
	for _, r := range now {
		has[r] = true
	}
	return slices.DeleteFunc(gained, func(r domain.Right) bool { return !has[r] }),
		slices.DeleteFunc(lost, func(r domain.Right) bool { return has[r] })
}

// change is what is different for a user in a tenant.
type change struct {
	tenant       domain.TenantID
	user         domain.UserID
	gained, lost []domain.Right
}

func announcement(c change, when string, cause dcb.Meta) commands.Order {
	announce := commands.AnnounceAccess{User: c.user, Gained: c.gained, Lost: c.lost, Cause: cause.ID}
	return commands.AnnounceOrder(announce, c.tenant, when, dcb.Provenance{Causation: cause.ID, Correlation: cause.Correlation})
}

const announcedTogether = 200

// announceAll gives the orders in portions.
func (a *App) announceAll(ctx context.Context, orders []commands.Order) (failed []error) {
	for some := range slices.Chunk(orders, announcedTogether) {
		failed = append(failed, a.orderAll(ctx, some)...)
	}
	return failed
}

// firstOf is the first of the errors, nil if there is none.
func firstOf(failed []error) error { return domain.FirstError(failed...) }

// beginnings are the watch for assignments that were made for later: no event says that their window has begun, so that the
// date has to tell. Each process looks at each of them once; whoever is first announces.
type beginnings struct {
	app  *App
	seen sync.Map // ids
}

// beginningsLate is after what time a beginning is no longer announced: whoever asks for announcements then is not told of the past.
const beginningsLate = 24 * time.Hour

func (a *App) beginnings() due.Watch {
	b := &beginnings{app: a}
	return due.Watch{
		Name:  "beginnings of assignments",
		Dates: due.Dates{Table: "assignments", Column: "valid_from", Where: "status = 'active' AND valid_from > created_at"},
		Do:    due.Each(b.announce),
	}
}

func (b *beginnings) announce(ctx context.Context, thing due.Thing) error {
	x, t, now := b.app.index, domain.TenantID{UUID: thing.Tenant}, b.app.config.Now()
	if _, seen := b.seen.Load(thing.ID); seen || now.Sub(thing.At) > beginningsLate || !slices.Contains(x.Announcing(), t) {
		return nil
	}
	made := dcb.Ask(dcb.Meta{}, []dcb.Tag{domain.AssignmentID{UUID: thing.ID}.Tag()},
		dcb.OnMeta(func(m *dcb.Meta, _ domain.RoleAssigned, meta dcb.Meta) { *m = meta }))
	if err := b.app.engine.Ask(ctx, t, dcb.From(made)); err != nil {
		return err
	}
	cause := made.Value
	var orders []commands.Order
	for _, u := range x.Beneficiaries(t, domain.AssignmentID{UUID: thing.ID}) {
		who := access.Holder{User: u}
		gained, lost := access.Difference(x.Effective(t, who, thing.At.Add(-time.Microsecond)), x.Effective(t, who, thing.At))
		gained, lost = lasting(gained, lost, x.Effective(t, who, now))
		orders = append(orders, announcement(change{t, u, gained, lost}, "begun", cause)) // also of nothing: then nobody compares again
	}
	if err := firstOf(b.app.announceAll(ctx, orders)); err != nil {
		return err
	}
	b.seen.Store(thing.ID, struct{}{})
	return nil
}
