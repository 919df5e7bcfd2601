package dcb

import (
	"fmt"
	"slices"

	"github.com/go-json-experiment/json"
)

// Catalog decodes stored events; it lists every type that was ever written, grouped by the kind of thing they change.
type Catalog struct {
	entries map[string]Entry
	order   []string
	kinds   map[string][]string
	kindOf  map[string]string
	foreign func(source, typ string, data, envelope []byte) Foreign
}

// Entry is one type of event in a catalog.
type Entry struct {
	Type   string
	Zero   Event
	decode func([]byte) (Event, error)
}

// Group is the events that change one kind of thing, the kind being that of its tag.
type Group struct {
	kind    string
	entries []Entry
}

// Of lists an event type.
func Of[E Event]() Entry {
	var zero E
	return Entry{zero.EventType(), zero, func(b []byte) (Event, error) {
		var e E
		err := json.Unmarshal(b, &e)
		return e, err
	}}
}

// Upcast reads a retired type as its successor.
func Upcast[Old, New Event](up func(Old) New) Entry {
	var zero Old
	return Entry{zero.EventType(), zero, func(b []byte) (Event, error) {
		var e Old
		if err := json.Unmarshal(b, &e); err != nil {
			return nil, err
		}
		return up(e), nil
	}}
}

// Kind groups the events that change one kind of thing.
func Kind(kind string, entries ...Entry) Group { return Group{kind, entries} }

// NewCatalog panics on a type listed twice: that is a mistake in the program.
func NewCatalog(groups ...Group) *Catalog {
	c := &Catalog{entries: map[string]Entry{}, kinds: map[string][]string{}, kindOf: map[string]string{}}
	for _, g := range groups {
		for _, e := range g.entries {
			if _, twice := c.entries[e.Type]; twice {
				panic("dcb: event type listed twice: " + e.Type)
			}
			c.entries[e.Type] = e
			c.kindOf[e.Type] = g.kind
			c.order = append(c.order, e.Type)
			c.kinds[g.kind] = append(c.kinds[g.kind], e.Type)
		}
	}
	return c
}

// Hearing says how events that apps published are read.
func (c *Catalog) Hearing(foreign func(source, typ string, data, envelope []byte) Foreign) *Catalog {
	c.foreign = foreign
	return c
}

// DecodeForeign makes the event of what an app published. No type is unknown: they are the apps' own.
func (c *Catalog) DecodeForeign(source, typ string, data, envelope []byte) (Event, error) {
	if c.foreign == nil {
		return nil, fmt.Errorf("event type %q of app %q: this catalog knows no events of apps", typ, source)
	}
	return c.foreign(source, typ, data, envelope), nil
}

// Decode makes the event of a stored payload. An unknown type is an error: it is never skipped.
func (c *Catalog) Decode(typ string, payload []byte) (Event, error) {
	e, ok := c.entries[typ]
	if !ok {
		return nil, fmt.Errorf("unknown event type %q", typ)
	}
	event, err := e.decode(payload)
	if err != nil {
		return nil, fmt.Errorf("decode %s: %w", typ, err)
	}
	return event, nil
}

// Types lists every type in the order of the catalog.
func (c *Catalog) Types() []string { return slices.Clone(c.order) }

// Zero is an empty event of the type, nil if there is none.
func (c *Catalog) Zero(typ string) Event { return c.entries[typ].Zero }

// Hashes is, of every type, the JSON members that hold a hash: claims, and bytes, since nothing else is kept as bytes. They are for
// rules alone, and shown to nobody.
func (c *Catalog) Hashes() map[string][]string {
	all := make(map[string][]string, len(c.order))
	for typ, e := range c.entries {
		all[typ] = hashesIn(e.Zero)
	}
	return all
}

// KindTypes lists the types that change one kind of thing.
func (c *Catalog) KindTypes(kind string) []string { return c.kinds[kind] }

// KindOf is the kind of thing that a type of event changes.
func (c *Catalog) KindOf(typ string) string { return c.kindOf[typ] }
