package app

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"
)

// stall is a platform with the tenant acme, in which the app shop publishes orders and the app stock may have them; ann administrates it.
type stall struct {
	*testing.T
	app         *App
	clock       *clock
	root, ann   caller
	shop, stock caller // tokens of the apps, of users without any right
	acme, user  string
	tokens      map[string]string // their ids, by app
	orders      int
}

const (
	shopManifest = `{"app":"shop","version":"1.0.0","events":{"publishes":[
		{"type":"shop.order.placed","schema":{"type":"object"}},{"type":"shop.order.sent","schema":{"type":"object"}}]}}`
	stockManifest = `{"app":"stock","version":"1.0.0","events":{"consumes":["shop.*","core.user.*"]}}`
)

func newStall(t *testing.T) *stall {
	t.Helper()
	s := &stall{T: t, clock: newClock(time.Now().UTC().Truncate(time.Second)), tokens: map[string]string{}}
	s.app, s.root = platformWith(t, Config{Now: s.clock.now, DueEvery: 24 * time.Hour})
	s.acme = s.root.must(t, "root", "create-tenant", `{"name":"Acme","slug":"acme"}`)
	s.ann = s.root.user(t, "acme", "ann", true)
	for _, manifest := range []string{shopManifest, stockManifest} {
		name := strings.Split(manifest, `"`)[3]
		s.root.must(t, "root", "register-app", fmt.Sprintf(`{"name":%q,"title":%q}`, name, name))
		s.root.must(t, "root", "publish-app-version", `{"manifest":`+manifest+`}`)
		s.ann.must(t, "acme", "enable-app", fmt.Sprintf(`{"app":%q}`, name))
	}
	s.user = s.ann.must(t, "acme", "register-user", `{"display_name":"robot"}`)
	s.shop, s.stock = s.token("shop"), s.token("stock")
	return s
}

// token is one of an app, of a user who holds nothing.
func (s *stall) token(app string) caller {
	s.Helper()
	r := s.ann.command("acme", "issue-token", fmt.Sprintf(`{"user_id":%q,"name":"test","app":%q,"expires_at":%q}`, s.user, app, s.clock.now().Add(24*time.Hour).Format(time.RFC3339)))
	if r.status != http.StatusOK {
		s.Fatalf("issue a token: %d %s", r.status, r.body)
	}
	s.tokens[app] = r.part("id")
	return s.ann.as(r.part("token"))
}

// pull makes an endpoint at which stock may have all orders, and answers its address.
func (s *stall) pull(more string) (id, address string) {
	s.Helper()
	id = s.ann.must(s.T, "acme", "create-endpoint", `{"app":"stock","kind":"pull","types":["shop.order.*"],"body":"full"`+more+`}`)
	return id, "/v1/tenants/acme/endpoints/" + id
}

// order publishes so many orders, numbered on, through a caller.
func (s *stall) order(by caller, n int) {
	s.Helper()
	for range n {
		s.orders++
		r := by.do(http.MethodPost, "/v1/tenants/acme/events", fmt.Sprintf(`{"specversion":"1.0","id":"%d","source":"/shop","type":"shop.order.placed","data":{"n": %d}}`, s.orders, s.orders),
			"Content-Type", "application/cloudevents+json")
		if r.status != http.StatusOK {
			s.Fatalf("publish: %d %s", r.status, r.body)
		}
	}
}

type pulledItem struct {
	Lease    string `json:"lease"`
	Attempt  int    `json:"attempt"`
	Sequence string `json:"sequence"`
	Event    struct {
		ID        string `json:"id"`
		Type      string `json:"type"`
		EventID   string `json:"eventid"`
		TenantSeq string `json:"tenantseq"`
		Data      struct {
			N int `json:"n"`
		} `json:"data"`
	} `json:"event"`
}

