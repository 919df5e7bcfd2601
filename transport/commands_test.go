package transport_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"chancery/commands"
	"chancery/domain"
	"chancery/internal/dcb"
	"chancery/transport"
)

func TestBodiesThatNoScriptCanHoldAreRefused(t *testing.T) {
	w := newWorld(t)
	w.people(t)
	head, _ := w.log.Head(t.Context())
	for name, c := range map[string]struct {
		body   string
		status int
	}{
		"two MiB":           {`{"name":"` + strings.Repeat("x", 2<<20) + `"}`, 413},
		"bad UTF-8":         {"{\"name\":\"a\xff\"}", 400},
		"a raw NUL":         {"{\"name\":\"a\x00\"}", 400},
		"cut off":           {`{"name":"a`, 400},
		"a list":            {`[{"name":"a"}]`, 400},
		"deep nesting":      {`{"name":` + strings.Repeat("[", 100) + strings.Repeat("]", 100) + `}`, 400},
		"another case":      {`{"Name":"a"}`, 400},
		"a lone surrogate":  {`{"name":"\ud800"}`, 400},
		"a sealed text":     {`{"name":"\u0073ealed:1:0192f3a1-0000-7000-8000-000000000001:x"}`, 400},
		"an id that is not": {`{"name":"a","parents":["123"]}`, 400},
	} {
		t.Run(name, func(t *testing.T) {
			rec := w.do("ann", "POST", "/v1/tenants/acme/commands/create-role", c.body)
			var p struct {
				Code string `json:"code"`
				Type string `json:"type"`
			}
			err := json.Unmarshal(rec.Body.Bytes(), &p)
			if rec.Code != c.status || err != nil || p.Type != "urn:chancery:problem:"+p.Code {
				t.Errorf("answer %d %s", rec.Code, rec.Body)
			}
		})
	}
	if now, _ := w.log.Head(t.Context()); now != head {
		t.Errorf("the log grew from %d to %d", head, now)
	}
}

func TestRefusalsAreNoted(t *testing.T) {
	w := newWorld(t)
	w.people(t)
	w.do("abe", "POST", "/v1/tenants/acme/commands/deactivate-user", `{"id":"`+w.vars["annID"]+`"}`)
	w.do("ann", "POST", "/v1/tenants/acme/commands/deactivate-user", `{"id":"`+w.vars["annID"]+`"}`)
	w.do("ann", "POST", "/v1/tenants/acme/commands/create-role", `{"name":7}`) // no refusal, but nonsense
	want := []string{"deactivate-user not-allowed user:" + w.vars["annID"], "deactivate-user not-oneself user:" + w.vars["annID"]}
	if !slices.Equal(w.refused, want) {
		t.Errorf("noted %q, want %q", w.refused, want)
	}
}

func TestEventsTellOnWhoseAccountTheyGo(t *testing.T) {
	w := newWorld(t)
	w.people(t)
	w.do("ann", "POST", "/v1/tenants/acme/commands/create-group", `{"name":"Team"}`, "X-Request-ID", "trace-7")
	head, _ := w.log.Head(t.Context())
	events, err := w.store.Range(t.Context(), head, head)
	if err != nil {
		t.Fatal(err)
	}
	by := events[0].Provenance
	if by.Actor.String() != w.vars["annID"] || by.ActorTenant.String() != w.vars["acme"] || by.Correlation != "trace-7" || by.Command != "create-group" {
		t.Errorf("provenance %+v", by)
	}
}

// moved is an engine whose history always moves.
type moved struct{ transport.Commands }

func (moved) Execute(context.Context, commands.Order) (commands.Result, error) {
	return commands.Result{}, dcb.ErrConflict
}

func (moved) Batch(context.Context, domain.TenantID, []commands.Order, bool) ([]commands.Outcome, error) {
	return nil, dcb.ErrConflict
}

