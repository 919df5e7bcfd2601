package dcb

import (
	"reflect"
	"slices"
	"strings"
	"sync"
)

// shape is what reflection has to say about an event type, found once.
type shape struct {
	tags   []int
	lists  []int
	hidden []field
	claims []int
}

type field struct {
	index  int
	name   string
	secret bool // Sealed, not Personal
}

var shapes sync.Map // a cache of pure values, keyed by type

func shapeOf(t reflect.Type) *shape {
	if s, ok := shapes.Load(t); ok {
		return s.(*shape)
	}
	s := &shape{}
	tagger := reflect.TypeFor[Tagger]()
	for i := range t.NumField() {
		f := t.Field(i)
		switch {
		case !f.IsExported():
		case f.Type == reflect.TypeFor[Personal](), f.Type == reflect.TypeFor[Sealed]():
			name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
			s.hidden = append(s.hidden, field{i, name, f.Type == reflect.TypeFor[Sealed]()})
		case f.Type.Implements(tagger):
			s.tags = append(s.tags, i)
			if f.Type == reflect.TypeFor[Claim]() {
				s.claims = append(s.claims, i)
			}
		case f.Type.Kind() == reflect.Slice && f.Type.Elem().Implements(tagger):
			s.lists = append(s.lists, i)
		}
	}
	got, _ := shapes.LoadOrStore(t, s)
	return got.(*shape)
}

// hashesIn are the JSON members of e that hold a hash.
func hashesIn(e Event) (names []string) {
	for f := range reflect.TypeOf(e).Fields() {
		if f.Type == reflect.TypeFor[Claim]() || f.Type == reflect.TypeFor[[]byte]() {
			name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
			names = append(names, name)
		}
	}
	return names
}

// TagsOf returns the tags of every field of e that knows its tag, sorted, each once.
func TagsOf(e Event) []Tag {
	v := reflect.ValueOf(e)
	s := shapeOf(v.Type())
	tags := make([]Tag, 0, len(s.tags))
	for _, i := range s.tags {
		tags = append(tags, v.Field(i).Interface().(Tagger).Tag())
	}
	for _, i := range s.lists {
		for j := range v.Field(i).Len() {
			tags = append(tags, v.Field(i).Index(j).Interface().(Tagger).Tag())
		}
	}
	slices.Sort(tags)
	tags = slices.Compact(tags)
	if len(tags) > 0 && tags[0] == "" {
		tags = tags[1:]
	}
	return tags
}

// Clear says what a reader wants in the clear; the values combine.
type Clear uint8

// Nothing is opened unless it is asked for.
const (
	Nothing   Clear = 0
	Personals Clear = 1 // fields of type Personal
	Secrets   Clear = 2 // fields of type Sealed
)

// MapPersonal returns a copy of e with fn applied to the plain text or, if there is none, the ciphertext of each field of
// type Personal.
func MapPersonal(e Event, fn func(name string, p Personal) (Personal, error)) (Event, error) {
	return MapHidden(e, Personals, func(f Field) (Field, error) {
		p, err := fn(f.Name, Personal{hide(f.Plain, f.Ciphertext)})
		f.Plain, f.Ciphertext = p.Reveal(), p.sealed
		return f, err
	})
}

// Field is a field whose value is sealed, or is to be.
type Field struct {
	Name              string // in JSON
	Secret            bool   // Sealed, not Personal
	Plain, Ciphertext string
}

// MapHidden returns a copy of e with fn applied to every field of the types in what that holds a value.
func MapHidden(e Event, what Clear, fn func(Field) (Field, error)) (Event, error) {
	s := shapeOf(reflect.TypeOf(e))
	var c reflect.Value
	for _, f := range s.hidden {
		if f.secret && what&Secrets == 0 || !f.secret && what&Personals == 0 {
			continue
		}
		if !c.IsValid() {
			c = clone(e)
		}
		at := c.Field(f.index)
		h, ok := reflect.TypeAssert[interface{ get() hidden }](at)
		if !ok || h.get().IsZero() {
			continue
		}
		mapped, err := fn(Field{f.name, f.secret, h.get().Reveal(), h.get().sealed})
		if err != nil {
			return nil, err
		}
		at.Addr().Interface().(interface{ set(h hidden) }).set(hide(mapped.Plain, mapped.Ciphertext))
	}
	if !c.IsValid() {
		return e, nil
	}
	return c.Interface().(Event), nil
}

func (h hidden) get() hidden   { return h }
func (h *hidden) set(v hidden) { *h = v }

// MapClaims returns a copy of e with every claim in its stored form.
func MapClaims(e Event, claim func(Tag) Tag) Event {
	s := shapeOf(reflect.TypeOf(e))
	if len(s.claims) == 0 {
		return e
	}
	c := clone(e)
	for _, i := range s.claims {
		if old := c.Field(i).Interface().(Claim); !old.IsZero() {
			c.Field(i).Set(reflect.ValueOf(old.Hashed(claim(old.Tag()))))
		}
	}
	return c.Interface().(Event)
}

func clone(e Event) reflect.Value {
	c := reflect.New(reflect.TypeOf(e)).Elem()
	c.Set(reflect.ValueOf(e))
	return c
}
