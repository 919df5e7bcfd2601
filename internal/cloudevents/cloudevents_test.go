package cloudevents_test

import (
	"bytes"
	"cmp"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/cloudevents/sdk-go/v2/event"
	gocmp "github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"chancery/internal/cloudevents"
	"chancery/internal/eventlog"
)

var (
	acme = uuid.MustParse("00000000-0000-7000-8000-00000000acfe")
	id   = uuid.MustParse("0194f3a0-0042-7000-8000-000000000001")
	at   = time.Date(2026, 11, 24, 0, 0, 0, 123456000, time.UTC)
)

func published(data, about string) *eventlog.Raw {
	return &eventlog.Raw{
		Position: 9007199254740993, ID: id, Tenant: acme, TenantSeq: 42, SourceApp: "shop", Type: "shop.order.placed",
		Payload: []byte(data), Metadata: []byte(`{"actor":"x","cloudevent":` + about + `}`), OccurredAt: at, CreatedAt: at,
	}
}

func own() *eventlog.Raw {
	return &eventlog.Raw{
		Position: 7, ID: id, Tenant: acme, TenantSeq: 3, SourceApp: "core", Type: "user.registered", Payload: []byte(`{"email":"sealed:1:x"}`),
		Metadata: []byte(`{"actor":"x"}`), Tags: []string{"user:01a20b6b-6c8a-7daa-b22a-135e3fe23cce", "tenant:2"}, OccurredAt: at, CreatedAt: at.Add(time.Second),
	}
}

var encoder = cloudevents.Encoder{Mask: func(typ string, payload []byte) []byte {
	return bytes.ReplaceAll(payload, []byte("sealed:1:x"), []byte("masked "+typ))
}}

func encode(t *testing.T, raw *eventlog.Raw, full bool) []byte {
	t.Helper()
	doc, err := encoder.Encode(raw, full)
	if err != nil {
		t.Fatal(err)
	}
	return doc
}

func read(t *testing.T, doc []byte) event.Event {
	t.Helper()
	e := event.New()
	if err := json.Unmarshal(doc, &e); err != nil {
		t.Fatalf("the SDK does not read %s: %v", doc, err)
	}
	if err := e.Validate(); err != nil {
		t.Fatalf("%s: %v", doc, err)
	}
	return e
}

func TestAnAppsDataIsEmbeddedToTheByte(t *testing.T) {
	for _, data := range []string{
		"{ \"b\" : 1e2 ,\n\t\"a\":1.0,\r\n \"big\":12345678901234567890123, \"small\":-0.0 }",
		`{"u":"\u00e4ä\ud83d\ude00\/<&>","sealed":"sealed:1:x","hash":"abc","":null}`,
		`[ ]`, `"text"`, ` null `, `1E+2`, `{"data":{"data":1}}`, `{"line":"` + "\u2028" + `"}`,
		`"` + strings.Repeat("x", 256<<10) + `"`,
	} {
		doc := encode(t, published(data, `{"id":"1","source":"/shop"}`), true)
		if !bytes.HasSuffix(doc, []byte(`,"data":`+data+`}`)) {
			t.Errorf("%.100q is not in %.500q as it was", data, doc)
		}
		if got := read(t, doc).Data(); strings.TrimSpace(string(got)) != strings.TrimSpace(data) { // it drops blanks at the end
			t.Errorf("the SDK reads %.100q as %.100q", data, got)
		}
	}
}

func TestAnAppsWordsAreKept(t *testing.T) {
	about := `{"id":"a/1 \"ü\"","source":"HTTPS://Shop.example/%7Eann?b=%2f#x","subject":"order 1","time":"2026-01-02T03:04:05.6+02:00",` +
		`"dataschema":"urn:x:y","extensions":{"traceparent":"00-1","count":7,"flag":true,"text":"<&> \"ü\"","tenantid":"forged","data":"forged"}}`
	doc := encode(t, published(`{"a":1}`, about), true)
	var got map[string]any
	if err := json.Unmarshal(doc, &got); err != nil {
		t.Fatal(err)
	}
	want := map[string]any{
		"specversion": "1.0", "id": `a/1 "ü"`, "source": "HTTPS://Shop.example/%7Eann?b=%2f#x", "type": "shop.order.placed", "subject": "order 1",
		"time": "2026-01-02T01:04:05.6Z", "dataschema": "urn:x:y", "datacontenttype": "application/json", "data": map[string]any{"a": 1.0},
		"traceparent": "00-1", "count": 7.0, "flag": true, "text": `<&> "ü"`,
		"tenantid": acme.String(), "tenantseq": "42", "position": "9007199254740993", "eventid": id.String(), "recordedtime": "2026-11-24T00:00:00.123456Z",
	}
	if d := gocmp.Diff(want, got); d != "" {
		t.Error(d)
	}
	if n := bytes.Count(doc, []byte(`"data":`)); n != 1 {
		t.Errorf("data is there %d times", n)
	}
	read(t, doc)
}

