package strictjson_test

import (
	"errors"
	"fmt"
	"regexp"
	"strings"
	"testing"
	"time"

	"chancery/internal/strictjson"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/google/uuid"
)

type userID uuid.UUID

func (u *userID) UnmarshalText(text []byte) error { return (*uuid.UUID)(u).UnmarshalText(text) }
func (u userID) MarshalText() ([]byte, error)     { return uuid.UUID(u).MarshalText() }

type colour string

func (c *colour) UnmarshalText(text []byte) error {
	if s := string(text); s != "red" && s != "blue" {
		return errors.New("must be red or blue")
	}
	*c = colour(text)
	return nil
}

type money struct{ Cents int64 }

func (m *money) UnmarshalJSON(data []byte) error {
	var inner struct {
		Cents int64 `json:"cents"`
	}
	if err := strictjson.Decode(data, &inner); err != nil {
		return err
	}
	m.Cents = inner.Cents
	return nil
}

func (m money) MarshalJSON() ([]byte, error) { return fmt.Appendf(nil, `{"cents":%d}`, m.Cents), nil }

type leaky struct{}

func (leaky) UnmarshalJSON(data []byte) error { return json.Unmarshal(data, new(int)) }

type command struct {
	Email   string         `json:"email"`
	ID      uuid.UUID      `json:"id,omitzero"`
	User    userID         `json:"user,omitzero"`
	Parent  *uuid.UUID     `json:"parent,omitzero"`
	At      time.Time      `json:"at,omitzero"`
	Until   *time.Time     `json:"until,omitzero"`
	Seats   int64          `json:"seats"`
	Small   int8           `json:"small"`
	Count   uint16         `json:"count"`
	Share   float64        `json:"share"`
	Active  bool           `json:"active"`
	Tags    []string       `json:"tags"`
	Scope   *scope         `json:"scope,omitzero"`
	Scopes  []scope        `json:"scopes"`
	Labels  map[string]int `json:"labels"`
	Colour  colour         `json:"colour,omitzero"`
	Price   money          `json:"price"`
	Raw     jsontext.Value `json:"raw,omitzero"`
	Any     any            `json:"any"`
	Bytes   []byte         `json:"bytes"`
	Leak    leaky          `json:"leak,omitzero"`
	private int            //nolint:unused // never filled in
}

type scope struct {
	Type string    `json:"type"`
	ID   uuid.UUID `json:"id,omitzero"`
}

const id = "018f3b0e-7c1a-7abc-8def-0123456789ab"

func TestAGoodBodyIsTaken(t *testing.T) {
	body := ` {"email":"Zo\u00eb\u0001\\u0000","id":"` + strings.ToUpper(id) + `","user":"` + id + `","parent":"` + id + `",
	 "at":"2026-01-31T12:00:00.1234567+02:00","until":null,"seats":-9223372036854775808,"small":-128,"count":65535,"share":1e3,"active":true,
	 "tags":["a",""],"scope":{"type":"group","id":"` + id + `"},"labels":{"x":1},"colour":"red","price":{"cents":7},
	 "raw":{"any":[1.50]},"any":[null,{}],"bytes":"aGk="}` + " \r\n\t"
	var got command
	if err := strictjson.Decode([]byte(body), &got); err != nil {
		t.Fatal(err)
	}
	parent := uuid.MustParse(id)
	want := command{Email: "Zoë\x01\\u0000", ID: parent, User: userID(parent), Parent: &parent,
		At: time.Date(2026, 1, 31, 10, 0, 0, 123456000, time.UTC), Seats: -9223372036854775808, Small: -128, Count: 65535, Share: 1000, Active: true,
		Tags: []string{"a", ""}, Scope: &scope{"group", parent}, Labels: map[string]int{"x": 1}, Colour: "red", Price: money{7},
		Raw: jsontext.Value(`{"any":[1.50]}`), Any: []any{nil, map[string]any{}}, Bytes: []byte("hi")}
	if diff := cmp.Diff(want, got, cmpopts.IgnoreUnexported(command{})); diff != "" {
		t.Error(diff)
	}
	if got.At.Location() != time.UTC {
		t.Errorf("the time is in %s", got.At.Location())
	}
}

