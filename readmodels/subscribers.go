package readmodels

import (
	"context"
	"encoding/json"
	"math"
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

// subscriber is an endpoint with its place in the log.
type subscriber struct {
	id      uuid.UUID
	app     string
	reached int64 // tenant_seq up to which it has come
	starts  int64
	from    *time.Time
	means   func(*eventlog.Raw) bool
}

// subscribers are the endpoints that the question is about, in order. Those of the past mean what they meant then, and of those that had
// been deleted there is the one that is asked for, which has nothing more to come.
func subscribers(ctx context.Context, db *rows.Queries, q query, endpoint *uuid.UUID, app *string) ([]subscriber, error) {
	if q.means == nil {
		return nil, nil
	}
	found, err := db.Subscribers(ctx, rows.SubscribersParams{
		TenantID: q.tenant, Platform: domain.Root.UUID, Policy: domain.EventsDeliverable.Key, ID: endpoint, AppID: app,
	})
	return each(found, func(r rows.SubscribersRow) subscriber { return subscriberOf(r, q.means) }), err
}

func subscriberOf(r rows.SubscribersRow, means func(Subscriber) func(*eventlog.Raw) bool) subscriber {
	is := subscriber{id: r.ID, app: r.AppID, reached: r.Reached, starts: r.StartsAfter, from: r.FromTime}
	if r.Status == "deleted" {
		is.reached, is.means = math.MaxInt64, func(*eventlog.Raw) bool { return false }
		return is
	}
	s := Subscriber{Tenant: domain.TenantID{UUID: r.TenantID}, Endpoint: domain.EndpointID{UUID: r.ID}, App: domain.App(r.AppID)}
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
	is.means = means(s)
	return is
}

// begin is the place in the log after which something may be pending.
func begin(subs []subscriber) int64 {
	least := int64(math.MaxInt64)
	for _, s := range subs {
		least = min(least, s.begins())
	}
	return least
}

func (s subscriber) begins() int64 {
	if s.from == nil {
		return max(s.reached, s.starts)
	}
	return s.reached
}

// patience is how long endpoints may take to say what they mean, in one request.
const patience = 500 * time.Millisecond

// judge asks endpoints what they mean. A filter may take milliseconds for an event, and there may be many of both: who asks a judge MUST
// stop when it is spent, and tell up to where it has come.
type judge struct {
	clock func() time.Time
	left  time.Duration
}

func (j *judge) spent() bool { return j.left <= 0 }

// pending reports whether an event waits for the endpoint, and nothing is known of it yet.
func (j *judge) pending(s subscriber, e *eventlog.Raw) bool {
	return e.TenantSeq > s.reached && j.meant(s, e)
}

// meant reports whether it is one for the endpoint at all.
func (j *judge) meant(s subscriber, e *eventlog.Raw) bool {
	if e.TenantSeq <= s.starts && (s.from == nil || e.CreatedAt.Before(*s.from)) {
		return false
	}
	began := j.clock()
	means := s.means(e)
	j.left -= j.clock().Sub(began)
	return means
}
