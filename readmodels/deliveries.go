package readmodels

import (
	"context"
	"fmt"
	"hash/fnv"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"

	"chancery/domain"
	"chancery/readmodels/internal/decimal"
	"chancery/readmodels/internal/rows"
)

// Delivery is an event on its way to an endpoint. One that is pending has not been attempted, and is kept nowhere: it follows from how
// far the endpoint has come and what it means.
type Delivery struct {
	TenantID       uuid.UUID         `json:"tenant_id"`
	ID             uuid.UUID         `json:"id"`
	EventID        uuid.UUID         `json:"event_id"`
	ConsumerAppID  string            `json:"consumer_app_id"`
	AttemptCount   int32             `json:"attempt_count"`
	LastAttemptAt  *time.Time        `json:"last_attempt_at"`
	Status         string            `json:"status"`
	EndpointID     uuid.UUID         `json:"endpoint_id"`
	EventType      string            `json:"event_type"` // as apps see it
	TenantSeq      decimal.Int64     `json:"tenant_seq"` // of the event, as its position is
	Position       decimal.Int64     `json:"position"`
	Sequence       *decimal.Int64    `json:"sequence"` // within the endpoint; null while pending
	FirstAttemptAt *time.Time        `json:"first_attempt_at"`
	NextAttemptAt  *time.Time        `json:"next_attempt_at"`
	DeliveredAt    *time.Time        `json:"delivered_at"`
	ResponseStatus *int32            `json:"response_status"` // of the last attempt
	Error          *string           `json:"error"`
	Attempts       []DeliveryAttempt `json:"attempts,omitzero"` // of one that is asked for by its id
}

// DeliveryAttempt is one attempt to deliver.
type DeliveryAttempt struct {
	Number         int32      `json:"number"`
	AttemptedAt    time.Time  `json:"attempted_at"`
	LatencyMS      float64    `json:"latency_ms"`
	ResponseStatus *int32     `json:"response_status"`
	ResponseStart  *string    `json:"response_start"` // what is no text in it is shown as U+FFFD
	Error          *string    `json:"error"`
	Status         string     `json:"status"` // of the delivery, after it
	NextAttemptAt  *time.Time `json:"next_attempt_at"`
}

// key: no event changes a delivery, so its version is made of all that may change.
func (i *Delivery) key() (string, decimal.Int64) {
	h := fnv.New64a()
	fmt.Fprint(h, i.Status, " ", i.AttemptCount)
	for _, t := range []*time.Time{i.LastAttemptAt, i.NextAttemptAt, i.DeliveredAt} {
		if t != nil {
			fmt.Fprint(h, " ", t.UnixMicro())
		}
	}
	return i.at().String(), decimal.Int64(h.Sum64() & math.MaxInt64)
}

func (i *Delivery) at() spot { return spot{int64(i.TenantSeq), i.EndpointID} }

// spot is a place in the list of deliveries: in the order of the log and, for an event, of the endpoints.
type spot struct {
	seq      int64
	endpoint uuid.UUID
}

func (p spot) String() string { return strconv.FormatInt(p.seq, 10) + "/" + p.endpoint.String() }

func (p spot) compare(o spot) int {
	if p.seq != o.seq {
		return int(max(-1, min(1, p.seq-o.seq)))
	}
	return slices.Compare(p.endpoint[:], o.endpoint[:])
}

// endOf is behind all deliveries of an event; theEnd behind all there are.
func endOf(seq int64) spot { return spot{seq, uuid.Max} }

var theEnd = endOf(math.MaxInt64)

func spotOf(s string) (spot, bool) {
	seq, endpoint, _ := strings.Cut(s, "/")
	n, err := strconv.ParseInt(seq, 10, 64)
	id, bad := uuid.Parse(endpoint)
	return spot{n, id}, err == nil && n >= 0 && bad == nil && len(endpoint) == 36
}