// received are the items of an answer of receive.
func (s *stall) received(r reply) []pulledItem {
	s.Helper()
	var answer struct {
		Items []pulledItem `json:"items"`
	}
	if err := json.Unmarshal([]byte(r.body), &answer); err != nil || r.status != http.StatusOK {
		s.Fatalf("receive: %d %s", r.status, r.body)
	}
	return answer.Items
}

// numbers are those of the orders, each with how often it was handed out.
func numbers(items []pulledItem) []string {
	var all []string
	for _, i := range items {
		all = append(all, fmt.Sprintf("%d %s %d", i.Event.Data.N, i.Sequence, i.Attempt))
	}
	return all
}

func leasesIn(items []pulledItem) string {
	var all []string
	for _, i := range items {
		all = append(all, strconv.Quote(i.Lease))
	}
	return `"leases":[` + strings.Join(all, ",") + `]`
}

func (s *stall) equal(what string, want, got any) {
	s.Helper()
	if diff := cmp.Diff(want, got); diff != "" {
		s.Fatalf("%s (-want +got):\n%s", what, diff)
	}
}

// statuses are what became of leases.
func (s *stall) statuses(r reply) (all []string) {
	s.Helper()
	var answer struct {
		Leases []struct {
			Status string `json:"status"`
		} `json:"leases"`
	}
	if err := json.Unmarshal([]byte(r.body), &answer); err != nil || r.status != http.StatusOK {
		s.Fatalf("%d %s", r.status, r.body)
	}
	for _, l := range answer.Leases {
		all = append(all, l.Status)
	}
	return all
}

func TestAnAppTakesItsEventsByLeases(t *testing.T) {
	s := newStall(t)
	_, at := s.pull(`,"lease_seconds":60,"max_attempts":3`)
	s.order(s.shop, 4)
	s.ann.must(t, "acme", "register-user", `{"display_name":"Una"}`) // nothing that is meant

	first := s.received(s.stock.do("POST", at+"/receive", `{"max":3}`))
	s.equal("the first", []string{"1 1 1", "2 2 1", "3 3 1"}, numbers(first))
	second := s.received(s.stock.do("POST", at+"/receive", `{}`))
	s.equal("the second", []string{"4 4 1"}, numbers(second))
	s.equal("nothing more", 0, len(s.received(s.stock.do("POST", at+"/receive", `{}`))))

	s.equal("ack", []string{"acked", "acked"}, s.statuses(s.stock.do("POST", at+"/ack", `{`+leasesIn(first[:2])+`}`)))
	s.equal("ack again", []string{"already-acked", "already-acked", "acked"}, s.statuses(s.stock.do("POST", at+"/ack", `{`+leasesIn(first)+`}`)))
	s.equal("extend", []string{"extended"}, s.statuses(s.stock.do("POST", at+"/extend", `{`+leasesIn(second)+`,"seconds":120}`)))
	s.clock.forward(119 * time.Second)
	s.equal("nothing yet", 0, len(s.received(s.stock.do("POST", at+"/receive", `{}`))))
	s.equal("nack", []string{"nacked"}, s.statuses(s.stock.do("POST", at+"/nack", `{`+leasesIn(second)+`}`)))
	again := s.received(s.stock.do("POST", at+"/receive", `{}`))
	s.equal("again", []string{"4 4 2"}, numbers(again))
	s.equal("the old lease", []string{"lease-over"}, s.statuses(s.stock.do("POST", at+"/ack", `{`+leasesIn(second)+`}`)))

	for _, bad := range [][3]string{
		{"/receive", `{"max":101}`, "from 1 to 100"}, {"/receive", `{"max":0}`, "from 1 to 100"}, {"/receive", `{"wait_seconds":31}`, "from 0 to 30"},
		{"/ack", `{"leases":["x"]}`, "is no lease"}, {"/ack", `{"leases":[]}`, "1 to 1000 leases"}, {"/nack", `{` + leasesIn(again) + `,"delay_seconds":-1}`, "from 0 to 43200"},
		{"/extend", `{` + leasesIn(again) + `,"seconds":50000}`, "from 1 to 43200"}, {"/extend", `{` + leasesIn(again) + `,"seconds":0}`, "from 1 to 43200"},
		{"/extend", `{` + leasesIn(again) + `}`, "/seconds"},
	} {
		if r := s.stock.do("POST", at+bad[0], bad[1]); r.code() != "malformed" || r.status != 400 || !strings.Contains(r.body, bad[2]) {
			t.Errorf("%s %s: %d %s", bad[0], bad[1], r.status, r.body)
		}
	}
}

