package app

import (
	"encoding/json"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// sayings are what is said of an event beside what Chancery says of every one.
func sayings(t *testing.T, doc []byte) map[string]string {
	t.Helper()
	var all map[string]json.RawMessage
	if err := json.Unmarshal(doc, &all); err != nil {
		t.Fatalf("%s: %v", doc, err)
	}
	maps.DeleteFunc(all, func(name string, _ json.RawMessage) bool {
		return slices.Contains([]string{"tenantid", "tenantseq", "position", "eventid", "recordedtime"}, name)
	})
	got := make(map[string]string, len(all))
	for name, value := range all {
		got[name] = string(value)
	}
	return got
}

func TestWhateverAnAppSaysOfAnEventComesBackWhicheverWay(t *testing.T) {
	s := newStall(t)
	_, at := s.pull("")
	const data = "{ \"z\" : 12345678901234567890.10e-0,\t\"a\":\"\\u00e4\", \"\": null }"
	event := map[string]string{
		"specversion": `"1.0"`, "id": `" 7/ü"`, "source": `"HTTPS://Shop.example/%7Eann?b=%2f#x"`, "type": `"shop.order.placed"`, "subject": `" a \"b\" "`,
		"time": `"2026-01-31T13:00:00.123456789+05:45"`, "dataschema": `"urn:x:Y%7e"`, "datacontenttype": `"application/vnd.order+json; v=2"`, "data": data,
		"boolean": "true", "integer": "-2147483648", "text": `"<&> ü"`, "empty": `""`, "uri": `"https://a.example/%7E"`, "reference": `"../b?c"`, "timestamp": `"2026-01-31T13:00:00.123456789+05:45"`,
		"binary": `"AAECAwQ/+/8="`, "traceparent": `"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"`,
		"tracestate": `"` + strings.Repeat("vendor=0123456789,", 40) + `"`,
	}
	var members []string
	for _, name := range slices.Sorted(maps.Keys(event)) {
		members = append(members, `"`+name+`":`+event[name])
	}
	structured := s.shop.send(single, "{"+strings.Join(members, ",")+"}")
	expectStatus(t, "structured", structured, http.StatusOK, "")
	again := s.shop.send(batch, "[{"+strings.Join(members, ",")+"}]")
	if _, part, _ := strings.Cut(structured.body, `"events":`); again.status != http.StatusOK || !strings.HasSuffix(again.body, part) {
		t.Errorf("in a batch it is another: %d %s", again.status, again.body)
	}
	// Headers have no types: there an integer is a text. Quotes are of CloudEvents before 1.0.2.
	headers := []string{
		"ce-specversion", "1.0", "ce-id", "%208/%c3%bc", "ce-source", "HTTPS://Shop.example/%257Eann?b=%252f#x", "ce-type", "shop.order.placed", "ce-subject", `" a \"b\" "`,
		"ce-time", "2026-01-31T13:00:00.123456789+05:45", "ce-dataschema", "urn:x:Y%257e", "ce-boolean", "true", "ce-integer", "-2147483648", "ce-text", "<&>%20%C3%BC",
		"ce-empty", "", "ce-uri", "https://a.example/%257E", "ce-reference", "../b?c", "ce-timestamp", "2026-01-31T13:00:00.123456789+05:45", "ce-binary", "AAECAwQ/+/8=",
		"ce-traceparent", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01", "ce-tracestate", strings.Repeat("vendor=0123456789,", 40),
	}
	expectStatus(t, "binary", s.shop.send("application/vnd.order+json; v=2", data, headers...), http.StatusOK, "")

	event["time"] = `"2026-01-31T07:15:00.123456789Z"` // the same moment
	inHeaders := maps.Clone(event)
	inHeaders["id"], inHeaders["boolean"], inHeaders["integer"] = `" 8/ü"`, `"true"`, `"-2147483648"`
	want := []map[string]string{event, inHeaders}
	var leased struct {
		Items []struct{ Event json.RawMessage }
	}
	var read struct{ Items []json.RawMessage }
	if err := json.Unmarshal([]byte(s.stock.do("POST", at+"/receive", `{}`).body), &leased); err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal([]byte(s.stock.do("GET", at+"/events?after=0", "").body), &read); err != nil {
		t.Fatal(err)
	}
	live := s.tail(s.serving(s.app, asItIs), at+"/stream?after=0", "")
	for i := range want {
		s.equal("leased", want[i], sayings(t, leased.Items[i].Event))
		s.equal("read", want[i], sayings(t, read.Items[i]))
		for data := ""; data == ""; {
			line, err := live.body.ReadString('\n')
			if err != nil {
				t.Fatal(err)
			}
			if data, _ = strings.CutPrefix(line, "data: "); data == line {
				data = ""
				continue
			}
			s.equal("streamed", want[i], sayings(t, []byte(data)))
		}
	}
	one := s.ann.do(http.MethodGet, "/v1/tenants/acme/events/"+structured.part("id"), "")
	if !strings.Contains(one.body, `"datacontenttype":"application/vnd.order+json; v=2"`) || !strings.Contains(one.body, `12345678901234567890.10e-0`) {
		t.Errorf("the query shows %s", one.body)
	}
}

func TestTheMediaTypeOfDataTellsEventsApart(t *testing.T) {
	s := newShopTenant(t)
	typed := func(id, media string) reply {
		return s.shop.send(single, placed(id, `{"order":"1"}`, `"datacontenttype":"`+media+`"`))
	}
	plain := s.shop.send(single, placed("1", `{"order":"1"}`))
	for _, media := range []string{"application/json", "application/json; charset=utf-8"} {
		if again := typed("1", media); again.body != plain.body || again.status != http.StatusOK {
			t.Errorf("%s: %d %s, want %s", media, again.status, again.body, plain.body)
		}
	}
	expectStatus(t, "of another type", typed("1", "application/vnd.order+json"), http.StatusUnprocessableEntity, "event-id-reused")
	newer := typed("2", "application/vnd.order+json")
	if again := typed("2", "application/vnd.order+json"); again.body != newer.body || again.status != http.StatusOK {
		t.Errorf("again: %d %s, want %s", again.status, again.body, newer.body)
	}
	for _, media := range []string{"application/json", "application/vnd.bill+json"} {
		expectStatus(t, media, typed("2", media), http.StatusUnprocessableEntity, "event-id-reused")
	}
	expectStatus(t, "no JSON", typed("3", "application/json-seq"), http.StatusUnprocessableEntity, "event-data-invalid")
	expectStatus(t, "no media type", typed("3", "application/json; charset"), http.StatusBadRequest, "malformed")
	expectStatus(t, "a long one", typed("3", "application/"+strings.Repeat("x", 260)+"+json"), http.StatusBadRequest, "malformed")
	if got := len(s.inLog(t)); got != 2 {
		t.Errorf("there are %d events", got)
	}
}

func TestAnEmptyBatchIsPublishedByWhoeverMayPublish(t *testing.T) {
	s := newShopTenant(t)
	before := len(s.inLog(t))
	r := s.shop.send(batch, " [ ] ")
	if a := r.published(t); len(a.Events) != 0 || a.Position == "" || a.Position == "0" {
		t.Errorf("answered %s", r.body)
	}
	expectStatus(t, "by another", s.ann.send(batch, "[]"), http.StatusForbidden, "not-the-app")
	expectStatus(t, "with more behind it", s.shop.send(batch, "[]]"), http.StatusBadRequest, "malformed")
	if diff := cmp.Diff(before, len(s.inLog(t))); diff != "" {
		t.Error(diff)
	}
}

// As by the SDK of JavaScript: what has a type in structured mode is a text in binary mode, and only there the data has a charset.
func TestTheSameEventMayComeInAnotherMode(t *testing.T) {
	s := newShopTenant(t)
	const more = `"integer":-5,"boolean":true,"text":"<ü>"`
	headers := func(id string) []string {
		return []string{"ce-specversion", "1.0", "ce-id", id, "ce-source", "/checkout", "ce-type", "shop.order.placed",
			"ce-integer", "-5", "ce-boolean", "true", "ce-text", "<%C3%BC>"}
	}
	inOne := s.shop.send(single, placed("1", `{"order":"1"}`, more))
	if again := s.shop.send("application/json; charset=UTF-8", `{"order":"1"}`, headers("1")...); again.status != http.StatusOK || again.body != inOne.body {
		t.Errorf("binary after structured: %d %s, want %s", again.status, again.body, inOne.body)
	}
	inHeaders := s.shop.send("application/json; charset=utf-8", `{"order":"2"}`, headers("2")...)
	if again := s.shop.send(single, placed("2", `{"order":"2"}`, more)); again.status != http.StatusOK || again.body != inHeaders.body {
		t.Errorf("structured after binary: %d %s, want %s", again.status, again.body, inHeaders.body)
	}
	other := s.shop.send(single, placed("2", `{"order":"2"}`, `"integer":-6,"boolean":true,"text":"<ü>"`))
	expectStatus(t, "with another number", other, http.StatusUnprocessableEntity, "event-id-reused")
	if got := len(s.inLog(t)); got != 2 {
		t.Errorf("there are %d events", got)
	}
}

func TestWhatIsWrongWithDataIsSaidOfIt(t *testing.T) {
	s := newShopTenant(t)
	const open = `{"specversion":"1.0","id":"1","source":"/checkout","type":"shop.order.placed",`
	for _, c := range []struct{ media, body, code, place string }{
		{single, open + `"data":{"order":"1","more":1e999}}`, "event-data-invalid", "/data/more: "},
		{single, open + `"data_base64":"@@"}`, "event-data-invalid", "/data_base64: "},
		{single, open + `"data_base64":7}`, "event-data-invalid", "/data_base64: "},
		{single, open + `"datacontenttype":"text/plain","data":"x"}`, "event-data-invalid", "/datacontenttype: "},
		{single, open + `"datacontenttype":"text/plain","data":{}}`, "event-data-invalid", "/datacontenttype: "},
		{batch, "[" + placed("2", `{"order":"2"}`) + "," + open + `"data_base64":"@@"}]`, "event-data-invalid", "/1/data_base64: "},
		{batch, "[" + placed("2", `{"order":"2"}`) + "," + open + `"datacontenttype":"text/plain","data":"x"}]`, "event-data-invalid", "/1/datacontenttype: "},
	} {
		r := s.shop.send(c.media, c.body)
		if got := r.places(); r.code() != c.code || len(got) != 1 || !strings.HasPrefix(got[0], c.place) {
			t.Errorf("%s: %d %s", c.body, r.status, r.body)
		}
	}
	expectStatus(t, "a number beyond all", s.shop.send(single, placed("1", `{"order":"1","total":1e999999999}`)), http.StatusOK, "")
}

func TestABodyInAnotherCodingIsRefusedWhereverOneIsRead(t *testing.T) {
	s := newShopTenant(t)
	expectStatus(t, "an event", s.shop.send(single, placed("1", `{"order":"1"}`), "Content-Encoding", "gzip"), http.StatusUnsupportedMediaType, "unsupported-content-encoding")
	for _, path := range []string{"/v1/tenants/acme/commands/create-group", "/v1/tenants/acme/access/v1/preview", "/v1/tenants/acme/access/v1/evaluation", "/v1/tenants/acme/sessions"} {
		r := s.ann.do(http.MethodPost, path, `{}`, "Content-Encoding", "gzip")
		expectStatus(t, path, r, http.StatusUnsupportedMediaType, "unsupported-content-encoding")
	}
	expectStatus(t, "as it is", s.shop.send(single, placed("1", `{"order":"1"}`), "Content-Encoding", "Identity"), http.StatusOK, "")
	expectStatus(t, "with If-Match", s.shop.send(single, placed("1", `{"order":"1"}`), "If-Match", `"7"`), http.StatusBadRequest, "malformed")
}
