package app

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/google/uuid"

	"chancery/domain"
	"chancery/internal/dcb"
	"chancery/internal/eventlog"
	"chancery/readmodels"
)

// subscribers tells of endpoints as the tables have them, now or as of then, which events they mean. Unlike meaning it looks nothing up:
// what the app may have was looked up with the endpoint.
//
// mu guards made, which keeps what was made of terms: a filter takes a while to read.
type subscribers struct {
	mu   sync.Mutex
	made map[string]*domain.Selection
}

// mostSelections bounds what is kept; at most so many endpoints are asked about again and again.
const mostSelections = 10_000

func (x *subscribers) means(s readmodels.Subscriber) func(*eventlog.Raw) bool {
	selection := x.selection(s.Terms)
	return func(raw *eventlog.Raw) bool {
		if raw.SourceApp == dcb.Core && raw.Type == testEvent {
			return slices.Contains(raw.Tags, string(s.Endpoint.Tag()))
		}
		typ := domain.OutwardType(raw.SourceApp, raw.Type)
		if selection == nil || !selection.Asks(typ) || !domain.MatchesAny(s.Deliverable, typ) || !domain.MatchesAny(s.Consumes, typ) {
			return false
		}
		if !selection.Reads() {
			return true
		}
		e, err := outward(raw)
		return err == nil && selection.Means(e)
	}
}

// selection is nil of terms that cannot be read any more: they mean nothing.
func (x *subscribers) selection(t domain.EndpointTerms) *domain.Selection {
	var name strings.Builder
	for _, p := range t.Types {
		name.WriteString(string(p) + " ")
	}
	name.WriteString("\n" + t.Filter)
	x.mu.Lock()
	defer x.mu.Unlock()
	s, known := x.made[name.String()]
	if !known {
		if x.made == nil || len(x.made) >= mostSelections {
			x.made = map[string]*domain.Selection{}
		}
		s, _ = t.Compile()
		x.made[name.String()] = s
	}
	return s
}

// delivers reports whether there is a delivery of an event to an endpoint, if only a pending one. Where the tables show none it asks again,
// once they show all that this process knows.
func (a *App) delivers(ctx context.Context, t domain.TenantID, id domain.EndpointID, event uuid.UUID) (bool, error) {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	of, _ := readmodels.CollectionOf("deliveries")
	asked := readmodels.Params{Limit: 1, Filter: map[string]string{"endpoint_id": id.String(), "event_id": event.String()}}
	page, err := a.reader.Now(t).List(ctx, of, asked)
	if err != nil || len(page.Items) > 0 {
		return err == nil, err
	}
	if err := a.feed.Wait(ctx, "core", a.index.Position()); err != nil {
		return false, fmt.Errorf("look for a delivery: %w", err)
	}
	page, err = a.reader.Now(t).List(ctx, of, asked)
	return len(page.Items) > 0, err
}

// wakeDeliveries has this process look for what has come due, or is to be delivered anew.
func (a *App) wakeDeliveries() {
	if e := a.deliveries.Load(); e != nil {
		e.Wake()
	}
}
