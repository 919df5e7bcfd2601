package app

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"

	"chancery/domain"
	"chancery/internal/access/accesstest"
	"chancery/internal/apitoken"
	"chancery/internal/dcb"
	"chancery/internal/pgtest"
)

// The cases of internal/access, put to the whole app over HTTP: by somebody who may ask about everybody, and by those whom they are
// about, who act for others as a request does: with the header Chancery-Delegation, or with the token of an impersonation. A token's
// ceiling bounds what its bearer may do, not what a subject holds, so cases with a ceiling are asked of the bearer's own requests
// elsewhere (access and transport).

// matrixWorld is one world behind HTTP.
type matrixWorld struct {
	caller
	clock    atomic.Pointer[time.Time]
	tokens   map[domain.UserID]string
	sessions map[domain.ImpersonationID]string // their tokens
	admins   map[domain.ImpersonationID]domain.UserID
	homes    map[domain.UserID]domain.TenantID
}

func (w *matrixWorld) at(now time.Time) { w.clock.Store(&now) }

// asker may ask about everybody, everywhere.
var asker = domain.UserID{UUID: uuid.NewSHA1(uuid.NameSpaceOID, []byte("matrix asker"))}

func settle(t *testing.T, world accesstest.World) *matrixWorld {
	t.Helper()
	w := &matrixWorld{
		tokens: map[domain.UserID]string{}, sessions: map[domain.ImpersonationID]string{}, homes: map[domain.UserID]domain.TenantID{},
		admins: map[domain.ImpersonationID]domain.UserID{},
	}
	history := world.Events()
	w.at(history[0].At)
	a, err := Open(t.Context(), Config{
		DatabaseURL: pgtest.URL(t), Data: t.TempDir(), AllowUnsafe: true, Migrate: true, Now: func() time.Time { return *w.clock.Load() },
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(a.Close)
	var pending []dcb.Pending
	for _, r := range history {
		event := r.Event
		if e, ok := event.(domain.ImpersonationStarted); ok { // a world knows no text of a token
			text, hash := minted(apitoken.Impersonation, e.Impersonation.UUID)
			w.sessions[e.Impersonation], w.admins[e.Impersonation], e.Hash = text, e.Admin, hash
			event = e
		}
		pending = append(pending, dcb.Pending{Tenant: r.Tenant, Event: event})
	}
	role := domain.RoleID{UUID: uuid.NewSHA1(uuid.NameSpaceOID, []byte("matrix role"))}
	for _, e := range []dcb.Event{
		domain.UserRegistered{User: asker, DisplayName: dcb.Plain("asker"), Status: domain.UserActive},
		domain.RoleCreated{Role: role, Name: "asker", Key: domain.RoleKey(domain.Root, "asker")},
		domain.RolePrivilegeAdded{Role: role, Privilege: "core.access.evaluate"},
		domain.RoleAssigned{Assignment: domain.AssignmentID{UUID: uuid.New()}, Role: role, User: asker},
	} {
		pending = append(pending, dcb.Pending{Tenant: domain.Root.UUID, Event: e})
	}
	a.appendForTest(t, pending)
	a.cascaded(t) // and what ends with it ends; tokens that have ended would tell nothing
	pending = []dcb.Pending{w.token(asker, domain.Root)}
	for _, r := range history {
		if e, ok := r.Event.(domain.UserRegistered); ok {
			pending = append(pending, w.token(e.User, domain.TenantID{UUID: r.Tenant}))
		}
	}
	a.appendForTest(t, pending)
	w.caller = caller{a.handlerForTest(t), w.tokens[asker]}
	return w
}

func (a *App) appendForTest(t *testing.T, events []dcb.Pending) {
	t.Helper()
	part := dcb.Part{ID: uuid.New(), Fingerprint: []byte("world"), Events: events}
	if _, _, err := a.store.Append(t.Context(), []dcb.Part{part}, nil); err != nil {
		t.Fatal(err)
	}
}

// cascaded waits until whatever rests on what has ended is ended too, and what rests on that.
func (a *App) cascaded(t *testing.T) {
	t.Helper()
	for head := int64(0); head != a.headForTest(t); {
		head = a.headForTest(t)
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		err := a.feed.Wait(ctx, "cascades", head)
		if cancel(); err != nil {
			t.Fatal(err)
		}
	}
}

func minted(kind apitoken.Kind, id uuid.UUID) (text string, hash []byte) {
	text = apitoken.New(kind, id, sha256.Sum256(id[:]))
	parsed, _ := apitoken.Parse(text)
	return text, parsed.Hash[:]
}

func (w *matrixWorld) token(u domain.UserID, home domain.TenantID) dcb.Pending {
	id := domain.TokenID{UUID: uuid.New()}
	text, hash := minted(apitoken.API, id.UUID)
	w.tokens[u], w.homes[u] = text, home
	return dcb.Pending{Tenant: home.UUID, Event: domain.TokenIssued{
		Token: id, User: u, Name: "matrix", Prefix: text[:16], Hash: hash, Scopes: []domain.Pattern{domain.Everything},
		ExpiresAt: time.Date(2100, 1, 1, 0, 0, 0, 0, time.UTC),
	}}
}

// question is a case in the words of AuthZEN. Whoever acts says so in the question, unless the request itself does.
func question(c accesstest.Case, saying bool) string {
	kind, id, scoped := strings.Cut(string(c.Scope), ":")
	if !scoped {
		kind, id = "tenant", asked(c).String()
	}
	context := `{"explain":true}`
	if saying && !c.Acting.Delegation.IsZero() {
		context = fmt.Sprintf(`{"explain":true,"delegation":%q}`, c.Acting.Delegation)
	}
	return fmt.Sprintf(`{"subject":{"type":"user","id":%q},"action":{"name":%q},"resource":{"type":%q,"id":%q},"context":%s}`,
		c.User, string(c.Privilege), kind, id, context)
}

// asked is the tenant whose rights count: what must be held on the platform is asked there.
func asked(c accesstest.Case) domain.TenantID {
	if c.Platform {
		return domain.Root
	}
	return c.Tenant
}

type verdict struct {
	Decision bool `json:"decision"`
	Context  struct {
		Reason string `json:"reason"`
		Error  struct {
			Status int `json:"status"`
		} `json:"error"`
	} `json:"context"`
}

// unlike tells how an answer differs from what the case wants. A tenant is not told that a user exists elsewhere.
func (w *matrixWorld) unlike(v verdict, c accesstest.Case) string {
	home, known := w.homes[c.User]
	hidden := known && home != asked(c) && home != domain.Root && v.Context.Reason == "subject-unknown" && hiding[c.Why]
	switch {
	case v.Decision != c.Want:
		return fmt.Sprintf("decided %v (%s), want %v (%s)", v.Decision, v.Context.Reason, c.Want, c.Why)
	case v.Context.Reason == "app-disabled" && c.Why == "license-ended": // a reaction disables an app of which the licence has ended
		return ""
	case v.Context.Error.Status == 0 && v.Context.Reason != c.Why && !hidden:
		return fmt.Sprintf("because %s, want %s", v.Context.Reason, c.Why)
	case v.Context.Error.Status != 0 && c.Privilege != "":
		return fmt.Sprintf("a well-formed question is answered with error %d", v.Context.Error.Status)
	}
	return ""
}

// hiding are the reasons of which a tenant is not told that the user exists elsewhere: those who are not its guests, or not any more,
// nor delegates.
var hiding = map[string]bool{
	"tenant-foreign": true, "tenant-inactive": true, "subject-inactive": true, "delegation-unknown": true,
}

func TestEveryCaseOfTheMatrixIsAnsweredSoOverHTTP(t *testing.T) {
	suite, err := accesstest.Load("../access/testdata/matrix.yaml")
	if err != nil {
		t.Fatal(err)
	}
	worlds, ways := map[string]*matrixWorld{}, map[string]int{}
	for _, world := range suite.Worlds {
		worlds[world.Name] = settle(t, world)
	}
	together := map[string][]accesstest.Case{}
	slices.SortStableFunc(suite.Cases, func(a, b accesstest.Case) int { return a.At.Compare(b.At) }) // a clock does not go back
	for i, c := range suite.Cases {
		if c.Ended {
			c.Want, c.Why = false, endedSo(c)
		}
		if c.Ceiling != nil {
			ways["left out for their ceiling"]++
			continue
		}
		w := worlds[c.World]
		w.at(c.At)
		ways["by themselves: "+w.themselves(t, c)]++
		if !c.Acting.Impersonation.IsZero() {
			continue // of which nobody else can ask
		}
		ways["by another"]++
		w.alone(t, c)
		if w.searched(t, c) {
			ways["found"]++
		}
		if c.Why != "tenant-unknown" && !strings.HasPrefix(c.Name, "foreign tenants: nobody acts in a tenant that is not") {
			key := fmt.Sprint(c.World, asked(c), c.At)
			together[key] = append(together[key], c)
		}
		if i+1 == len(suite.Cases) || !suite.Cases[i+1].At.Equal(c.At) {
			for _, cases := range together {
				worlds[cases[0].World].together(t, cases)
			}
			ways["together, in groups"] += len(together)
			clear(together)
		}
	}
	t.Log(ways)
	for way, least := range map[string]int{
		"by another": 450, "found": 450, "by themselves: answered": 330, "by themselves: not in force": 40, "by themselves: unheard": 25,
	} {
		if ways[way] < least {
			t.Errorf("%d cases were tried %s", ways[way], way)
		}
	}
}

// endedSo is why what has ended in a cascade gives nothing; who cannot act at all hears that first.
func endedSo(c accesstest.Case) string {
	if c.Why == "tenant-inactive" || c.Why == "subject-inactive" {
		return c.Why
	}
	return "delegation-over"
}

func (w *matrixWorld) alone(t *testing.T, c accesstest.Case) {
	t.Helper()
	r := w.do("POST", "/v1/tenants/"+asked(c).String()+"/access/v1/evaluation", question(c, true))
	var v verdict
	switch {
	case r.status == 404 && !c.Want || r.status == 400 && c.Privilege == "":
		return // there is no such tenant, or no privilege is named
	case r.status != 200 || json.Unmarshal([]byte(r.body), &v) != nil:
		t.Errorf("%s: %d %s", c.Name, r.status, r.body)
	default:
		if diff := w.unlike(v, c); diff != "" {
			t.Errorf("%s: %s", c.Name, diff)
		}
	}
}

// searched holds that the privilege is among all that the subject may, exactly if they may it.
func (w *matrixWorld) searched(t *testing.T, c accesstest.Case) bool {
	t.Helper()
	r := w.do("POST", "/v1/tenants/"+asked(c).String()+"/access/v1/search/action", question(c, true))
	var all struct {
		Results []struct {
			Name string `json:"name"`
		} `json:"results"`
	}
	if r.status == 404 && !c.Want {
		return false
	}
	if err := json.Unmarshal([]byte(r.body), &all); err != nil || r.status != 200 {
		t.Errorf("%s: search: %d %s", c.Name, r.status, r.body)
		return false
	}
	found := false
	for _, one := range all.Results {
		found = found || one.Name == string(c.Privilege)
	}
	if found != c.Want {
		t.Errorf("%s: search finds it: %v", c.Name, found)
	}
	return true
}

// themselves lets the user ask in their own request, and tells what became of it. Who cannot act is not even heard.
func (w *matrixWorld) themselves(t *testing.T, c accesstest.Case) string {
	t.Helper()
	token, headers := w.tokens[c.User], []string{}
	switch {
	case c.Privilege == "" || token == "":
		return "not tried"
	case !c.Acting.Delegation.IsZero():
		headers = []string{"Chancery-Delegation", c.Acting.Delegation.String()}
	case !c.Acting.Impersonation.IsZero():
		if token = w.sessions[c.Acting.Impersonation]; w.admins[c.Acting.Impersonation] != c.User {
			return "not tried" // it has never started, or is nobody else's
		}
	}
	r := w.as(token).do("POST", "/v1/tenants/"+asked(c).String()+"/access/v1/evaluation", question(c, false), headers...)
	var v verdict
	_ = json.Unmarshal([]byte(r.body), &v)
	home, became := w.homes[c.User] == asked(c), ""
	switch r.status {
	case 200:
		if became = "answered"; w.unlike(v, c) == "" {
			return became
		}
	case 401:
		if became = "unheard"; c.Unheard || c.Why == "subject-inactive" || c.Why == "tenant-inactive" {
			return became
		}
	case 400, 403:
		if became = "not in force"; !c.Acting.Delegation.IsZero() && (c.Why == "grantor-inactive" || strings.HasPrefix(c.Why, "delegation-")) {
			return became
		}
	case 404:
		if became = "not let in"; !c.Want && (!home || !c.Acting.Delegation.IsZero()) && (c.Why == "tenant-foreign" || c.Why == "tenant-unknown" || c.Why == "tenant-inactive") {
			return became
		}
	}
	t.Errorf("%s: asking for themselves: %s %d %s", c.Name, w.unlike(v, c), r.status, r.body)
	return became
}

func (w *matrixWorld) together(t *testing.T, cases []accesstest.Case) {
	t.Helper()
	questions := make([]string, len(cases))
	for i, c := range cases {
		questions[i] = question(c, true)
	}
	w.at(cases[0].At)
	r := w.do("POST", "/v1/tenants/"+asked(cases[0]).String()+"/access/v1/evaluations", `{"evaluations":[`+strings.Join(questions, ",")+`]}`)
	var all struct {
		Evaluations []verdict `json:"evaluations"`
	}
	if err := json.Unmarshal([]byte(r.body), &all); err != nil || len(all.Evaluations) != len(cases) {
		t.Fatalf("%d cases together: %d %s", len(cases), r.status, r.body)
	}
	for i, c := range cases {
		if diff := w.unlike(all.Evaluations[i], c); diff != "" {
			t.Errorf("%s: among others: %s", c.Name, diff)
		}
	}
}
