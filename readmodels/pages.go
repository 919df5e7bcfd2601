package readmodels

import (
	"context"
	"encoding/base64"
	"fmt"
	"strings"

	"github.com/google/uuid"

	"chancery/domain"
	"chancery/internal/eventlog"
	"chancery/readmodels/internal/rows"
)

// The lengths of a page.
const (
	DefaultLimit = 100
	MaxLimit     = 1000
)

// Params is what a list is asked for. Absent is not empty: a filter in the map with an empty value asks for empty ones.
type Params struct {
	Cursor string // Next of the page before; empty for the first
	Limit  int32  // 0: DefaultLimit
	Filter map[string]string
}

// Page is a part of a list.
type Page struct {
	Items    []any    `json:"items"`          // pointers to values of the collection's Item
	Next     string   `json:"next,omitempty"` // the cursor of the next page; absent on the last
	Position Position `json:"position"`       // everything up to here had been seen
}

// Item is one thing.
type Item struct {
	Value    any      // a pointer to a value of the collection's Item
	Version  Position // the last event that changed it: its entity tag
	Position Position // everything up to here had been seen
}

// ErrNotFound says that there is no such thing here; another tenant's is none.
var ErrNotFound error = domain.ErrNotFound

// InputError is a parameter that makes no sense.
type InputError struct{ Parameter, Detail string }

func (e *InputError) Error() string { return e.Parameter + ": " + e.Detail }

// ErrCursor refuses a cursor that no page of this list has given out.
var ErrCursor error = &InputError{"cursor", "is not the cursor of a page of this list"}

// List is a page of a collection. Errors: ErrCursor, *InputError, ErrBusy, faults.
func (v View) List(ctx context.Context, c Collection, p Params) (Page, error) {
	q, limit, err := v.ask(c, p)
	if err != nil {
		return Page{}, err
	}
	return v.page(ctx, c, limit, q)
}

// One is one thing of a collection. Errors: ErrNotFound, ErrBusy, faults.
func (v View) One(ctx context.Context, c Collection, id string) (Item, error) {
	if !c.names(id) {
		return Item{}, ErrNotFound
	}
	q := v.about(c)
	q.only, q.limit = id, 2
	found, seen, err := v.found(ctx, c, q)
	switch {
	case err != nil:
		return Item{}, fmt.Errorf("read one of %s: %w", c.Name, err)
	case len(found) == 0:
		return Item{}, ErrNotFound
	}
	if err := v.open(ctx, found[:1]); err != nil {
		return Item{}, err
	}
	_, version := found[0].key()
	return Item{found[0], version, seen}, nil
}

// History is every event that concerns one thing of a collection, oldest first, as items of the collection events; personal
// fields of events of the collection's own kind are opened. It outlives the thing. Errors: ErrNotFound, ErrCursor, *InputError, faults.
func (v View) History(ctx context.Context, c Collection, id string, p Params) (Page, error) {
	if c.Kind == "" || !c.names(id) {
		return Page{}, ErrNotFound
	}
	tag, own := c.Kind+":"+id, domain.Catalog.KindTypes(c.Kind)
	history := collection(Collection{Name: c.Name + "/" + id, place: byNumber},
		func(ctx context.Context, db *rows.Queries, q query) ([]Event, error) {
			found, err := db.History(ctx, rows.HistoryParams{
				TenantID: q.tenant, Tag: tag, TagHash: eventlog.TagHash(tag), After: q.afterNumber(), UpTo: q.upTo, RowLimit: q.limit,
			})
			return each(found, func(r rows.HistoryRow) Event {
				e := eventOf(rows.EventsRow(r), own...)
				e.place = e.Position
				return e
			}), err
		})
	history.Projector = theLog
	q, limit, err := v.ask(history, p)
	if err != nil {
		return Page{}, err
	}
	page, err := v.page(ctx, history, limit, q)
	if err == nil && len(page.Items) == 0 && p.Cursor == "" {
		return Page{}, ErrNotFound
	}
	return page, err
}

// about is a question about a collection that asks for nothing in particular.
func (v View) about(c Collection) query {
	return query{
		tenant: v.tenant.UUID, upTo: v.upTo, filters: c.Filters, past: v.schema != live, by: v.by, cut: new(string),
		means: v.reader.config.Means, judge: &judge{v.reader.config.Clock, patience},
	}
}

func (v View) ask(c Collection, p Params) (query, int, error) {
	q := v.about(c)
	q.values = make(map[string]string, len(p.Filter))
	for name, value := range p.Filter {
		f, ok := c.filter(name)
		if !ok {
			return q, 0, &InputError{name, "is no filter of " + c.Name}
		}
		var err error
		if q.values[name], err = f.check(v, value); err != nil {
			return q, 0, err
		}
	}
	q.newestFirst = q.values[order.Name] == "desc"
	limit := p.Limit
	switch {
	case limit == 0:
		limit = DefaultLimit
	case limit < 0 || limit > MaxLimit:
		return q, 0, &InputError{"limit", fmt.Sprintf("must be from 1 to %d", MaxLimit)}
	}
	q.limit = limit + 1 // one more tells whether there is a next page
	if p.Cursor != "" {
		var ok bool
		if q.after, ok = c.place.fromCursor(c.Name, p.Cursor); !ok {
			return q, 0, ErrCursor
		}
	}
	return q, int(limit), nil
}

func (v View) page(ctx context.Context, c Collection, limit int, q query) (Page, error) {
	found, seen, err := v.found(ctx, c, q)
	if err != nil {
		return Page{}, fmt.Errorf("read a page of %s: %w", c.Name, err)
	}
	page := Page{Items: make([]any, 0, min(limit, len(found))), Position: seen}
	if len(found) > limit {
		found = found[:limit]
		last, _ := found[limit-1].key()
		page.Next = cursor(c.Name, last)
	} else if *q.cut != "" {
		page.Next = cursor(c.Name, *q.cut)
	}
	if err := v.open(ctx, found); err != nil {
		return Page{}, err
	}
	for _, i := range found {
		page.Items = append(page.Items, i)
	}
	return page, nil
}

// found is what a collection has to say to a question. Waiting for its turn it holds no connection.
func (v View) found(ctx context.Context, c Collection, q query) (found []item, seen Position, err error) {
	if c.judges != nil && c.judges(q) {
		done, err := v.reader.turn(ctx, q.tenant)
		if err != nil {
			return nil, 0, err
		}
		defer done()
	}
	seen, err = v.read(ctx, c.Projector, func(db *rows.Queries) (err error) {
		found, err = c.list(ctx, db, q)
		return err
	})
	return found, seen, err
}

func (c Collection) filter(name string) (Filter, bool) {
	for _, f := range c.Filters {
		if f.Name == name {
			return f, true
		}
	}
	return Filter{}, false
}

// names reports whether id could be one of the collection's.
func (c Collection) names(id string) bool {
	u, err := uuid.Parse(id)
	return err == nil && u.String() == id
}

// A cursor names its list, so that it does not pass for another's.
func cursor(list, place string) string {
	return base64.RawURLEncoding.EncodeToString([]byte(list + " " + place))
}

func (p place) fromCursor(list, cursor string) (string, bool) {
	text, err := base64.RawURLEncoding.Strict().DecodeString(cursor)
	if err != nil {
		return "", false
	}
	place, ok := strings.CutPrefix(string(text), list+" ")
	return place, ok && p.valid(place)
}