// The SDK would write data of most of these as a text, and reads it so: what it makes of them is not asked here.
func TestTheMediaTypeOfDataIsAsTheAppSaid(t *testing.T) {
	for said, want := range map[string]string{
		"": "application/json", "application/json; charset=utf-8": "", "application/vnd.order+json;v=\"2\"": "", "text/json": "", "Application/JSON": "", "model/x.y+json": "",
	} {
		told, _ := json.Marshal(said)
		raw := published(`{"a" : 1e2}`, `{"id":"1","source":"/shop","datacontenttype":`+string(told)+`}`)
		doc := encode(t, raw, true)
		var got struct {
			Media string `json:"datacontenttype"`
			Data  json.RawMessage
		}
		if err := json.Unmarshal(doc, &got); err != nil || got.Media != cmp.Or(want, said) || string(got.Data) != `{"a" : 1e2}` {
			t.Errorf("%q: %s, %v", said, doc, err)
		}
		if thin := encode(t, raw, false); bytes.Contains(thin, []byte("datacontenttype")) {
			t.Errorf("%q: nothing is there to have a type: %s", said, thin)
		}
	}
}

func TestChancerysOwnEventsAreMaskedAndSpeakForTheTenant(t *testing.T) {
	e := read(t, encode(t, own(), true))
	got := []string{e.ID(), e.Source(), e.Type(), e.Subject(), e.Time().Format(time.RFC3339Nano), string(e.Data())}
	want := []string{
		id.String(), "urn:chancery:tenant:" + acme.String(), "core.user.registered", "user:01a20b6b-6c8a-7daa-b22a-135e3fe23cce", "2026-11-24T00:00:00.123456Z",
		`{"email":"masked user.registered"}`,
	}
	if d := gocmp.Diff(want, got); d != "" {
		t.Error(d)
	}
	if e.Extensions()["recordedtime"] != "2026-11-24T00:00:01.123456Z" || e.Extensions()["eventid"] != id.String() {
		t.Errorf("extensions: %v", e.Extensions())
	}
}

func TestAThinEventHasNoData(t *testing.T) {
	for _, raw := range []*eventlog.Raw{own(), published(`{"a":1}`, `{"id":"1","source":"/shop"}`)} {
		doc := encode(t, raw, false)
		if e := read(t, doc); e.Data() != nil || bytes.Contains(doc, []byte(`"data`)) {
			t.Errorf("thin: %s", doc)
		}
	}
	claimed := own()
	claimed.Tags = []string{
		"user:" + strings.Repeat("5b", 32), "email:5b6f", "user:" + strings.Repeat("5b", 16), "user:urn:uuid:01a20b6b-6c8a-7daa-b22a-135e3fe23ccc",
		"user:{01a20b6b-6c8a-7daa-b22a-135e3fe23ccc}", "token:01a20b6b-6c8a-7daa-b22a-135e3fe23ccc", "user:01a20b6b-6c8a-7daa-b22a-135e3fe23ccd",
	}
	if e := read(t, encode(t, claimed, false)); e.Subject() != "user:01a20b6b-6c8a-7daa-b22a-135e3fe23ccd" {
		t.Errorf("subject of an event that claims an address too: %q", e.Subject())
	}
	untagged := own()
	untagged.Tags = nil
	if e := read(t, encode(t, untagged, false)); e.Subject() != "" {
		t.Errorf("subject of an event without tags: %q", e.Subject())
	}
	if e := read(t, encode(t, published(`1`, `{"id":"1","source":"/shop"}`), false)); !e.Time().IsZero() {
		t.Errorf("the app told no time, and it is %v", e.Time())
	}
}

func TestMetadataThatCannotBeReadIsAnError(t *testing.T) {
	for _, about := range []string{`{"id":`, `{"id":1}`} {
		if doc, err := encoder.Encode(published(`1`, about), true); err == nil {
			t.Errorf("%s became %s", about, doc)
		}
	}
}

func BenchmarkEncode(b *testing.B) {
	raw := published(`{"a":"`+strings.Repeat("x", 4000)+`"}`, `{"id":"1","source":"/shop","extensions":{"traceparent":"00-1"}}`)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := encoder.Encode(raw, true); err != nil {
			b.Fatal(err)
		}
	}
}
