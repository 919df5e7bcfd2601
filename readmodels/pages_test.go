package readmodels_test

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"chancery/domain"
	"chancery/internal/ledger"
	"chancery/readmodels"
)

func walk(t *testing.T, v readmodels.View, name string, p readmodels.Params) []any {
	t.Helper()
	var all []any
	for {
		page := list(t, v, name, p)
		all = append(all, page.Items...)
		if len(page.Items) != int(p.Limit) && page.Next != "" {
			t.Fatalf("a page of %d is not the last", len(page.Items))
		}
		if len(page.Items) == 0 && p.Cursor != "" {
			t.Fatal("an empty page after another")
		}
		if p.Cursor = page.Next; p.Cursor == "" {
			return all
		}
	}
}

func TestPagesShowEveryRowOnceWhateverTheirLength(t *testing.T) {
	w := newWorld(t)
	seed := uint64(time.Now().UnixNano())
	random := rand.New(rand.NewPCG(seed, 0))
	t.Logf("seed %d", seed)
	mine, theirs := uuid.New(), uuid.New()
	var want []string
	for i := range 250 {
		id := uuid.New()
		want = append(want, id.String())
		w.put("departments", mine, row{"id": id, "name": fmt.Sprint("tie ", i%3), "status": "active"})
		w.put("departments", theirs, row{"id": uuid.New(), "name": "tie 1", "status": "active"})
		w.happen(mine, "group.renamed", "{}", "group:"+mine.String())
		if i%5 == 0 {
			w.happen(theirs, "group.renamed", "{}", "group:"+mine.String())
		}
		w.put("audit_log", mine, row{
			"position": w.head, "id": uuid.New(), "action": "a", "object_ref": "group:x", "metadata": "{}", "is_delegated": false,
			"is_impersonated": false, "occurred_at": w.at,
		})
	}
	slices.Sort(want)
	for _, limit := range []int32{1 + random.Int32N(40), 50, 249, 250, 251} {
		if got := column(t, walk(t, w.now(mine), "departments", readmodels.Params{Limit: limit}), "id"); !slices.Equal(got, want) {
			t.Errorf("limit %d: %d departments", limit, len(got))
		}
		ties := walk(t, w.now(mine), "departments", readmodels.Params{Limit: limit, Filter: map[string]string{"name": "tie 1"}})
		if len(ties) != 83 {
			t.Errorf("limit %d: %d of a name", limit, len(ties))
		}
		for _, name := range []string{"audit", "events"} {
			up := column(t, walk(t, w.now(mine), name, readmodels.Params{Limit: limit}), "position")
			down := column(t, walk(t, w.now(mine), name, readmodels.Params{Limit: limit, Filter: map[string]string{"order": "desc"}}), "position")
			slices.Reverse(down)
			if len(up) != 250 || !slices.Equal(up, down) || !slices.IsSortedFunc(up, byNumber) {
				t.Errorf("limit %d: %s: %d up, %d down", limit, name, len(up), len(down))
			}
		}
		var history []any
		for p := (readmodels.Params{Limit: limit}); ; {
			page, err := w.now(mine).History(t.Context(), of(t, "groups"), mine.String(), p)
			if err != nil {
				t.Fatal(err)
			}
			history = append(history, page.Items...)
			if p.Cursor = page.Next; p.Cursor == "" {
				break
			}
		}
		if got := column(t, history, "position"); len(got) != 250 || !slices.IsSortedFunc(got, byNumber) {
			t.Errorf("limit %d: history of %d", limit, len(got))
		}
	}
	if got := len(list(t, w.now(mine), "departments", readmodels.Params{}).Items); got != readmodels.DefaultLimit {
		t.Errorf("a page of %d by default", got)
	}
}

func byNumber(a, b string) int {
	if d := len(a) - len(b); d != 0 {
		return d
	}
	return strings.Compare(a, b)
}

