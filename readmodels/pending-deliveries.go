package readmodels

import (
	"context"
	"encoding/json"
	"slices"
	"time"

	"github.com/google/uuid"

	"chancery/domain"
	"chancery/internal/eventlog"
	"chancery/readmodels/internal/rows"
)

// Subscriber is an endpoint as far as it tells what it means.
type Subscriber struct {
	Tenant      domain.TenantID
	Endpoint    domain.EndpointID
	App         domain.App
	Terms       domain.EndpointTerms  // types and filter
	Consumes    []domain.EventPattern // what the manifest of the version at work lets it have
	Deliverable []domain.EventPattern // what the tenant's policy does
}

// The most that is looked at for one answer.
const (
	scanPage   = 500       // events read at once
	scanEvents = 5_000     // events beyond the cursors
	findEvents = 50_000    // events whose deliveries are compared with an id
	findHashes = 1_000_000 // and such comparisons
)

// subscriber is an endpoint with its place in the log.
type subscriber struct {
	id      uuid.UUID
	app     string
	reached int64 // tenant_seq up to which it has come
	starts  int64
	from    *time.Time
	means   func(*eventlog.Raw) bool
}

// subscribers are the endpoints that the question is about, in order. Those of the past mean what they meant then.
func subscribers(ctx context.Context, db *rows.Queries, q query, endpoint *uuid.UUID, app *string) ([]subscriber, error) {
	if q.means == nil {
		return nil, nil
	}
	tenant := domain.TenantID{UUID: q.tenant}
	found, err := db.Subscribers(ctx, rows.SubscribersParams{
		TenantID: q.tenant, Platform: domain.Root.UUID, Policy: domain.EventsDeliverable.ID(tenant).UUID, ID: endpoint, AppID: app,
	})
	all := make([]subscriber, 0, len(found))
	for _, r := range found {
		s := Subscriber{Tenant: tenant, Endpoint: domain.EndpointID{UUID: r.ID}, App: domain.App(r.AppID)}
		for _, t := range r.Types {
			s.Terms.Types = append(s.Terms.Types, domain.EventPattern(t))
		}
		if r.Filter != nil {
			s.Terms.Filter = *r.Filter
		}
		_ = json.Unmarshal([]byte(r.Consumes), &s.Consumes) // of a manifest that was judged
		policy := domain.EventsDeliverable.Default
		if r.Policy != nil {
			policy = *r.Policy
		}
		s.Deliverable = domain.PatternsOf(policy)
		all = append(all, subscriber{
			id: r.ID, app: r.AppID, reached: max(r.Reached, r.SkippedThrough), starts: r.StartsAfter, from: r.FromTime, means: q.means(s),
		})
	}
	return all, err
}

// pending reports whether an event waits for the endpoint, and nothing is known of it yet.
func (s subscriber) pending(e *eventlog.Raw) bool { return e.TenantSeq > s.reached && s.meant(e) }

// meant reports whether it is one for the endpoint at all.
func (s subscriber) meant(e *eventlog.Raw) bool {
	if e.TenantSeq <= s.starts && (s.from == nil || e.CreatedAt.Before(*s.from)) {
		return false
	}
	return s.means(e)
}

// begin is the place in the log after which something may be pending.
func begin(subs []subscriber) int64 {
	least := int64(1<<63 - 1)
	for _, s := range subs {
		at := s.reached
		if s.from == nil {
			at = max(at, s.starts)
		}
		least = min(least, at)
	}
	return least
}

func (s subscriber) delivery(e *eventlog.Raw) Delivery {
	return Delivery{
		TenantID: e.Tenant, ID: domain.DeliveryID(domain.EndpointID{UUID: s.id}, e.ID), EventID: e.ID, ConsumerAppID: s.app,
		Status: string(domain.DeliveryPending), EndpointID: s.id, EventType: domain.OutwardType(e.SourceApp, e.Type),
		TenantSeq: Position(e.TenantSeq), Position: Position(e.Position),
	}
}