func TestOnlyTheConsumerAndWhoeverMayReceiveHaveItsEvents(t *testing.T) {
	s := newStall(t)
	id, at := s.pull("")
	s.order(s.shop, 1)
	abe := s.root.user(t, "acme", "abe", false)
	_, ways := "", []string{"POST /receive {}", `POST /ack {"leases":["1.0194f3a0-0040-7000-8000-000000000001"]}`, "GET /events", "GET /stream"}
	refused := func(who caller, status int, code string) {
		t.Helper()
		for _, way := range ways {
			method, rest, _ := strings.Cut(way, " ")
			path, body, _ := strings.Cut(rest, " ")
			if r := who.do(method, at+path, body); r.status != status || r.code() != code {
				t.Errorf("%s: %d %s, want %d %s", way, r.status, r.body, status, code)
			}
			if status == http.StatusNotFound {
				there, nowhere := who.do(method, at+path, body), who.do(method, strings.Replace(at, id, uuid.NewString(), 1)+path, body)
				if there.body != nowhere.body || nowhere.status != there.status {
					t.Errorf("%s: an endpoint that is there: %s\none that is not: %s", way, there.body, nowhere.body)
				}
			}
		}
	}
	refused(abe, 404, "not-found")
	refused(s.shop, 404, "not-found")
	role := s.ann.must(t, "acme", "create-role", `{"name":"Reader","privileges":["core.endpoints.read"]}`)
	user := s.ann.must(t, "acme", "register-user", `{"display_name":"rea"}`)
	s.ann.must(t, "acme", "assign-role", fmt.Sprintf(`{"role_id":%q,"user_id":%q,"scope":"app:stock"}`, role, user))
	refused(s.ann.as(s.ann.issue(t, "acme", user)), 403, "not-allowed")
	s.equal("an administrator", 1, len(s.received(s.ann.do("POST", at+"/receive", `{}`))))

	s.ann.must(t, "acme", "disable-endpoint", fmt.Sprintf(`{"id":%q}`, id))
	refused(s.stock, 422, "endpoint-disabled")
	s.ann.must(t, "acme", "enable-endpoint", fmt.Sprintf(`{"id":%q}`, id))
	s.ann.must(t, "acme", "disable-app", `{"app":"stock"}`)
	refused(s.ann, 422, "app-not-enabled")
	refused(s.stock, 404, "not-found") // the token speaks for nobody
	s.ann.must(t, "acme", "enable-app", `{"app":"stock"}`)
	s.ann.must(t, "acme", "delete-endpoint", fmt.Sprintf(`{"id":%q}`, id))
	refused(s.stock, 404, "not-found")

	hook := s.ann.must(t, "acme", "create-endpoint", `{"app":"stock","kind":"webhook","url":"https://stock.test/","types":["shop.order.*"]}`)
	id, at = hook, "/v1/tenants/acme/endpoints/"+hook
	refused(s.stock, 422, "endpoint-kind")
}

