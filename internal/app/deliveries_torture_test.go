package app

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"chancery/internal/deliveries/receivertest"
	"chancery/internal/postgres"
)

const (
	tormentData    = "../../../shared/data/github-webhooks.ndjson" // real payloads: lines of {"type","data"}
	tormentEvents  = 1700
	tormentTimeout = 400 * time.Millisecond
)

var tormentSchedule = []time.Duration{0, 20 * time.Millisecond, 40 * time.Millisecond, 80 * time.Millisecond, 160 * time.Millisecond, 320 * time.Millisecond}

// torment is two servers on one database, a receiver that does what receivers do, and what was published.
type torment struct {
	pg       *postgres.Server
	cluster  string // its folder
	database string // its URL
	data     string
	servers  [2]*victim
	token    string // of the first administrator
	app      string // of the app that publishes
	journal  string

	receiver struct {
		sync.Mutex
		*receivertest.Process
		deaths int
	}
	endpoints []*tormented
	events    map[string]*tormentEvent // by the id that Chancery gave it
}

type tormented struct {
	path, id string
	ordered  bool
	terms    string
	means    func(*tormentEvent) bool
	full     bool
	arrivals map[string][]receivertest.Arrival // by event
	attempts map[string][]attempted            // by event, in order
	states   map[string]string                 // of deliveries, by event
}

type tormentEvent struct {
	position      int64
	typ, key, sum string
	action        string
}

type attempted struct {
	status string // of the delivery, after it
	answer int    // 0: none
}

func TestTenThousandDeliveriesArriveWhateverGoesWrong(t *testing.T) {
	if testing.Short() {
		t.Skip("starts durable servers")
	}
	payloads, err := os.ReadFile(tormentData)
	if errors.Is(err, fs.ErrNotExist) {
		t.Skip("there are no payloads at " + tormentData)
	}
	if err != nil {
		t.Fatal(err)
	}
	w := startTorment(t, payloads)
	rules := receivertest.Rules{Secrets: w.subscribe(t), Doomed: 60, Fail: 200, Hang: 10, Slow: 100, Late: 30 * time.Millisecond}
	w.obey(t, rules)

	w.publish(t, payloads, 0, tormentEvents/2)
	w.settle(t)
	calm := w.check(t, rules)
	if calm.unrecorded > 0 {
		t.Errorf("with nobody dying %d requests arrived that no attempt tells of: two processes, or one twice, made them", calm.unrecorded)
	}

	rules.Die = calm.arrivals + 500
	w.obey(t, rules)
	third := tormentEvents / 6
	w.publish(t, payloads, tormentEvents/2, tormentEvents/2+third)
	w.servers[0].kill()
	w.publish(t, payloads, tormentEvents/2+third, tormentEvents/2+2*third)
	w.servers[0] = launchOn(t, w.database, w.data)
	w.restartDatabase(t)
	w.publish(t, payloads, tormentEvents/2+2*third, tormentEvents)
	w.settle(t)
	all := w.check(t, rules)
	if w.receiver.Lock(); w.receiver.deaths != 1 {
		t.Errorf("the receiver died %d times", w.receiver.deaths)
	}
	w.receiver.Unlock()
	const most = 8 * 10 * 3 // endpoints, requests at once, and each of three deaths may take them all
	if all.deliveries < 10_000 || all.unrecorded > most {
		t.Errorf("of %d deliveries %d requests are in no record, want at most %d", all.deliveries, all.unrecorded, most)
	}
	t.Logf("%+v, of which with nobody dying %+v", all, calm)
}

func startTorment(t *testing.T, payloads []byte) *torment {
	t.Helper()
	cluster, err := os.MkdirTemp("", "torment") // short: so its socket lies in it, and is found there when it is started again
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(cluster) })
	if err := os.Chmod(cluster, 0o711); err != nil { // the account that runs PostgreSQL for root must pass through
		t.Fatal(err)
	}
	w := &torment{cluster: cluster, data: t.TempDir(), journal: filepath.Join(t.TempDir(), "journal"), events: map[string]*tormentEvent{}}
	w.startDatabase(t)
	t.Cleanup(func() { _ = w.pg.Stop() })
	for i := range w.servers {
		w.servers[i] = launchOn(t, w.database, w.data)
	}
	w.token = bootstrapAt(t, w.servers[0].url, w.data)
	w.command(t, "root", "create-tenant", `{"name":"Acme","slug":"acme"}`)
	w.command(t, "root", "create-signing-key", `{}`)
	for app, manifest := range map[string]string{
		"github": fmt.Sprintf(`{"app":"github","version":"1.0.0","title":"GitHub","events":{"publishes":[%s]}}`, declarations(t, payloads)),
		"mirror": `{"app":"mirror","version":"1.0.0","title":"Mirror","events":{"consumes":["github.*"]}}`,
	} {
		w.command(t, "root", "register-app", fmt.Sprintf(`{"name":%q,"title":%q}`, app, app))
		w.command(t, "root", "publish-app-version", `{"manifest":`+manifest+`}`)
		w.command(t, "acme", "enable-app", fmt.Sprintf(`{"app":%q}`, app))
	}
	user := w.command(t, "acme", "register-user", `{"display_name":"GitHub"}`).ID
	w.app = w.command(t, "acme", "issue-token", fmt.Sprintf(`{"user_id":%q,"name":"x","app":"github","scopes":["core.events.publish"],"expires_at":%q}`, user, soon())).Token
	return w
}

