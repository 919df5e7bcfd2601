package app

import (
	"crypto/sha256"
	"encoding/json"
	"fmt"
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

// The cases of internal/access, put to the whole app over HTTP. A token's ceiling bounds what its bearer may do, not
// what a subject holds, so cases with a ceiling are asked of the bearer's own requests elsewhere (access and transport).

// matrixWorld is one world behind HTTP.
type matrixWorld struct {
	caller
	clock  atomic.Pointer[time.Time]
	tokens map[domain.UserID]string
	homes  map[domain.UserID]domain.TenantID
}

func (w *matrixWorld) at(now time.Time) { w.clock.Store(&now) }

// asker may ask about everybody, everywhere.
var asker = domain.UserID{UUID: uuid.NewSHA1(uuid.NameSpaceOID, []byte("matrix asker"))}

func settle(t *testing.T, world accesstest.World) *matrixWorld {
	t.Helper()
	w := &matrixWorld{tokens: map[domain.UserID]string{}, homes: map[domain.UserID]domain.TenantID{}}
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
		pending = append(pending, dcb.Pending{Tenant: r.Tenant, Event: r.Event})
		if e, ok := r.Event.(domain.UserRegistered); ok {
			pending = append(pending, w.token(e.User, domain.TenantID{UUID: r.Tenant}))
		}
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
	pending = append(pending, w.token(asker, domain.Root))
	part := dcb.Part{ID: uuid.New(), Fingerprint: []byte("world"), Events: pending}
	if _, _, err := a.store.Append(t.Context(), []dcb.Part{part}, nil); err != nil {
		t.Fatal(err)
	}
	w.caller = caller{a.handlerForTest(t), w.tokens[asker]}
	return w
}

func (w *matrixWorld) token(u domain.UserID, home domain.TenantID) dcb.Pending {
	id := domain.TokenID{UUID: uuid.New()}
	text := apitoken.New(apitoken.API, id.UUID, sha256.Sum256(id.UUID[:]))
	parsed, _ := apitoken.Parse(text)
	w.tokens[u], w.homes[u] = text, home
	return dcb.Pending{Tenant: home.UUID, Event: domain.TokenIssued{
		Token: id, User: u, Name: "matrix", Prefix: text[:16], Hash: parsed.Hash[:], Scopes: []domain.Pattern{domain.Everything},
		ExpiresAt: time.Date(2100, 1, 1, 0, 0, 0, 0, time.UTC),
	}}
}

// question is a case in the words of AuthZEN.
func question(c accesstest.Case, tenant domain.TenantID) string {
	kind, id, scoped := strings.Cut(string(c.Scope), ":")
	if !scoped {
		kind, id = "tenant", tenant.String()
	}
	return fmt.Sprintf(`{"subject":{"type":"user","id":%q},"action":{"name":%q},"resource":{"type":%q,"id":%q},"context":{"explain":true}}`,
		c.User, string(c.Privilege), kind, id)
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
	why := c.Why
	if home, known := w.homes[c.User]; known && home != asked(c) && home != domain.Root {
		why = "subject-unknown"
	}
	switch {
	case v.Decision != c.Want:
		return fmt.Sprintf("decided %v (%s), want %v (%s)", v.Decision, v.Context.Reason, c.Want, why)
	case v.Context.Error.Status == 0 && v.Context.Reason != why:
		return fmt.Sprintf("because %s, want %s", v.Context.Reason, why)
	case v.Context.Error.Status != 0 && c.Privilege != "":
		return fmt.Sprintf("a well-formed question is answered with error %d", v.Context.Error.Status)
	}
	return ""
}

func TestEveryCaseOfTheMatrixIsAnsweredSoOverHTTP(t *testing.T) {
	suite, err := accesstest.Load("../access/testdata/matrix.yaml")
	if err != nil {
		t.Fatal(err)
	}
	worlds, tried, bounded := map[string]*matrixWorld{}, 0, 0
	for _, world := range suite.Worlds {
		worlds[world.Name] = settle(t, world)
	}
	together := map[string][]accesstest.Case{}
	for _, c := range suite.Cases {
		if c.Ceiling != nil {
			bounded++
			continue
		}
		tried++
		w := worlds[c.World]
		w.at(c.At)
		w.alone(t, c)
		w.themselves(t, c)
		if c.Why != "tenant-unknown" && !strings.HasPrefix(c.Name, "foreign tenants: nobody acts in a tenant that is not") {
			key := fmt.Sprint(c.World, asked(c), c.At)
			together[key] = append(together[key], c)
		}
	}
	for _, cases := range together {
		worlds[cases[0].World].together(t, cases)
	}
	t.Logf("%d cases in %d groups; %d with a ceiling left out", tried, len(together), bounded)
	if tried < 80 {
		t.Error("too few cases were tried")
	}
}

func (w *matrixWorld) alone(t *testing.T, c accesstest.Case) {
	t.Helper()
	r := w.do("POST", "/v1/tenants/"+asked(c).String()+"/access/v1/evaluation", question(c, asked(c)))
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

// themselves lets the user ask at home; who cannot act is not even heard.
func (w *matrixWorld) themselves(t *testing.T, c accesstest.Case) {
	t.Helper()
	if w.homes[c.User] != asked(c) || c.Privilege == "" {
		return
	}
	r := w.as(w.tokens[c.User]).do("POST", "/access/v1/evaluation", question(c, asked(c)))
	unheard := c.Why == "subject-inactive" || c.Why == "tenant-inactive"
	var v verdict
	if unheard != (r.status == 401) || !unheard && (json.Unmarshal([]byte(r.body), &v) != nil || w.unlike(v, c) != "") {
		t.Errorf("%s: asking for themselves: %d %s %s", c.Name, r.status, w.unlike(v, c), r.body)
	}
}

func (w *matrixWorld) together(t *testing.T, cases []accesstest.Case) {
	t.Helper()
	questions := make([]string, len(cases))
	for i, c := range cases {
		questions[i] = question(c, asked(c))
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