func TestAConflictThatLastsIsAConflict(t *testing.T) {
	w := newWorld(t)
	w.people(t)
	w.config.Commands = moved{w.config.Commands}
	w.restart(t)
	if rec := w.do("ann", "POST", "/v1/tenants/acme/commands/create-group", `{"name":"x"}`); rec.Code != 409 || !strings.Contains(rec.Body.String(), `"code":"conflict"`) {
		t.Errorf("one command: %d %s", rec.Code, rec.Body)
	}
	for _, line := range w.bulk(t, "ann", "acme", "", `{"command":"create-group","body":{"name":"a"}}`, `{"command":"create-group","body":{"name":"b"}}`) {
		if line.Status != 409 || line.Problem.Code != "conflict" {
			t.Errorf("a line: %+v", line)
		}
	}
}

type answered struct {
	Status   int    `json:"status"`
	Position string `json:"position"`
	ID       string `json:"id"`
	Events   []struct {
		Type string `json:"type"`
	} `json:"events"`
	Problem struct {
		Code   string `json:"code"`
		Errors []struct {
			Pointer string `json:"pointer"`
			Detail  string `json:"detail"`
		} `json:"errors"`
	} `json:"problem"`
}

func (w *world) bulk(t *testing.T, who, tenant, query string, lines ...string) []answered {
	t.Helper()
	rec := w.do(who, "POST", "/v1/tenants/"+tenant+"/commands"+query, strings.Join(lines, "\n")+"\n", "Content-Type", "application/x-ndjson")
	return answers(t, rec)
}

func answers(t *testing.T, rec *httptest.ResponseRecorder) (all []answered) {
	t.Helper()
	if rec.Code != 200 || rec.Header().Get("Content-Type") != "application/x-ndjson" {
		t.Fatalf("answer %d %s %s", rec.Code, rec.Header().Get("Content-Type"), rec.Body)
	}
	for line := range strings.SplitSeq(strings.TrimSuffix(rec.Body.String(), "\n"), "\n") {
		var a answered
		if err := json.Unmarshal([]byte(line), &a); err != nil {
			t.Fatalf("line %s: %v", line, err)
		}
		all = append(all, a)
	}
	return all
}

func statuses(all []answered) (s []int) {
	for _, a := range all {
		s = append(s, a.Status)
	}
	return s
}

func TestLinesRunInOrderAndALaterOneSeesTheEarlierOnes(t *testing.T) {
	w := newWorld(t)
	w.people(t)
	got := w.bulk(t, "ann", "acme", "",
		`{"command":"create-group","body":{"id":"0192f3a1-0000-7000-8000-000000000001","name":"Team"}}`,
		`{"command":"add-group-member","body":{"group_id":"0192f3a1-0000-7000-8000-000000000001","user_id":"`+w.vars["abeID"]+`"}}`,
		`{"command":"create-group","body":{"name":"Team"}}`,
		``,
		`{"command":"create-group","body":{"name":7}}`,
		`{"command":"create-group"}`,
		`{"command":"create-group","body":{"name":"x"},"when":"now"}`,
		`not JSON`,
		`{"command":"conquer-world","body":{}}`,
		`{"command":"create-group","body":{"name":"Other"}}`,
	)
	if want := []int{200, 200, 422, 400, 400, 400, 400, 404, 200}; !slices.Equal(statuses(got), want) {
		t.Fatalf("statuses %v, want %v", statuses(got), want)
	}
	if got[1].Events[0].Type != "group-member.added" || got[2].Problem.Code != "group-name-taken" || got[2].Problem.Errors[0].Pointer != "/body/name" {
		t.Errorf("answers %+v", got[:3])
	}
	if got[3].Problem.Errors[0].Pointer != "/body/name" || got[4].Problem.Errors[0].Pointer != "/body" || got[5].Problem.Errors[0].Pointer != "/when" {
		t.Errorf("answers %+v", got[3:6])
	}
}