// startDatabase starts PostgreSQL, on the folder of the one before it.
func (w *torment) startDatabase(t *testing.T) {
	t.Helper()
	var err error
	if w.pg, err = postgres.Start(t.Context(), postgres.Config{Data: filepath.Join(w.cluster, "pg")}); err != nil {
		t.Fatal(err)
	}
	w.database = w.pg.URL(postgres.Login)
}

func (w *torment) restartDatabase(t *testing.T) {
	t.Helper()
	before := w.database
	if err := w.pg.Stop(); err != nil {
		t.Fatal(err)
	}
	if w.startDatabase(t); w.database != before {
		t.Fatal("the database has moved")
	}
}

func declarations(t *testing.T, payloads []byte) string {
	t.Helper()
	known, all := map[string]bool{}, []string(nil)
	for line := range bytes.Lines(payloads) {
		var e struct{ Type string }
		if err := json.Unmarshal(line, &e); err != nil {
			t.Fatal(err)
		}
		if !known[e.Type] {
			known[e.Type], all = true, append(all, fmt.Sprintf(`{"type":%q,"schema":{"type":"object"}}`, e.Type))
		}
	}
	return strings.Join(all, ",")
}

type tormentAnswer struct {
	ID, Token, Secret string
	Events            []struct {
		ID       string
		Position json.RawMessage
	}
}

// command is sent until some server has answered it.
func (w *torment) command(t *testing.T, tenant, name, body string) tormentAnswer {
	t.Helper()
	return w.post(t, w.token, "/v1/tenants/"+tenant+"/commands/"+name, "application/json", body)
}

func (w *torment) post(t *testing.T, token, path, kind, body string) (a tormentAnswer) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	for n := 0; ; n++ {
		req, err := http.NewRequestWithContext(ctx, http.MethodPost, w.servers[n%len(w.servers)].url+path, strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Authorization", "Bearer "+token)
		req.Header.Set("Content-Type", kind)
		resp, err := callers.Do(req)
		if err != nil {
			if ctx.Err() != nil {
				t.Fatalf("%s: %v", path, err)
			}
			continue // killed
		}
		var text bytes.Buffer
		_, err = text.ReadFrom(resp.Body)
		_ = resp.Body.Close()
		switch {
		case resp.StatusCode == http.StatusServiceUnavailable || err != nil: // the database is away
		case resp.StatusCode != http.StatusOK:
			t.Fatalf("%s: %d %s", path, resp.StatusCode, text.Bytes())
		default:
			if err := json.Unmarshal(text.Bytes(), &a); err != nil {
				t.Fatalf("%s: %v: %s", path, err, text.Bytes())
			}
			return a
		}
	}
}

// subscribe makes the endpoints and starts the receiver; it returns the secrets by path.
func (w *torment) subscribe(t *testing.T) map[string]string {
	t.Helper()
	w.receive(t, "")
	created := func(e *tormentEvent) bool { return e.action == "created" }
	every := func(*tormentEvent) bool { return true }
	issues := func(e *tormentEvent) bool { return strings.HasPrefix(e.typ, "github.issues.") }
	w.endpoints = []*tormented{
		{path: "/plain-1", terms: `"types":["github.*"],"body":"full"`, means: every, full: true},
		{path: "/plain-2", terms: `"types":["github.*"],"body":"full","concurrency":3`, means: every, full: true},
		{path: "/thin-1", terms: `"types":["github.*"],"body":"thin"`, means: every},
		{path: "/thin-2", terms: `"types":["github.*"],"body":"thin"`, means: every},
		{path: "/ordered-1", terms: `"types":["github.*"],"body":"full","order_by":"subject"`, means: every, full: true, ordered: true},
		{path: "/ordered-2", terms: `"types":["github.*"],"body":"thin","order_by":"subject","concurrency":3`, means: every, ordered: true},
		{path: "/created", terms: `"types":["github.*"],"body":"full","filter":"data.action == \"created\""`, means: created, full: true},
		{path: "/issues", terms: `"types":["github.issues.*"],"body":"full"`, means: issues, full: true},
	}
	secrets := map[string]string{}
	for _, e := range w.endpoints {
		a := w.command(t, "acme", "create-endpoint", fmt.Sprintf(`{"app":"mirror","kind":"webhook","url":%q,%s}`, w.receiver.URL+e.path, e.terms))
		e.id, secrets[e.path] = a.ID, a.Secret
	}
	return secrets
}