func TestWhoWaitsForEventsGetsThemWhicheverProcessRecordsThem(t *testing.T) {
	s := newStall(t)
	_, at := s.pull("")
	other := openWith(t, Config{Now: s.clock.now, DatabaseURL: s.app.config.DatabaseURL, Data: s.app.config.Data})
	for _, through := range []caller{s.shop, {other.handlerForTest(t), s.shop.token}} {
		leased, read := make(chan reply), make(chan reply)
		head := s.app.column(t, `SELECT max(tenant_seq)::text FROM core.events WHERE tenant_id = $1`, s.acme)[0]
		go func() { leased <- s.stock.do("POST", at+"/receive", `{"wait_seconds":30}`) }()
		go func() { read <- s.stock.do("GET", at+"/events?wait=30&after="+head, "") }()
		for !s.app.pulls.Awaited() && t.Context().Err() == nil {
			<-time.After(time.Millisecond)
		}
		s.order(through, 1)
		s.equal("leased", s.orders, s.received(<-leased)[0].Event.Data.N)
		if r := <-read; r.status != 200 || !strings.Contains(r.body, fmt.Sprintf(`"data":{"n": %d}`, s.orders)) {
			t.Errorf("read: %d %s", r.status, r.body)
		}
	}
}

// readPage is what GET …/events answers.
func (s *stall) readPage(r reply) (orders []int, next string) {
	s.Helper()
	var answer struct {
		Items []struct {
			Data struct {
				N int `json:"n"`
			} `json:"data"`
		} `json:"items"`
		Next string `json:"next"`
	}
	if err := json.Unmarshal([]byte(r.body), &answer); err != nil || r.status != http.StatusOK {
		s.Fatalf("read: %d %s", r.status, r.body)
	}
	for _, i := range answer.Items {
		orders = append(orders, i.Data.N)
	}
	return orders, answer.Next
}

func TestAConsumerReadsOnFromItsCheckpoint(t *testing.T) {
	s := newStall(t)
	id, at := s.pull("")
	s.order(s.shop, 5)
	commit := func(through, more string) reply {
		return s.stock.command("acme", "commit-checkpoint", fmt.Sprintf(`{"endpoint_id":%q,"through":%s%s}`, id, through, more))
	}
	read := func(query string, want ...int) (next string) {
		t.Helper()
		got, next := s.readPage(s.stock.do("GET", at+"/events"+query, ""))
		s.equal("orders", want, got)
		return next
	}
	two := read("?limit=2", 1, 2)
	read("?limit=2", 1, 2) // nothing is leased, and nothing said
	four := read("?limit=2&after="+two, 3, 4)
	commits := func(what, through, more string, events int) {
		t.Helper()
		r := commit(through, more)
		var answer struct {
			Events []struct {
				Type string `json:"type"`
			} `json:"events"`
		}
		if err := json.Unmarshal([]byte(r.body), &answer); err != nil || r.status != http.StatusOK || len(answer.Events) != events {
			t.Fatalf("%s: %d %s", what, r.status, r.body)
		}
	}
	commits("first", two, "", 1)
	read("", 3, 4, 5)
	commits("on, as the page has it", strconv.Quote(four), "", 1)
	read("", 5)
	commits("an earlier one", two, "", 0)
	commits("the same", four, "", 0)
	commits("back to where it is", four, `,"back":true`, 0)
	read("", 5)
	commits("back", two, `,"back":true`, 1)
	commits("on again", four, "", 1)
	commits("back again", two, `,"back":true`, 1)
	read("", 3, 4, 5)
	s.equal("beyond", "invalid-value", commit("1000000", "").code())
	clerk := s.ann.as(s.ann.command("acme", "issue-token", fmt.Sprintf(`{"user_id":%q,"name":"ann's","app":"shop","expires_at":%q}`,
		s.app.column(t, `SELECT user_id::text FROM core.assignments WHERE tenant_id = $1 ORDER BY id LIMIT 1`, s.acme)[0], s.clock.now().Add(24*time.Hour).Format(time.RFC3339))).part("token"))
	s.equal("by another app, of one who may all", "not-the-app", clerk.command("acme", "commit-checkpoint", fmt.Sprintf(`{"endpoint_id":%q,"through":%s}`, id, two)).code())
	s.equal("read by another app, of one who may all", "not-the-app", clerk.do("GET", at+"/events", "").code())
	s.equal("read by one who may all", 200, s.ann.do("GET", at+"/events", "").status)
	s.equal("by another app", "not-found", s.shop.command("acme", "commit-checkpoint", fmt.Sprintf(`{"endpoint_id":%q,"through":%s}`, id, two)).code())
	for _, bad := range []string{"?after=x", "?after=-1", "?limit=0", "?limit=1001", "?wait=31", "?limit=1&limit=2", "?cursor=1"} {
		if r := s.stock.do("GET", at+"/events"+bad, ""); r.status != 400 {
			t.Errorf("%s: %d %s", bad, r.status, r.body)
		}
	}
	s.app.settled(t)
	row := s.ann.do("GET", "/v1/tenants/acme/consumption?consumer_app_id=stock", "")
	if !strings.Contains(row.body, `"checkpoint":"`+two+`"`) || !strings.Contains(row.body, `"endpoint_id":"`+id+`"`) {
		t.Errorf("consumption: %s", row.body)
	}
}