func rawOf(r rows.EventsRow) *eventlog.Raw {
	return &eventlog.Raw{
		Position: int64(r.Position), ID: r.ID, Tenant: r.TenantID, TenantSeq: int64(r.TenantSeq), SourceApp: r.SourceAppID, Type: r.Type,
		Payload: r.Payload, Metadata: r.Metadata, Tags: r.Tags, OccurredAt: r.OccurredAt, CreatedAt: r.CreatedAt,
	}
}

// pendingDeliveries are those after a place and up to another that have no row, and up to where they are all there are.
func pendingDeliveries(ctx context.Context, db *rows.Queries, q query, after, until spot, only *rows.EventsRow) ([]Delivery, spot, error) {
	if status := q.text("status"); status != nil && *status != string(domain.DeliveryPending) {
		return nil, theEnd, nil
	}
	subs, err := subscribers(ctx, db, q, q.id("endpoint_id"), q.text("consumer_app_id"))
	if err != nil || len(subs) == 0 {
		return nil, theEnd, err
	}
	var found []Delivery
	add := func(e *eventlog.Raw) {
		for _, s := range subs {
			if (spot{e.TenantSeq, s.id}).compare(after) > 0 && s.pending(e) {
				found = append(found, s.delivery(e))
			}
		}
	}
	if only != nil {
		add(rawOf(*only))
		found, err = withoutRow(ctx, db, q, found)
		return found, theEnd, err
	}
	from, reached := max(begin(subs), after.seq-1), theEnd
	if from >= until.seq {
		return nil, until, nil
	}
	err = scan(ctx, db, q, from, func(e *eventlog.Raw, seen int) bool {
		add(e)
		if seen < scanEvents && len(found) < int(q.limit) && e.TenantSeq < until.seq {
			return true
		}
		reached = endOf(e.TenantSeq)
		return false
	})
	if err != nil {
		return nil, reached, err
	}
	found, err = withoutRow(ctx, db, q, found)
	return found, reached, err
}

// withoutRow leaves out those that have a row: beyond its cursor an endpoint has some, while others before them are on their way.
func withoutRow(ctx context.Context, db *rows.Queries, q query, all []Delivery) ([]Delivery, error) {
	if len(all) == 0 {
		return nil, nil
	}
	asked := rows.KeptDeliveriesParams{TenantID: q.tenant}
	for _, d := range all {
		asked.Endpoints, asked.Seqs = append(asked.Endpoints, d.EndpointID), append(asked.Seqs, int64(d.TenantSeq))
	}
	found, err := db.KeptDeliveries(ctx, asked)
	kept := make(map[spot]bool, len(found))
	for _, r := range found {
		kept[spot{int64(r.TenantSeq), r.EndpointID}] = true
	}
	return slices.DeleteFunc(all, func(d Delivery) bool { return kept[d.at()] }), err
}

// scan reads the log on from a place, as far as the question goes and the function wants it. It is told how many it has seen.
func scan(ctx context.Context, db *rows.Queries, q query, after int64, fn func(e *eventlog.Raw, seen int) bool) error {
	for seen := 0; ; {
		page, err := db.Events(ctx, rows.EventsParams{TenantID: q.tenant, After: Position(after), UpTo: q.upTo, RowLimit: scanPage})
		if err != nil {
			return err
		}
		for _, r := range page {
			seen++
			if !fn(rawOf(r), seen) {
				return nil
			}
			after = int64(r.TenantSeq)
		}
		if len(page) < scanPage {
			return nil
		}
	}
}