func TestAnAtomicBatchIsAllOrNothing(t *testing.T) {
	w := newWorld(t)
	w.people(t)
	before, _ := w.log.Head(t.Context())
	for name, bad := range map[string]string{
		"a rule":        `{"command":"create-group","body":{"name":""}}`,
		"nonsense":      `{`,
		"a foreign one": `{"command":"deactivate-user","body":{"id":"` + w.vars["beaID"] + `"}}`,
	} {
		got := w.bulk(t, "ann", "acme", "?atomic=true", `{"command":"create-group","body":{"name":"a"}}`, bad, `{"command":"create-group","body":{"name":"b"}}`)
		if len(got) != 3 || got[0].Status != 424 || got[2].Status != 424 || got[0].Problem.Code != "aborted" || got[1].Status == 424 {
			t.Errorf("%s: %+v", name, got)
		}
	}
	if after, _ := w.log.Head(t.Context()); after != before {
		t.Errorf("the log grew from %d to %d", before, after)
	}
	got := w.bulk(t, "ann", "acme", "?atomic=true", `{"command":"create-group","body":{"name":"a"}}`, `{"command":"create-group","body":{"name":"b"}}`)
	if !slices.Equal(statuses(got), []int{200, 200}) {
		t.Errorf("answers %+v", got)
	}
}

func TestMoreLinesThanAChunkAreAllAnswered(t *testing.T) {
	w := newWorld(t)
	w.people(t)
	var lines []string
	for i := range 1201 {
		lines = append(lines, fmt.Sprintf(`{"command":"create-group","body":{"name":"g%d"},"key":"k%d"}`, i, i))
	}
	first := w.bulk(t, "ann", "acme", "", lines...)
	if len(first) != 1201 || first[1200].Status != 200 {
		t.Fatalf("%d answers, the last %+v", len(first), first[len(first)-1])
	}
	again := w.bulk(t, "ann", "acme", "", lines...)
	if again[700].ID != first[700].ID || again[700].Position != first[700].Position {
		t.Errorf("sent again: %+v, at first %+v", again[700], first[700])
	}
	lines[3] = strings.Replace(lines[3], "g3", "h3", 1)
	if got := w.bulk(t, "ann", "acme", "", lines[:5]...); !slices.Equal(statuses(got), []int{200, 200, 200, 422, 200}) {
		t.Errorf("with one key for another body: %v", statuses(got))
	}
}

func TestAKeyForAllLinesMakesEachRepeatable(t *testing.T) {
	w := newWorld(t)
	w.people(t)
	send := func() []answered {
		return answers(t, w.do("ann", "POST", "/v1/tenants/acme/commands", `{"command":"create-group","body":{"name":"a"}}`+"\n"+`{"command":"create-group","body":{"name":"b"}}`,
			"Content-Type", "application/x-ndjson", "Idempotency-Key", "all"))
	}
	first, again := send(), send()
	if again[0].ID != first[0].ID || again[1].ID != first[1].ID || first[0].ID == first[1].ID {
		t.Errorf("at first %+v, again %+v", first, again)
	}
}

func TestHistoryIsImportedByThoseWhoMay(t *testing.T) {
	w := newWorld(t)
	w.people(t)
	w.clock.Add(int64(time.Hour))
	line := `{"command":"create-group","body":{"name":"Old"},"at":"2026-03-01T12:00:00.9Z"}`
	if got := w.bulk(t, "abe", "acme", "", line); got[0].Status != 403 {
		t.Errorf("abe: %+v", got)
	}
	if got := w.bulk(t, "ann", "acme", "", line); got[0].Status != 200 {
		t.Fatalf("ann: %+v", got)
	}
	got := w.bulk(t, "ann", "acme", "", strings.NewReplacer("2026-03-01", "2018-03-01", "Old", "Older").Replace(line), `{"command":"create-group","body":{"name":"Future"},"at":"2999-01-01T00:00:00Z"}`)
	if got[0].Status != 422 || got[0].Problem.Code != "too-early" || got[1].Status != 422 {
		t.Errorf("too early: %+v", got)
	}
}

