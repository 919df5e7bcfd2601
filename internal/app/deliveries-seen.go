package app

import (
	"slices"
	"strings"
	"sync"

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

// wakeDeliveries has the endpoints that this process delivers to look for what has come due.
func (a *App) wakeDeliveries() {
	if e := a.deliveries.Load(); e != nil {
		e.Wake()
	}
}