// onePending looks for the pending delivery of that id. The id is made of endpoint and event, so it is compared with those of as many
// as can be looked at; one that lies further ahead is found in the list.
func onePending(ctx context.Context, db *rows.Queries, q query) ([]Delivery, error) {
	subs, err := subscribers(ctx, db, q, nil, nil)
	if err != nil || len(subs) == 0 {
		return nil, err
	}
	most := min(findEvents, findHashes/len(subs))
	page, err := db.EventIDs(ctx, rows.EventIDsParams{TenantID: q.tenant, After: Position(begin(subs)), UpTo: q.upTo, RowLimit: int32(most)})
	if err != nil {
		return nil, err
	}
	for _, r := range page {
		for _, s := range subs {
			if id := domain.DeliveryID(domain.EndpointID{UUID: s.id}, r.ID); id.String() != q.only {
				continue
			}
			events, err := db.Events(ctx, rows.EventsParams{TenantID: q.tenant, UpTo: q.upTo, ID: &r.ID, RowLimit: 1})
			if err != nil || len(events) == 0 || !s.pending(rawOf(events[0])) {
				return nil, err
			}
			d := s.delivery(rawOf(events[0]))
			d.Attempts = []DeliveryAttempt{}
			return []Delivery{d}, nil
		}
	}
	return nil, nil
}

// asTheyWere makes of deliveries what they were at the moment of the question, by the attempts that had been made, and leaves out those
// that there were not. What was asked for since, such as to deliver anew, is not in it.
func asTheyWere(ctx context.Context, db *rows.Queries, q query, all []Delivery) ([]Delivery, error) {
	if len(all) == 0 {
		return nil, nil
	}
	attempts, err := attemptsOf(ctx, db, q, all)
	if err != nil {
		return nil, err
	}
	waiting, err := waitingThen(ctx, db, q, all, attempts)
	if err != nil {
		return nil, err
	}
	was := all[:0]
	for _, d := range all {
		made := attempts[d.at()]
		d.becomes(made)
		if len(made) == 0 && !waiting[d.at()] {
			continue
		}
		if q.only != "" {
			d.Attempts = made
		} else if status := q.text("status"); status != nil && *status != d.Status {
			continue
		}
		was = append(was, d)
	}
	return was, nil
}

// becomes is what attempts make of a delivery.
func (i *Delivery) becomes(made []DeliveryAttempt) {
	i.Status, i.AttemptCount = string(domain.DeliveryPending), 0
	i.FirstAttemptAt, i.LastAttemptAt, i.NextAttemptAt, i.DeliveredAt, i.ResponseStatus, i.Error = nil, nil, nil, nil, nil, nil
	if len(made) == 0 {
		i.Sequence = nil
		return
	}
	first, last := made[0], made[len(made)-1]
	i.Status, i.AttemptCount, i.FirstAttemptAt, i.LastAttemptAt = last.Status, last.Number, &first.AttemptedAt, &last.AttemptedAt
	i.NextAttemptAt, i.ResponseStatus, i.Error = last.NextAttemptAt, last.ResponseStatus, last.Error
	for _, a := range made {
		if a.Status == string(domain.DeliveryDelivered) {
			i.DeliveredAt = &a.AttemptedAt
		}
	}
}

// waitingThen are those without an attempt that endpoints of that time meant.
func waitingThen(ctx context.Context, db *rows.Queries, q query, all []Delivery, attempts map[spot][]DeliveryAttempt) (map[spot]bool, error) {
	var seqs []int64
	for _, d := range all {
		if len(attempts[d.at()]) == 0 {
			seqs = append(seqs, int64(d.TenantSeq))
		}
	}
	if len(seqs) == 0 {
		return nil, nil
	}
	subs, err := subscribers(ctx, db, q, nil, nil)
	if err != nil {
		return nil, err
	}
	events, err := db.EventsBySeq(ctx, rows.EventsBySeqParams{TenantID: q.tenant, Seqs: slices.Compact(seqs), UpTo: q.upTo})
	waiting := map[spot]bool{}
	for _, r := range events {
		e := rawOf(rows.EventsRow(r))
		for _, s := range subs {
			waiting[spot{e.TenantSeq, s.id}] = s.meant(e)
		}
	}
	return waiting, err
}