func TestAPlatformBatchReachesTenantsThatItHasJustMade(t *testing.T) {
	w := newWorld(t)
	w.people(t)
	got := w.bulk(t, "root", "root", "",
		`{"command":"create-tenant","body":{"id":"0192f3a1-0000-7000-8000-00000000000a","name":"Gamma","slug":"gamma"}}`,
		`{"command":"rename-tenant","body":{"id":"0192f3a1-0000-7000-8000-00000000000a","name":"Gamma Ltd"}}`,
		`{"command":"create-group","body":{"name":"Operators"}}`,
	)
	if !slices.Equal(statuses(got), []int{200, 200, 200}) {
		t.Errorf("answers %+v", got)
	}
	atomic := w.bulk(t, "root", "root", "?atomic=true",
		`{"command":"create-group","body":{"name":"Others"}}`,
		`{"command":"rename-tenant","body":{"id":"0192f3a1-0000-7000-8000-00000000000a","name":"Gamma plc"}}`,
	)
	if atomic[0].Status != 424 || atomic[1].Problem.Code != "several-tenants" {
		t.Errorf("atomic over tenants: %+v", atomic)
	}
}

func TestBatchesHaveLimits(t *testing.T) {
	w := newWorld(t)
	w.people(t)
	const at = "/v1/tenants/acme/commands"
	long := `{"command":"create-group","body":{"name":"` + strings.Repeat("x", 1<<20) + `"}}`
	if got := w.bulk(t, "ann", "acme", "", long, `{"command":"create-group","body":{"name":"x"}}`); got[0].Status != 413 || got[1].Status != 200 {
		t.Errorf("a line of more than 1 MiB: %v", statuses(got))
	}
	for name, c := range map[string]struct {
		target, body, media string
		status              int
	}{
		"more than 16 MiB":        {at, strings.Repeat("\n", 16<<20) + "{}", "application/x-ndjson", 413},
		"more than 5000 atomic":   {at + "?atomic=true", strings.Repeat("{}\n", 5001), "application/x-ndjson", 413},
		"no line":                 {at, "\n\n", "application/x-ndjson", 400},
		"JSON":                    {at, "{}", "application/json", 415},
		"an atomic that is maybe": {at + "?atomic=maybe", "{}", "application/x-ndjson", 400},
	} {
		if rec := w.do("ann", "POST", c.target, c.body, "Content-Type", c.media); rec.Code != c.status {
			t.Errorf("%s: %d %s", name, rec.Code, rec.Body)
		}
	}
}

func TestTheCatalogueListsWhatTheCallerMayRun(t *testing.T) {
	w := newWorld(t)
	w.people(t)
	list := func(who, tenant string) (names []string) {
		var got struct {
			Items []struct {
				Name   string         `json:"name"`
				Schema map[string]any `json:"schema"`
			} `json:"items"`
		}
		if err := json.Unmarshal(w.do(who, "GET", "/v1/tenants/"+tenant+"/commands", "").Body.Bytes(), &got); err != nil {
			t.Fatal(err)
		}
		for _, c := range got.Items {
			names = append(names, c.Name)
			if c.Schema["type"] != "object" || c.Schema["additionalProperties"] != false {
				t.Errorf("%s: schema %v", c.Name, c.Schema)
			}
		}
		return names
	}
	own, all := []string{}, []string{} // what needs a session is for nobody here
	for _, spec := range commands.Registry {
		if spec.Signed {
			continue
		}
		if all = append(all, spec.Name); spec.Own {
			own = append(own, spec.Name)
		}
	}
	if got := list("root", "acme"); !slices.Equal(got, all) {
		t.Errorf("the platform may run %v", got)
	}
	if got := list("ann", "acme"); slices.Contains(got, "create-tenant") || !slices.Contains(got, "assign-role") {
		t.Errorf("ann may run %v", got)
	}
	group := w.must(t, "ann", "/v1/tenants/acme/commands/create-group", `{"name":"Team"}`, "id")
	w.must(t, "ann", "/v1/tenants/acme/commands/add-group-member", `{"group_id":"`+group+`","user_id":"`+w.vars["abeID"]+`","role":"maintainer"}`, "id")
	office := []string{"add-group-member", "change-group-role", "remove-group-member", "invite-to-group", "withdraw-group-invitation"}
	got, want := list("abe", "acme"), slices.Concat(office, own)
	if slices.Sort(got); !slices.Equal(got, slices.Sorted(slices.Values(want))) {
		t.Errorf("a maintainer may run %v, want %v", got, want)
	}
}