// tail is somebody who reads a stream.
type tail struct {
	*stall
	body   *bufio.Reader
	answer *http.Response
	hangUp context.CancelFunc
	last   string
}

// serving has an app answer at an address, as Serve does.
func (s *stall) serving(a *App, change func(*http.Server)) *httptest.Server {
	s.Helper()
	handler, err := a.Handler()
	if err != nil {
		s.Fatal(err)
	}
	server := httptest.NewUnstartedServer(nil)
	server.Config = handler.HTTP()
	change(server.Config)
	server.Start()
	s.Cleanup(func() { handler.Close(); server.Close() })
	return server
}

func asItIs(*http.Server) {}

// tail begins to read a stream.
func (s *stall) tail(at *httptest.Server, address, last string) *tail {
	s.Helper()
	ctx, hangUp := context.WithTimeout(s.Context(), time.Minute)
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, at.URL+address, nil)
	if err != nil {
		s.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+s.stock.token)
	if last != "" {
		r.Header.Set("Last-Event-ID", last)
	}
	answer, err := at.Client().Do(r)
	if err != nil {
		s.Fatal(err)
	}
	s.Cleanup(func() { hangUp(); answer.Body.Close() })
	if answer.StatusCode != http.StatusOK || answer.Header.Get("Content-Type") != "text/event-stream" {
		s.Fatalf("stream: %s %v", answer.Status, answer.Header)
	}
	return &tail{stall: s, body: bufio.NewReader(answer.Body), answer: answer, hangUp: hangUp}
}

// next are the numbers of the next orders of a stream; fewer if it ends.
func (s *tail) next(n int) (orders []int) {
	s.Helper()
	var data strings.Builder
	for len(orders) < n {
		line, err := s.body.ReadString('\n')
		if err != nil {
			return orders
		}
		name, value, _ := strings.Cut(strings.TrimSuffix(line, "\n"), ": ")
		switch {
		case name == "id":
			s.last = value
		case name == "data":
			data.WriteString(value + "\n")
		case line == "\n" && data.Len() > 0:
			var e struct {
				Type string `json:"type"`
				Data struct {
					N int `json:"n"`
				} `json:"data"`
			}
			if err := json.Unmarshal([]byte(data.String()), &e); err != nil {
				s.Fatalf("%s: %v", data.String(), err)
			}
			data.Reset()
			orders = append(orders, e.Data.N)
		}
	}
	return orders
}