var deliveries = collection(
	Collection{
		Name: "deliveries", Projector: core, place: byDelivery, judges: query.judges,
		Filters: []Filter{
			id("endpoint_id"), id("event_id"), text("consumer_app_id"),
			text("status", "pending", "waiting", "retrying", "leased", "delivered", "dead"),
		},
	},
	func(ctx context.Context, db *rows.Queries, q query) ([]Delivery, error) {
		if q.only != "" {
			return oneDelivery(ctx, db, q)
		}
		return pageOfDeliveries(ctx, db, q)
	})

// judges reports whether much may have to be judged: not for what has a row, nor for a single event and endpoint.
func (q query) judges() bool {
	status := q.text("status")
	return q.past || (status == nil || *status == string(domain.DeliveryPending)) && (q.id("endpoint_id") == nil || q.id("event_id") == nil)
}

// pageOfDeliveries is what comes after a place. What is looked at for it is bounded: a page that comes to an end before it is full says
// where the next one begins. One that shows nothing, though there may be something, is given only when much was looked at or judged.
func pageOfDeliveries(ctx context.Context, db *rows.Queries, q query) ([]Delivery, error) {
	after, _ := spotOf(q.after) // checked; "" is the smallest
	only, err := onlyEvent(ctx, db, q)
	if err != nil || only != nil && only.TenantSeq == 0 {
		return nil, err
	}
	subs, err := subscribers(ctx, db, q, q.id("endpoint_id"), q.text("consumer_app_id"))
	if err != nil {
		return nil, err
	}
	for look := 1; ; look++ {
		all, horizon, err := stretchOfDeliveries(ctx, db, q, subs, after, only)
		if err != nil {
			return nil, err
		}
		if len(all) == 0 && horizon != theEnd && look < looks && !q.judge.spent() {
			after = horizon
			continue
		}
		if len(all) < int(q.limit) && horizon != theEnd {
			*q.cut = horizon.String()
		}
		return all, nil
	}
}

// stretchOfDeliveries puts those that have a row and those that are pending together, and says up to where they are all there are.
func stretchOfDeliveries(ctx context.Context, db *rows.Queries, q query, subs []subscriber, after spot, only *rows.EventsRow) ([]Delivery, spot, error) {
	kept, horizon, err := keptDeliveries(ctx, db, q, after, only)
	if err != nil {
		return nil, theEnd, err
	}
	pending, reached, err := pendingDeliveries(ctx, db, q, subs, after, horizon, only)
	if err != nil {
		return nil, theEnd, err
	}
	if reached.compare(horizon) < 0 {
		horizon = reached
	}
	all := slices.DeleteFunc(append(kept, pending...), func(d Delivery) bool { return d.at().compare(horizon) > 0 })
	slices.SortFunc(all, func(a, b Delivery) int { return a.at().compare(b.at()) })
	return all[:min(len(all), int(q.limit))], horizon, nil
}

// onlyEvent is the event that the filter names: nil where it names none, and without a number where there is no such event.
func onlyEvent(ctx context.Context, db *rows.Queries, q query) (*rows.EventsRow, error) {
	event := q.id("event_id")
	if event == nil {
		return nil, nil
	}
	found, err := db.Events(ctx, rows.EventsParams{TenantID: q.tenant, UpTo: q.upTo, ID: event, RowLimit: 1})
	if err != nil || len(found) == 0 {
		return &rows.EventsRow{}, err
	}
	return &found[0], nil
}

