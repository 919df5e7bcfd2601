package domain_test

import (
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/google/uuid"

	"chancery/domain"
	"chancery/internal/dcb"
)

// full is an event of the type with every id set, each to another one.
func full(typ string) dcb.Event {
	v := reflect.New(reflect.TypeOf(domain.Catalog.Zero(typ))).Elem()
	for _, f := range v.Fields() {
		if f.Kind() == reflect.Struct && f.FieldByName("UUID").IsValid() {
			f.FieldByName("UUID").Set(reflect.ValueOf(uuid.New()))
		}
	}
	return v.Interface().(dcb.Event)
}

func TestAnEventChangesTheThingOfItsFirstField(t *testing.T) {
	for _, typ := range domain.Catalog.Types() {
		e := full(typ)
		kind := domain.Catalog.KindOf(typ) + ":"
		for i := range reflect.TypeOf(e).NumField() {
			field := reflect.ValueOf(e).Field(i).Interface()
			id, ok := field.(dcb.Tagger)
			if !ok || !strings.HasPrefix(string(id.Tag()), kind) {
				continue
			}
			name := reflect.TypeOf(e).Field(i).Name
			want := i == 0 || name == "Previous" // the domain that was primary changes too
			if domain.Changes(e, id.Tag()) != want {
				t.Errorf("%s changes what %s names: %v", typ, name, !want)
			}
		}
	}
}

func TestEveryEventIsTaggedWithWhatItChanges(t *testing.T) {
	for _, typ := range domain.Catalog.Types() {
		kind := domain.Catalog.KindOf(typ)
		if kind == "refusal" || kind == "installation" || kind == "privilege" {
			continue
		}
		if tags := dcb.TagsOf(full(typ)); !slices.ContainsFunc(tags, func(t dcb.Tag) bool { return strings.HasPrefix(string(t), kind+":") }) {
			t.Errorf("%s has the tags %v, none of a %s", typ, tags, kind)
		}
	}
}