func TestAStreamGoesOnWhereItWasCutWithNothingTwiceAndNothingMissed(t *testing.T) {
	s := newStall(t)
	id, at := s.pull("")
	s.order(s.shop, 1)
	first := s.serving(s.app, asItIs)
	now := s.tail(first, at+"/stream", "") // from now on
	s.order(s.shop, 3)
	s.equal("live", []int{2, 3, 4}, now.next(3))
	now.hangUp()
	s.order(s.shop, 2)
	back := s.tail(first, at+"/stream", now.last)
	s.equal("after the connection broke", []int{5, 6}, back.next(2))
	s.order(s.shop, 1)
	s.equal("live again", []int{7}, back.next(1))

	// The server goes, and another comes.
	first.Config.Handler.(interface{ Close() }).Close()
	s.equal("the end", []int(nil), back.next(1))
	first.Close()
	s.app.Close()
	s.app = openWith(t, Config{Now: s.clock.now, DatabaseURL: s.app.config.DatabaseURL, Data: s.app.config.Data})
	s.shop.Handler = s.app.handlerForTest(t)
	s.order(s.shop, 2)
	second := s.serving(s.app, asItIs)
	again := s.tail(second, at+"/stream", back.last)
	s.equal("after the restart", []int{8, 9}, again.next(2))
	s.order(s.shop, 1)
	s.equal("and on", []int{10}, again.next(1))

	s.equal("from a place", []int{2}, s.tail(second, at+"/stream?after="+strconv.Itoa(number(t, now.last)-3), "").next(1))
	s.stock.Handler = s.shop.Handler
	s.equal("commit", 200, s.stock.command("acme", "commit-checkpoint", fmt.Sprintf(`{"endpoint_id":%q,"through":%s}`, id, back.last)).status)
	s.equal("from the checkpoint", []int{8, 9, 10}, s.tail(second, at+"/stream", "").next(3))
	for _, bad := range []string{"?limit=1", "?after=x"} {
		if r := s.stock.do("GET", at+"/stream"+bad, ""); r.status != 400 {
			t.Errorf("%s: %d %s", bad, r.status, r.body)
		}
	}
	if r := s.stock.do("GET", at+"/stream", "", "Last-Event-ID", "x"); r.status != 400 {
		t.Errorf("%d %s", r.status, r.body)
	}
}