// receive starts a receiver, and another one in its place when it dies.
func (w *torment) receive(t *testing.T, address string) {
	t.Helper()
	p, err := receivertest.Start(address, w.journal)
	if err != nil {
		t.Fatal(err)
	}
	w.receiver.Process = p
	ended := make(chan struct{})
	stop := make(chan struct{})
	go func() {
		defer close(ended)
		select {
		case <-stop:
			return
		case <-p.Done:
		}
		again, err := receivertest.Start(strings.TrimPrefix(p.URL, "http://"), w.journal)
		if err != nil {
			t.Error(err)
			return
		}
		w.receiver.Lock()
		defer w.receiver.Unlock()
		w.receiver.Process = again
		w.receiver.deaths++
	}()
	t.Cleanup(func() {
		close(stop)
		<-ended
		w.receiver.Stop()
	})
}

func (w *torment) obey(t *testing.T, r receivertest.Rules) {
	t.Helper()
	if err := w.receiver.Obey(t.Context(), r); err != nil {
		t.Fatal(err)
	}
}

// publish publishes the events of a range, each in the words of the next payload, with ids of their own, in batches and by many callers.
func (w *torment) publish(t *testing.T, payloads []byte, from, until int) {
	t.Helper()
	lines := bytes.Split(bytes.TrimSpace(payloads), []byte("\n"))
	type event struct {
		SpecVersion string          `json:"specversion"`
		ID          string          `json:"id"`
		Source      string          `json:"source"`
		Type        string          `json:"type"`
		Subject     string          `json:"subject"`
		Data        json.RawMessage `json:"data"`
	}
	var mu sync.Mutex
	var wg sync.WaitGroup
	const batch, callersAtOnce = 20, 4
	slots := make(chan struct{}, callersAtOnce)
	for ; from < until; from += batch {
		var all []event
		for n := from; n < min(from+batch, until); n++ {
			e := event{SpecVersion: "1.0", ID: fmt.Sprint("delivery-", n), Source: "/hooks", Subject: fmt.Sprint("repo-", n%37)}
			if err := json.Unmarshal(lines[n%len(lines)], &e); err != nil {
				t.Fatal(err)
			}
			all = append(all, e)
		}
		slots <- struct{}{}
		wg.Go(func() {
			defer func() { <-slots }()
			var body bytes.Buffer // json.Marshal would write <, > and & in other words
			out := json.NewEncoder(&body)
			out.SetEscapeHTML(false)
			if err := out.Encode(all); err != nil {
				t.Error(err)
				return
			}
			a := w.post(t, w.app, "/v1/tenants/acme/events", "application/cloudevents-batch+json", body.String())
			mu.Lock()
			defer mu.Unlock()
			for i, e := range all {
				p := &tormentEvent{typ: e.Type, key: e.Subject, sum: receivertest.Sum(e.Data)}
				if _, err := fmt.Sscan(strings.Trim(string(a.Events[i].Position), `"`), &p.position); err != nil {
					t.Error(err)
				}
				var said struct{ Action string }
				if err := json.Unmarshal(e.Data, &said); err != nil {
					t.Error(err)
				}
				p.action = said.Action
				w.events[a.Events[i].ID] = p
			}
		})
	}
	wg.Wait()
}

// settle waits until every delivery there ought to be has come to an end.
func (w *torment) settle(t *testing.T) {
	t.Helper()
	want := 0
	for _, e := range w.endpoints {
		for _, p := range w.events {
			if e.means(p) {
				want++
			}
		}
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	done, db := -1, w.query(ctx, t)
	for ; done < want; <-tick.C {
		row := db.QueryRow(ctx, `SELECT count(*) FROM core.event_deliveries WHERE status IN ('delivered', 'dead')`)
		if err := row.Scan(&done); err != nil {
			t.Fatalf("%d of %d deliveries are done: %v\n%s", done, want, err, strings.Join(w.undone(t), "\n"))
		}
	}
	if done > want {
		t.Fatalf("%d deliveries are done of %d that there should be", done, want)
	}
}

// undone says, of each endpoint, how far it has come, and shows some deliveries that are not done.
func (w *torment) undone(t *testing.T) []string {
	t.Helper()
	rows, err := w.query(t.Context(), t).Query(t.Context(), `
		(SELECT format('%s at %s, number %s: %s', endpoint_id, tenant_seq, sequence, (SELECT string_agg(format('%s %s', n, status), ', ' ORDER BY status)
			FROM (SELECT status, count(*) n FROM core.event_deliveries d WHERE d.endpoint_id = c.endpoint_id GROUP BY status) s))
		FROM core.delivery_cursors c ORDER BY 1)
		UNION ALL (SELECT format('%s %s: %s after %s attempts, next %s, now %s', endpoint_id, sequence, status, attempt_count, next_attempt_at, now())
		FROM core.event_deliveries WHERE status NOT IN ('delivered', 'dead') ORDER BY endpoint_id, sequence LIMIT 40)`)
	if err != nil {
		t.Fatal(err)
	}
	all, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// query is a connection of the superuser, for as long as the context.
func (w *torment) query(ctx context.Context, t *testing.T) *pgx.Conn {
	t.Helper()
	c, err := pgx.Connect(ctx, w.pg.SuperuserURL(postgres.Login))
	if err != nil {
		t.Fatal(err)
	}
	context.AfterFunc(ctx, func() { _ = c.Close(context.Background()) })
	return c
}