// keptDeliveries are those that have a row, and up to where they are all there are.
func keptDeliveries(ctx context.Context, db *rows.Queries, q query, after spot, only *rows.EventsRow) ([]Delivery, spot, error) {
	asked := rows.DeliveriesParams{
		TenantID: q.tenant, AfterSeq: decimal.Int64(after.seq), AfterEndpoint: after.endpoint, UpTo: q.upTo, RowLimit: q.limit,
		EndpointID: q.id("endpoint_id"), ConsumerAppID: q.text("consumer_app_id"), Status: q.text("status"),
	}
	if only != nil {
		seq := int64(only.TenantSeq)
		asked.EventSeq = &seq
	}
	if q.past { // what they were then is not in the row, so many may be looked at for few
		asked.Status, asked.RowLimit = nil, max(q.limit, scanPage)
	}
	found, err := db.Deliveries(ctx, asked)
	if err != nil {
		return nil, theEnd, err
	}
	all, horizon := each(found, deliveryOf), theEnd
	if len(all) == int(asked.RowLimit) {
		horizon = all[len(all)-1].at()
	}
	if !q.past {
		return all, horizon, nil
	}
	all, reached, err := asTheyWere(ctx, db, q, all)
	if reached.compare(horizon) < 0 {
		horizon = reached
	}
	return all, horizon, err
}

func deliveryOf(r rows.DeliveriesRow) Delivery {
	sequence := decimal.Int64(r.Sequence)
	return Delivery{
		TenantID: r.TenantID, ID: r.ID, EventID: r.EventID, ConsumerAppID: r.ConsumerAppID, AttemptCount: r.AttemptCount, LastAttemptAt: r.LastAttemptAt,
		Status: r.Status, EndpointID: r.EndpointID, EventType: r.EventType, TenantSeq: r.TenantSeq, Position: r.Position, Sequence: &sequence,
		FirstAttemptAt: r.FirstAttemptAt, NextAttemptAt: r.NextAttemptAt, DeliveredAt: r.DeliveredAt, ResponseStatus: r.ResponseStatus, Error: r.Error,
	}
}

// oneDelivery is the delivery of that id, with its attempts.
func oneDelivery(ctx context.Context, db *rows.Queries, q query) ([]Delivery, error) {
	found, err := db.Deliveries(ctx, rows.DeliveriesParams{TenantID: q.tenant, UpTo: q.upTo, ID: q.onlyID(), RowLimit: 1})
	if err != nil {
		return nil, err
	}
	if len(found) == 0 {
		return onePending(ctx, db, q)
	}
	all := each(found, deliveryOf)
	if q.past {
		all, _, err := asTheyWere(ctx, db, q, all)
		return all, err
	}
	attempts, err := attemptsOf(ctx, db, q, all)
	all[0].Attempts = attempts[all[0].at()]
	return all, err
}

// attemptsOf are the attempts of each, as far as they were made by the moment of the question; none is an empty list. No attempt moves
// the log on: as of a position are those that were made before the next event.
func attemptsOf(ctx context.Context, db *rows.Queries, q query, of []Delivery) (map[spot][]DeliveryAttempt, error) {
	asked := rows.AttemptsParams{TenantID: q.tenant, UpTo: int64(q.upTo)}
	if !q.by.IsZero() {
		asked.By = &q.by
	}
	attempts := make(map[spot][]DeliveryAttempt, len(of))
	for _, d := range of {
		asked.Endpoints, asked.Seqs = append(asked.Endpoints, d.EndpointID), append(asked.Seqs, int64(d.TenantSeq))
		attempts[d.at()] = []DeliveryAttempt{}
	}
	found, err := db.Attempts(ctx, asked)
	for _, r := range found {
		a := DeliveryAttempt{
			Number: r.Number, AttemptedAt: r.AttemptedAt, LatencyMS: r.LatencyMs, ResponseStatus: r.ResponseStatus, Error: r.Error,
			Status: r.Status, NextAttemptAt: r.NextAttemptAt,
		}
		if r.ResponseStart != nil {
			text := strings.ToValidUTF8(string(r.ResponseStart), "\uFFFD")
			a.ResponseStart = &text
		}
		at := spot{int64(r.TenantSeq), r.EndpointID}
		attempts[at] = append(attempts[at], a)
	}
	return attempts, err
}