func TestWhatMakesNoSenseIsRefusedByName(t *testing.T) {
	w := newWorld(t)
	encoded := func(s string) string { return base64.RawURLEncoding.EncodeToString([]byte(s)) }
	for _, c := range []struct {
		collection string
		p          readmodels.Params
		parameter  string
	}{
		{"users", readmodels.Params{Filter: map[string]string{"colour": "red"}}, "colour"},
		{"users", readmodels.Params{Filter: map[string]string{"order": "desc"}}, "order"},
		{"users", readmodels.Params{Filter: map[string]string{"department_id": "x"}}, "department_id"},
		{"users", readmodels.Params{Filter: map[string]string{"department_id": ""}}, "department_id"},
		{"users", readmodels.Params{Filter: map[string]string{"department_id": "urn:uuid:" + uuid.NewString()}}, "department_id"},
		{"users", readmodels.Params{Filter: map[string]string{"status": "dead"}}, "status"},
		{"users", readmodels.Params{Filter: map[string]string{"email": "nobody"}}, "email"},
		{"groups", readmodels.Params{Filter: map[string]string{"name": "a\x00b"}}, "name"},
		{"groups", readmodels.Params{Filter: map[string]string{"name": "\xff"}}, "name"},
		{"domains", readmodels.Params{Filter: map[string]string{"is_primary": "yes"}}, "is_primary"},
		{"audit", readmodels.Params{Filter: map[string]string{"order": "up"}}, "order"},
		{"users", readmodels.Params{Limit: -1}, "limit"},
		{"users", readmodels.Params{Limit: readmodels.MaxLimit + 1}, "limit"},
		{"users", readmodels.Params{Cursor: "!"}, "cursor"},
		{"users", readmodels.Params{Cursor: encoded("users x")}, "cursor"},
		{"users", readmodels.Params{Cursor: encoded("users ")}, "cursor"},
		{"users", readmodels.Params{Cursor: encoded("groups " + uuid.NewString())}, "cursor"},
		{"audit", readmodels.Params{Cursor: encoded("audit -1")}, "cursor"},
		{"audit", readmodels.Params{Cursor: encoded("audit 99999999999999999999")}, "cursor"},
		{"privileges", readmodels.Params{Cursor: encoded("privileges repo.write")}, "cursor"},
	} {
		_, err := w.now(uuid.New()).List(t.Context(), of(t, c.collection), c.p)
		var input *readmodels.InputError
		if !errors.As(err, &input) || input.Parameter != c.parameter || errors.Is(err, readmodels.ErrCursor) != (c.parameter == "cursor") {
			t.Errorf("%s %+v: %v", c.collection, c.p, err)
		}
	}
}

func TestAnAnswerStatesThePositionItSaw(t *testing.T) {
	w := newWorld(t)
	mine := uuid.New()
	w.fill(mine)
	at := func(name string) readmodels.Position { return list(t, w.now(mine), name, readmodels.Params{}).Position }
	if got := at("groups"); got != 0 {
		t.Errorf("before the first page: %d", got)
	}
	w.offset("core", 40)
	w.offset("audit", 30)
	for name, want := range map[string]readmodels.Position{"groups": 40, "policies": 40, "audit": 30, "events": 40} {
		if got := at(name); got != want {
			t.Errorf("%s: %d, want %d", name, got, want)
		}
	}
	for w.head < 41 {
		w.happen(mine, "group.renamed", "{}", "group:"+mine.String())
	}
	if got := at("events"); got != 41 {
		t.Errorf("the log: %d", got)
	}
	text, err := json.Marshal(readmodels.Page{Items: []any{}, Position: 9007199254740993})
	if err != nil || string(text) != `{"items":[],"position":"9007199254740993"}` {
		t.Errorf("a page: %s %v", text, err)
	}
}

func TestThePastIsReadFromItsOwnSchema(t *testing.T) {
	w := newWorld(t)
	mine, id := uuid.New(), uuid.New()
	w.put("departments", mine, row{"id": id, "name": "Now", "status": "active"})
	for range 3 {
		w.happen(mine, "department.renamed", "{}", "department:"+id.String())
	}
	if err := ledger.Migrate(t.Context(), w.url); err != nil { // a clone of the template has lost the owner's right to make schemas
		t.Fatal(err)
	}
	w.exec(ledger.Owner, `CREATE SCHEMA past`)
	w.exec(ledger.Owner, `CREATE TABLE past.departments (LIKE core.departments INCLUDING ALL)`)
	w.exec(ledger.Owner, `GRANT USAGE ON SCHEMA past TO chancery_query`)
	w.exec(ledger.Owner, `GRANT SELECT ON past.departments TO chancery_query`)
	w.exec(ledger.Owner, `INSERT INTO past.departments SELECT tenant_id, id, parent_id, 'Then', status, created_at, updated_at, 2 FROM departments`)
	then := w.reader.AsOf(domain.TenantID{UUID: mine}, "past", 2, time.Time{})
	for range 2 { // again, so that nothing remembered from one schema serves the other
		for v, want := range map[readmodels.View]string{then: "Then", w.now(mine): "Now"} {
			if got := column(t, list(t, v, "departments", readmodels.Params{}).Items, "name"); !slices.Equal(got, []string{want}) {
				t.Errorf("%v, want %s", got, want)
			}
		}
	}
	if page := list(t, then, "departments", readmodels.Params{}); page.Position != 2 {
		t.Errorf("position %d", page.Position)
	}
	if page := list(t, then, "events", readmodels.Params{}); len(page.Items) != 2 || page.Position != 2 {
		t.Errorf("%d events up to %d", len(page.Items), page.Position)
	}
	if page, err := then.History(t.Context(), of(t, "departments"), id.String(), readmodels.Params{}); err != nil || len(page.Items) != 2 {
		t.Errorf("a history of %d: %v", len(page.Items), err)
	}
}

func TestTimesAreInUTC(t *testing.T) {
	w := newWorld(t)
	mine := uuid.New()
	w.fill(mine)
	if got := list(t, w.now(mine), "tenants", readmodels.Params{}).Items[0].(*readmodels.Tenant).CreatedAt; got.Location() != time.UTC || !got.Equal(w.at) {
		t.Errorf("%v", got)
	}
}