func number(t *testing.T, text string) int {
	t.Helper()
	n, err := strconv.Atoi(text)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func TestAStreamOutlivesTheDeadlinesOfRequestsAndEndsWithItsToken(t *testing.T) {
	s := newStall(t)
	_, at := s.pull("")
	const short = 200 * time.Millisecond
	server := s.serving(s.app, func(c *http.Server) { c.ReadTimeout, c.WriteTimeout = short, short })
	live := s.tail(server, at+"/stream", "")
	began := time.Now()
	for time.Since(began) < 3*short {
		s.order(s.shop, 1)
		s.equal("live", []int{s.orders}, live.next(1))
	}
	s.ann.must(t, "acme", "revoke-token", fmt.Sprintf(`{"id":%q}`, s.tokens["stock"]))
	s.equal("the end", []int(nil), live.next(1))
}

func TestAServerThatStopsLetsNobodyWait(t *testing.T) {
	s := newStall(t)
	_, at := s.pull("")
	server := s.serving(s.app, asItIs)
	live := s.tail(server, at+"/stream", "")
	waiting := make(chan reply)
	go func() {
		waiting <- caller{server.Config.Handler, s.stock.token}.do("POST", at+"/receive", `{"wait_seconds":30}`)
	}()
	s.order(s.shop, 1)
	live.next(1) // it is under way
	s.received(<-waiting)
	began := time.Now()
	go func() {
		waiting <- caller{server.Config.Handler, s.stock.token}.do("POST", at+"/receive", `{"wait_seconds":30}`)
	}()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	if err := server.Config.Shutdown(ctx); err != nil {
		t.Error(err)
	}
	s.equal("the end", []int(nil), live.next(1))
	s.equal("nothing", 0, len(s.received(<-waiting)))
	t.Logf("stopped in %s", time.Since(began).Round(time.Millisecond))
}

func TestEventsAreEncodedAsTheEndpointSays(t *testing.T) {
	s := newStall(t)
	thin := s.ann.must(t, "acme", "create-endpoint", `{"app":"stock","kind":"pull","types":["shop.order.*","core.user.registered"],"body":"thin"}`)
	full := s.ann.must(t, "acme", "create-endpoint", `{"app":"stock","kind":"pull","types":["core.user.registered"],"body":"full"}`)
	s.order(s.shop, 1)
	s.ann.must(t, "acme", "register-user", `{"display_name":"Una Secret"}`)
	of := func(id string) string {
		return s.stock.do("POST", "/v1/tenants/acme/endpoints/"+id+"/receive", `{}`).body
	}
	if body := of(thin); strings.Contains(body, `"data"`) || !strings.Contains(body, `"type":"core.user.registered"`) || !strings.Contains(body, `"type":"shop.order.placed"`) {
		t.Errorf("thin: %s", body)
	}
	if body := of(full); !strings.Contains(body, `"data"`) || strings.Contains(body, "Una Secret") || strings.Contains(body, "sealed:") {
		t.Errorf("full: %s", body)
	}
}

func TestWhatIsAskedForAgainOrLeftOutIsSoForThoseWhoPull(t *testing.T) {
	s := newStall(t)
	id, at := s.pull("")
	receive := func(want ...string) []pulledItem {
		t.Helper()
		items := s.received(s.stock.do("POST", at+"/receive", `{"wait_seconds":0}`))
		s.equal("received", want, numbers(items))
		return items
	}
	s.order(s.shop, 1)
	first := receive("1 1 1")
	s.equal("ack", []string{"acked"}, s.statuses(s.stock.do("POST", at+"/ack", `{`+leasesIn(first)+`}`)))
	waiting := make(chan reply)
	go func() { waiting <- s.stock.do("POST", at+"/receive", `{"wait_seconds":30}`) }()
	s.ann.must(t, "acme", "redeliver-event", fmt.Sprintf(`{"endpoint_id":%q,"event_id":%q}`, id, first[0].Event.EventID))
	again := s.received(<-waiting)
	s.equal("delivered anew", []string{"1 1 2"}, numbers(again))
	s.equal("the lease of before", []string{"lease-over"}, s.statuses(s.stock.do("POST", at+"/ack", `{`+leasesIn(first)+`}`)))
	s.equal("ack", []string{"acked"}, s.statuses(s.stock.do("POST", at+"/ack", `{`+leasesIn(again)+`}`)))

	s.ann.must(t, "acme", "set-policy", `{"key":"events.deliverable","value":"core.*"}`)
	s.order(s.shop, 1)
	s.ann.must(t, "acme", "redeliver-event", fmt.Sprintf(`{"endpoint_id":%q,"event_id":%q}`, id, first[0].Event.EventID))
	s.app.redelivered(t)
	receive() // the new one is passed by
	s.equal("what may not be handed out again", []string{"dead 2 not handed out: by the app's manifest or the tenant's policy it may not have events of this type any more"},
		s.app.column(t, `SELECT concat_ws(' ', status, attempt_count, error) FROM core.event_deliveries`))
	s.ann.must(t, "acme", "set-policy", `{"key":"events.deliverable","value":"*"}`)
	s.order(s.shop, 1)
	receive("3 2 1")

	s.ann.must(t, "acme", "disable-endpoint", fmt.Sprintf(`{"id":%q}`, id))
	s.order(s.shop, 2)
	s.ann.must(t, "acme", "enable-endpoint", fmt.Sprintf(`{"id":%q,"skip":true}`, id))
	s.order(s.shop, 1)
	receive("6 3 1")
	s.ann.must(t, "acme", "test-endpoint", fmt.Sprintf(`{"id":%q,"message":"hello"}`, id))
	if items := s.received(s.stock.do("POST", at+"/receive", `{}`)); len(items) != 1 || items[0].Event.Type != "core.endpoint.tested" {
		t.Errorf("a test event: %+v", items)
	}
}