func TestNullMeansAbsent(t *testing.T) {
	got := command{Email: "x", ID: uuid.New(), At: time.Now()}
	if err := strictjson.Decode([]byte(`{"email":null,"id":null,"at":null,"seats":null,"tags":null,"scope":null}`), &got); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(command{}, got, cmpopts.IgnoreUnexported(command{})); diff != "" {
		t.Error(diff)
	}
}

func TestABadBodyIsRefusedInWordsThatHelp(t *testing.T) {
	const (
		aUUID = "must be a UUID such as " + id
		aTime = "must be a time in RFC 3339 such as 2026-01-31T12:00:00Z"
		whole = "must be a whole number, without fraction or exponent"
	)
	nest := func(n int) string { return `{"any":` + strings.Repeat("[", n-1) + strings.Repeat("]", n-1) + `}` }
	for _, c := range []struct{ body, want string }{
		{``, "must be a JSON object, but is empty"},
		{" \n", "must be a JSON object, but is empty"},
		{`[]`, "must be a JSON object"},
		{`null`, "must be a JSON object"},
		{`"x"`, "must be a JSON object"},
		{"\ufeff{}", "must be a JSON object"},
		{`{} {}`, "must be one JSON object and nothing after it, but more follows at byte 3"},
		{`{}x`, "must be one JSON object and nothing after it, but more follows at byte 2"},
		{`{"email":"x"`, "not valid JSON: the text ends too early"},
		{`{"email":"x`, "/email: not valid JSON: the text ends too early"},
		{`{"email":x}`, "/email: not valid JSON: invalid character 'x' at start of value at byte 9"},
		{`{"seats":01}`, "not valid JSON: invalid character '1' after object value (expecting ',' or '}') at byte 10"},
		{`{"email":"x",}`, "not valid JSON: invalid character ',' at start of value at byte 12"},
		{`{"email":"a` + "\x00" + `"}`, `/email: not valid JSON: invalid character '\x00' in string (expecting non-control character) at byte 11`},
		{`{"email":"a` + "\xff" + `"}`, `/email: not valid JSON: invalid UTF-8 at byte 11`},
		{`{"email":"\ud800"}`, "/email: not valid JSON: invalid surrogate pair `\\ud800\"}` in string at byte 10"},
		{`{"email":"a\u0000"}`, "/email: must not hold the character U+0000"},
		{`{"email":"a\\\u0000"}`, "/email: must not hold the character U+0000"},
		{`{"tags":["a","\u0000"]}`, "/tags/1: must not hold the character U+0000"},
		{`{"labels":{"\u0000":1}}`, "/labels: has a key with the character U+0000"},
		{`{"\u0000":1}`, "has a key with the character U+0000"},
		{`{"raw":{"a":["\u0000"]}}`, "/raw/a/0: must not hold the character U+0000"},
		{nest(65), "/any" + strings.Repeat("/0", 63) + ": is nested deeper than 64 levels"},
		{`{"email":"x","email":"y"}`, "/email: given twice"},
		{`{"email":"x","\u0065mail":"y"}`, "/email: given twice"},
		{`{"raw":{"a":1,"a":2}}`, "/raw/a: given twice"},
		{`{"any":{"a":1,"a":2}}`, "/any/a: given twice"},
		{`{"labels":{"a":1,"a":2}}`, "/labels/a: given twice"},
		{`{"nope":1}`, "/nope: unknown key"},
		{`{"Email":"x"}`, "/Email: unknown key"},
		{`{"private":1}`, "/private: unknown key"},
		{`{"scope":{"type":"x","ID":"x"}}`, "/scope/ID: unknown key"},
		{`{"a/b~c":1}`, "/a~1b~0c: unknown key"},
		{`{"email":1}`, "/email: must be a string"},
		{`{"email":{}}`, "/email: must be a string"},
		{`{"active":"true"}`, "/active: must be true or false"},
		{`{"seats":"1"}`, "/seats: " + whole},
		{`{"seats":1.5}`, "/seats: " + whole},
		{`{"seats":1e400}`, "/seats: " + whole},
		{`{"seats":1e2}`, "/seats: " + whole},
		{`{"seats":9223372036854775808}`, "/seats: must be between -9223372036854775808 and 9223372036854775807"},
		{`{"small":128}`, "/small: must be between -128 and 127"},
		{`{"count":-1}`, "/count: must be a whole number of at least 0, without fraction or exponent"},
		{`{"count":65536}`, "/count: must be between 0 and 65535"},
		{`{"share":1e400}`, "/share: is a number too large to be kept"},
		{`{"share":"1"}`, "/share: must be a number"},
		{`{"any":1e400}`, "/any: is a number too large to be kept"},
		{`{"tags":"a"}`, "/tags: must be a list"},
		{`{"tags":{}}`, "/tags: must be a list"},
		{`{"tags":["a",2]}`, "/tags/1: must be a string"},
		{`{"scope":[]}`, "/scope: must be an object"},
		{`{"scopes":[{"type":"a"},{"type":1}]}`, "/scopes/1/type: must be a string"},
		{`{"labels":[]}`, "/labels: must be an object"},
		{`{"labels":{"a":"b"}}`, "/labels/a: " + whole},
		{`{"bytes":"*"}`, "/bytes: must be a string in base64"},
		{`{"id":"x"}`, "/id: " + aUUID},
		{`{"id":""}`, "/id: " + aUUID},
		{`{"id":7}`, "/id: " + aUUID},
		{`{"id":["x"]}`, "/id: " + aUUID},
		{`{"id":"{` + id + `}"}`, "/id: " + aUUID},
		{`{"id":"urn:uuid:` + id + `"}`, "/id: " + aUUID},
		{`{"id":"` + strings.ReplaceAll(id, "-", "") + `"}`, "/id: " + aUUID},
		{`{"parent":"x"}`, "/parent: " + aUUID},
		{`{"scope":{"id":"x"}}`, "/scope/id: " + aUUID},
		{`{"user":"x"}`, "/user: " + aUUID},
		{`{"user":1}`, "/user: " + aUUID},
		{`{"at":"yesterday"}`, "/at: " + aTime},
		{`{"at":1769860800}`, "/at: " + aTime},
		{`{"at":"2026-01-31 12:00:00Z"}`, "/at: " + aTime},
		{`{"at":"2026-01-31T12:00:00"}`, "/at: " + aTime},
		{`{"at":"2026-02-30T12:00:00Z"}`, "/at: " + aTime},
		{`{"at":"2026-01-31T1:00:00Z"}`, "/at: " + aTime},
		{`{"at":"2026-01-31T12:00:00,5Z"}`, "/at: " + aTime},
		{`{"at":"2026-01-31T12:00:00+24:00"}`, "/at: " + aTime},
		{`{"at":"2026-01-31T12:00:00+23:60"}`, "/at: " + aTime},
		{`{"at":"2026-01-31T12:00Z"}`, "/at: " + aTime},
		{`{"at":"2026-01-31t12:00:00z"}`, "/at: " + aTime},
		{`{"until":"x"}`, "/until: " + aTime},
		{`{"at":"0000-01-01T00:00:00+01:00"}`, "/at: must be a time of the years 1 to 9999"},
		{`{"at":"9999-12-31T23:59:59-01:00"}`, "/at: must be a time of the years 1 to 9999"},
		{`{"colour":"green"}`, "/colour: must be red or blue"},
		{`{"colour":1}`, "/colour: must be a string"},
		{`{"price":{"cents":"x"}}`, "/price/cents: " + whole},
		{`{"price":1}`, "/price: must be a JSON object"},
		{`{"leak":"x"}`, "/leak: " + whole},
		{`{"email":1,"nope":2,"seats":1.5,"scope":{"type":1},"tags":["a"]}`,
			"/email: must be a string; /nope: unknown key; /seats: " + whole + "; /scope/type: must be a string"},
		{`{"` + strings.Repeat("k", 5000) + `":1}`, "/" + strings.Repeat("k", 199) + "…: unknown key"},
	} {
		var into command
		err := strictjson.Decode([]byte(c.body), &into)
		var all strictjson.Errors
		if !errors.As(err, &all) || len(all) == 0 {
			t.Errorf("%.80s\n is taken: %v", c.body, err)
			continue
		}
		if err.Error() != c.want {
			t.Errorf("%.80s\n got %s\nwant %s", c.body, err, c.want)
		}
	}
	if err := strictjson.Decode([]byte(nest(64)), new(command)); err != nil {
		t.Errorf("64 levels: %v", err)
	}
	if err := strictjson.Decode([]byte(`{"tags":["`+strings.Repeat(`","`, 100)+`"],"raw":"`+strings.Repeat("{[", 100)+`"}`), new(command)); err != nil {
		t.Errorf("brackets within strings: %v", err)
	}
}

