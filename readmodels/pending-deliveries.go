package readmodels

import (
	"context"
	"slices"

	"github.com/google/uuid"

	"chancery/domain"
	"chancery/internal/eventlog"
	"chancery/readmodels/internal/rows"
)

// The most that is looked at for one answer.
const (
	looks      = 10        // while nothing was found
	scanPage   = 500       // events read at once; and rows of the past
	scanEvents = 5_000     // events beyond the cursors, in one look
	findEvents = 50_000    // events whose deliveries are compared with an id
	findHashes = 1_000_000 // and such comparisons
)

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
func pendingDeliveries(ctx context.Context, db *rows.Queries, q query, subs []subscriber, after, until spot, only *rows.EventsRow) ([]Delivery, spot, error) {
	if status := q.text("status"); len(subs) == 0 || status != nil && *status != string(domain.DeliveryPending) {
		return nil, theEnd, nil
	}
	var found []Delivery
	reached := theEnd
	add := func(e *eventlog.Raw) (more bool) {
		for _, s := range subs {
			at := spot{e.TenantSeq, s.id}
			if at.compare(after) <= 0 {
				continue
			}
			if q.judge.pending(s, e) {
				found = append(found, s.delivery(e))
			}
			if q.judge.spent() {
				reached = at
				return false
			}
		}
		return true
	}
	if only != nil {
		add(rawOf(*only))
		found, err := withoutRow(ctx, db, q, found)
		return found, reached, err
	}
	from := max(begin(subs), after.seq-1)
	if from >= until.seq {
		return nil, until, nil
	}
	err := scan(ctx, db, q.tenant, q.upTo, from, func(e *eventlog.Raw, seen int) bool {
		if !add(e) {
			return false
		}
		if seen < scanEvents && len(found) < max(int(q.limit), scanPage) && e.TenantSeq < until.seq {
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

// scan reads the log on from a place, as far as a position and as the function wants it. It is told how many it has seen.
func scan(ctx context.Context, db *rows.Queries, tenant uuid.UUID, upTo Position, after int64, fn func(e *eventlog.Raw, seen int) bool) error {
	for seen := 0; ; {
		page, err := db.Events(ctx, rows.EventsParams{TenantID: tenant, After: Position(after), UpTo: upTo, RowLimit: scanPage})
		if err != nil {
			return err
		}
		for _, r := range page {
			if err := ctx.Err(); err != nil { // whoever asked has gone, and there may be much to judge
				return err
			}
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
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		for _, s := range subs {
			if id := domain.DeliveryID(domain.EndpointID{UUID: s.id}, r.ID); id.String() != q.only {
				continue
			}
			events, err := db.Events(ctx, rows.EventsParams{TenantID: q.tenant, UpTo: q.upTo, ID: &r.ID, RowLimit: 1})
			if err != nil || len(events) == 0 || !q.judge.pending(s, rawOf(events[0])) {
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
// that there were not. What was asked for since, such as to deliver anew, is not in it. It comes as far as the judge lets it.
func asTheyWere(ctx context.Context, db *rows.Queries, q query, all []Delivery) ([]Delivery, spot, error) {
	if len(all) == 0 {
		return nil, theEnd, nil
	}
	attempts, err := attemptsOf(ctx, db, q, all)
	if err != nil {
		return nil, theEnd, err
	}
	waiting, reached, err := waitingThen(ctx, db, q, all, attempts)
	if err != nil {
		return nil, theEnd, err
	}
	was := all[:0]
	for _, d := range all {
		made := attempts[d.at()]
		d.becomes(made)
		if len(made) == 0 && !waiting[d.at()] || d.at().compare(reached) > 0 {
			continue
		}
		if q.only != "" {
			d.Attempts = made
		} else if status := q.text("status"); status != nil && *status != d.Status {
			continue
		}
		was = append(was, d)
	}
	return was, reached, nil
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

// waitingThen are those without an attempt that endpoints of that time meant, and up to where that is known.
func waitingThen(ctx context.Context, db *rows.Queries, q query, all []Delivery, attempts map[spot][]DeliveryAttempt) (map[spot]bool, spot, error) {
	var seqs []int64
	for _, d := range all {
		if len(attempts[d.at()]) == 0 {
			seqs = append(seqs, int64(d.TenantSeq))
		}
	}
	if len(seqs) == 0 {
		return nil, theEnd, nil
	}
	subs, err := subscribers(ctx, db, q, nil, nil)
	if err != nil {
		return nil, theEnd, err
	}
	found, err := db.EventsBySeq(ctx, rows.EventsBySeqParams{TenantID: q.tenant, Seqs: slices.Compact(seqs), UpTo: q.upTo})
	if err != nil {
		return nil, theEnd, err
	}
	events, endpoints := make(map[Position]*eventlog.Raw, len(found)), make(map[uuid.UUID]subscriber, len(subs))
	for _, r := range found {
		events[r.TenantSeq] = rawOf(rows.EventsRow(r))
	}
	for _, s := range subs {
		endpoints[s.id] = s
	}
	waiting := map[spot]bool{}
	for _, d := range all {
		e, s := events[d.TenantSeq], endpoints[d.EndpointID]
		if e == nil || s.means == nil || len(attempts[d.at()]) > 0 {
			continue
		}
		if waiting[d.at()] = q.judge.meant(s, e); q.judge.left <= patience/2 { // the other half is for what has no row
			return waiting, d.at(), ctx.Err()
		}
	}
	return waiting, theEnd, ctx.Err()
}
