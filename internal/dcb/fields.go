package dcb

import (
	"reflect"
	"slices"
	"strings"
	"sync"
)

// shape is what reflection has to say about an event type, found once.
type shape struct {
	tags     []int
	lists    []int
	personal []field
	claims   []int
}

type field struct {
	index int
	name  string
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
		case f.Type == reflect.TypeFor[Personal]():
			name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
			s.personal = append(s.personal, field{i, name})
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

// MapPersonal returns a copy of e with fn applied to each personal field that holds a value.
// Name is the field's JSON name.
func MapPersonal(e Event, fn func(name string, p Personal) (Personal, error)) (Event, error) {
	s := shapeOf(reflect.TypeOf(e))
	if len(s.personal) == 0 {
		return e, nil
	}
	c := clone(e)
	for _, f := range s.personal {
		p := c.Field(f.index).Interface().(Personal)
		if p.IsZero() {
			continue
		}
		p, err := fn(f.name, p)
		if err != nil {
			return nil, err
		}
		c.Field(f.index).Set(reflect.ValueOf(p))
	}
	return c.Interface().(Event), nil
}

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