func TestManyMistakesAreNotAllRepeated(t *testing.T) {
	var body strings.Builder
	body.WriteString(`{"email":1`)
	for i := range 1000 {
		fmt.Fprintf(&body, `,"k%d":1`, i)
	}
	body.WriteString(`}`)
	var all strictjson.Errors
	if err := strictjson.Decode([]byte(body.String()), new(command)); !errors.As(err, &all) || len(all) != 16 {
		t.Errorf("%d errors", len(all))
	}
}

// goWords are words that only a Go programmer would use.
var goWords = regexp.MustCompile(`Go |strictjson|command|scope\b.*struct|int64|uint|float64|\[\]string|map\[|reflect|unmarshal|jsontext`)

// FuzzDecode: what is taken is written and taken again as the same value; what is refused is refused in plain words.
func FuzzDecode(f *testing.F) {
	for _, seed := range []string{`{}`, `{"email":"x"}`, `{"at":"2026-01-31T12:00:00.5+02:00","until":"0000-12-31T23:59:59-23:59"}`,
		`{"seats":1.5}`, `{"id":"` + id + `","user":"` + id + `","parent":"` + id + `"}`, `{"any":{"a":[1e3,null,true,"\ud83e\udd8a"]}}`,
		`{"raw":[1.0,{"x":"\u0000"}]}`, `{"email":"x","email":"y"}`, `{"scope":{"type":"a"},"scopes":[{}]}`, `{"share":-0.0,"labels":{"":1}}`,
		`{"bytes":"aGk=","price":{"cents":1},"colour":"red"}`, `{"leak":1}`, `[`, `{"tags":[[]]}`, `{"a":1}{`} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		var first command
		if err := strictjson.Decode(data, &first); err != nil {
			var all strictjson.Errors
			if !errors.As(err, &all) || len(all) == 0 {
				t.Fatalf("%T", err)
			}
			for _, one := range all {
				if one.Detail == "" || (one.Pointer != "" && one.Pointer[0] != '/') || goWords.MatchString(one.Detail) {
					t.Fatalf("%q: %#v", data, one)
				}
			}
			return
		}
		written, err := json.Marshal(first)
		if err != nil {
			t.Fatalf("%q is taken, but cannot be written: %v", data, err)
		}
		var second command
		if err := strictjson.Decode(written, &second); err != nil {
			t.Fatalf("%q is written as %q: %v", data, written, err)
		}
		if diff := cmp.Diff(first, second, cmpopts.EquateEmpty(), cmpopts.IgnoreUnexported(command{})); diff != "" {
			t.Fatalf("%q, %q:\n%s", data, written, diff)
		}
	})
}

var benchBody = []byte(`{"email":"ann.example@acme.test","id":"` + id + `","at":"2026-01-31T12:00:00Z","seats":25,` +
	`"active":true,"tags":["alpha","beta"],"scope":{"type":"group","id":"` + id + `"}}`)

func BenchmarkDecode(b *testing.B) {
	b.SetBytes(int64(len(benchBody)))
	b.ReportAllocs()
	for b.Loop() {
		if err := strictjson.Decode(benchBody, new(command)); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkDecodeOfARefusedBody(b *testing.B) {
	body := []byte(`{"email":"ann.example@acme.test","seats":1.5,"nope":1,"tags":["alpha","beta"]}`)
	for b.Loop() {
		if err := strictjson.Decode(body, new(command)); err == nil {
			b.Fatal("taken")
		}
	}
}
