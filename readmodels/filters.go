package readmodels

import (
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/google/uuid"

	"chancery/domain"
	"chancery/internal/eventlog"
)

// FilterKind is what values a filter takes.
type FilterKind string

// The kinds of filters.
const (
	Text  FilterKind = "text"
	UUID  FilterKind = "uuid"
	Bool  FilterKind = "boolean"
	Email FilterKind = "email" // compared through its keyed hash
)

// Filter is a query parameter that narrows a list to the rows in which the column of that name has the value.
type Filter struct {
	Name  string
	Kind  FilterKind
	OneOf []string // where the values are known
}

func text(name string, oneOf ...string) Filter { return Filter{name, Text, oneOf} }
func id(name string) Filter                    { return Filter{Name: name, Kind: UUID} }
func boolean(name string) Filter               { return Filter{Name: name, Kind: Bool} }

// order is not of a column: it turns the list round.
var order = text("order", "asc", "desc")

// check returns the normal form of a value.
func (f Filter) check(v View, value string) (string, error) {
	refuse := func(detail string) (string, error) { return "", &InputError{f.Name, detail} }
	switch {
	case !storable(value):
		return refuse("holds a character that is not allowed")
	case len(f.OneOf) > 0 && !slices.Contains(f.OneOf, value):
		return refuse("must be one of: " + strings.Join(f.OneOf, ", "))
	}
	switch f.Kind {
	case UUID:
		u, err := uuid.Parse(value)
		if err != nil || len(value) != 36 {
			return refuse("must be a UUID")
		}
		return u.String(), nil
	case Bool:
		if value != "true" && value != "false" {
			return refuse("must be true or false")
		}
	case Email:
		address, err := domain.ParseEmail("", value)
		if err != nil {
			return refuse("must be an e-mail address")
		}
		return string(v.reader.config.Claim(v.tenant.UUID, address.Claim().Tag())), nil
	case Text:
	}
	return value, nil
}

// storable reports whether PostgreSQL could hold the text at all.
func storable(s string) bool { return utf8.ValidString(s) && !strings.ContainsRune(s, 0) }

// query is what a list is asked for, checked.
type query struct {
	tenant      uuid.UUID
	upTo        Position
	only        string // the one id asked for; empty: a page
	after       string // the place after which the page begins; empty: at the beginning
	limit       int32  // how many rows to fetch
	newestFirst bool
	filters     []Filter
	values      map[string]string

	past  bool      // the tables are of another schema
	by    time.Time // of the view
	means func(Subscriber) func(*eventlog.Raw) bool
	judge *judge
	cut   *string // set by a list that ends before it is full: the place up to which it has looked
}

// value of a filter. Asking for one that the collection does not declare is a mistake in the program.
func (q query) value(name string) (string, bool) {
	if !slices.ContainsFunc(q.filters, func(f Filter) bool { return f.Name == name }) {
		panic("readmodels: filter is not declared: " + name)
	}
	value, given := q.values[name]
	return value, given
}

func (q query) text(name string) *string {
	if value, given := q.value(name); given {
		return &value
	}
	return nil
}

func (q query) id(name string) *uuid.UUID {
	if value, given := q.value(name); given {
		u := uuid.MustParse(value) // checked
		return &u
	}
	return nil
}

func (q query) bool(name string) *bool {
	if value, given := q.value(name); given {
		b := value == "true"
		return &b
	}
	return nil
}

// onlyID is the one id asked for, nil for a page.
func (q query) onlyID() *uuid.UUID {
	if q.only == "" {
		return nil
	}
	u := uuid.MustParse(q.only)
	return &u
}

func (q query) afterID() uuid.UUID {
	u, _ := uuid.Parse(q.after) // checked; "" is the smallest
	return u
}

// afterNumber is 0 at the beginning; newest first, the beginning is beyond every number.
func (q query) afterNumber() Position {
	n, _ := strconv.ParseInt(q.after, 10, 64)
	if q.newestFirst && n == 0 {
		return 1<<63 - 1
	}
	return Position(n)
}
