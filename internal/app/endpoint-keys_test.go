package app

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"chancery/domain"
	"chancery/internal/dcb"
)

func TestWhoActsAsSomebodyElseLearnsNoKeyOfAnEndpoint(t *testing.T) {
	m := newMasquerade(t)
	m.root.must(t, "root", "register-app", `{"name":"crm","title":"CRM"}`)
	m.root.must(t, "root", "publish-app-version", `{"manifest":{"app":"crm","version":"1.0.0","events":{"consumes":["core.user.*"]}}}`)
	m.root.must(t, "acme", "enable-app", `{"app":"crm"}`)
	for _, who := range []string{m.ann, m.bobs} {
		m.role(t, "Hooker "+who, who, "core.endpoints.*", "core.events.read")
	}
	id := m.bob.must(t, "acme", "create-endpoint", hookBody)
	by, _ := m.as(t, m.bob, m.ann)
	for name, body := range map[string]string{
		"create-endpoint": hookBody, "reveal-endpoint-secret": `{"id":"` + id + `"}`, "rotate-endpoint-secret": `{"id":"` + id + `"}`,
	} {
		if r := by.command("acme", name, body); r.status != 403 || r.code() != "impersonating" {
			t.Errorf("%s: %d %s", name, r.status, r.body)
		}
	}
}

// keysOf are the data keys of an endpoint's versions that are there, and that are destroyed.
func (s *hooked) keysOf(t *testing.T, id string) (live, gone int) {
	t.Helper()
	rows := s.column(t, `SELECT length(k.wrapped)::text FROM core.subject_keys k JOIN core.events e ON e.tenant_id = k.tenant_id
		AND e.payload->>'version' = k.subject_id::text WHERE e.type = 'endpoint.secret-rotated' AND e.payload->>'endpoint' = $1`, id)
	for _, length := range rows {
		if length == "0" {
			gone++
		}
	}
	return len(rows) - gone, gone
}

func TestTheKeysOfAnEndpointThatSignNoLongerAreDestroyed(t *testing.T) {
	s := newHooked(t)
	id := s.ann.must(t, "acme", "create-endpoint", hookBody)
	is := func(when string, live, gone, signing int) {
		t.Helper()
		if l, g := s.keysOf(t, id); l != live || g != gone {
			t.Errorf("%s: %d keys are there and %d destroyed, want %d and %d", when, l, g, live, gone)
		}
		signs := 0
		for _, k := range s.loaded(t, id).Keys {
			if k.Until.IsZero() || s.clock.now().Before(k.Until) {
				signs++
			}
		}
		if signs != signing {
			t.Errorf("%s: %d keys sign, want %d", when, signs, signing)
		}
	}
	rotate := func(more string) reply {
		t.Helper()
		r := s.ann.command("acme", "rotate-endpoint-secret", fmt.Sprintf(`{"id":%q%s}`, id, more))
		if r.status != 200 {
			t.Fatalf("%d %s", r.status, r.body)
		}
		return r
	}
	is("created", 1, 0, 1)
	rotate(`,"grace_hours":1`)
	is("rotated", 2, 0, 2)
	s.clock.forward(time.Hour)
	is("when the grace is over", 2, 0, 1)
	rotate("")
	is("rotated then", 2, 1, 2)
	newest := rotate(`,"grace_hours":0`).part("secret")
	is("all were ended", 1, 3, 1)
	if r := s.ann.command("acme", "reveal-endpoint-secret", fmt.Sprintf(`{"id":%q}`, id)); r.part("secret") != newest {
		t.Errorf("revealed: %d %s", r.status, r.body)
	}
	rotate("")
	for range 2 { // the second finds it done
		s.ann.must(t, "acme", "delete-endpoint", fmt.Sprintf(`{"id":%q}`, id))
	}
	is("deleted", 0, 5, 0)
	if err := s.erased.record(t.Context()); err != nil {
		t.Fatal(err)
	}
	if lines := s.erased.file.Lines(); len(lines) != 5 || lines[0].Type != "endpoint.secret-destroyed" {
		t.Errorf("in the ledger: %v", lines)
	}
	before := s.ann.do("GET", "/v1/tenants/acme/endpoints/"+id+"?as_of="+s.column(t,
		`SELECT max(position)::text FROM core.events WHERE type = 'endpoint.secret-rotated'`)[0], "")
	if before.status != 200 || !strings.Contains(before.body, `"status":"enabled"`) {
		t.Errorf("as it was: %d %s", before.status, before.body)
	}
	verified, err := s.Replay()
	if err != nil {
		t.Fatal(err)
	}
	if v, err := verified.Verify(t.Context(), 5); err != nil || v.Total != 0 {
		t.Errorf("the tables differ from the log: %v %v", v.Differences, err)
	}
}

// The database destroys keys with the event that says so; the row, which has changed meanwhile, shows the next ones later.
func TestAnEndpointWhoseRowIsBehindADestroyedKeyIsSentToOn(t *testing.T) {
	s := newHooked(t)
	id := uuid.MustParse(s.ann.must(t, "acme", "create-endpoint", hookBody))
	first := s.loaded(t, id.String())
	tenant := uuid.MustParse(s.acme)
	version := domain.EndpointID{UUID: id}.SecretID(1)
	if _, err := s.ledger.BlankKeys(t.Context(), []uuid.UUID{tenant}, []uuid.UUID{version.UUID}); err != nil {
		t.Fatal(err)
	}
	s.vault.Drop(tenant, version.UUID)
	s.directory.mu.Lock()
	known := s.directory.all[id]
	known.Version-- // of the row that was read last
	s.directory.all[id] = known
	s.directory.mu.Unlock()
	if e := s.loaded(t, id.String()); e.ID != id || len(e.Keys) != 1 || e.Keys[0].Secret != first.Keys[0].Secret {
		t.Errorf("it is delivered to as %+v", e)
	}
}

// At two processes on one database nobody waits in the lane of the other.
func TestManyEndpointsAreCreatedUpToTheBoundAndNoFurther(t *testing.T) {
	s := newHooked(t)
	other := openWith(t, Config{Now: s.clock.now, DatabaseURL: s.config.DatabaseURL, Data: s.config.Data})
	at := []caller{s.ann, {other.handlerForTest(t), s.ann.token}}
	var tenant domain.TenantID
	if err := tenant.UnmarshalText([]byte(s.acme)); err != nil {
		t.Fatal(err)
	}
	part := dcb.Part{ID: uuid.New(), Fingerprint: []byte("x")}
	terms := domain.EndpointTerms{Types: []domain.EventPattern{"core.user.*"}, Body: domain.Thin, Lease: 30, Attempts: 10}
	for range domain.MostEndpoints - 10 {
		part.Events = append(part.Events, dcb.Pending{Tenant: tenant.UUID, Event: domain.EndpointCreated{
			Endpoint: domain.EndpointID{UUID: uuid.New()}, App: "crm", Kind: domain.Pull, Terms: terms, Pool: domain.EndpointPool(tenant, "crm"),
		}})
	}
	if _, _, err := s.engine.Store.Append(t.Context(), []dcb.Part{part}, nil); err != nil {
		t.Fatal(err)
	}
	counts := race(100, func(i int) reply { return at[i%2].command("acme", "create-endpoint", hookBody) })
	t.Log(counts)
	s.settled(t)
	if n := s.column(t, `SELECT count(*)::text FROM core.endpoints WHERE status <> 'deleted'`); !slices.Equal(n, []string{"2000"}) || counts["200"] != 10 {
		t.Errorf("%s endpoints, answers %v", n, counts)
	}
	one := s.column(t, `SELECT id::text FROM core.endpoints LIMIT 1`)[0]
	s.ann.must(t, "acme", "delete-endpoint", fmt.Sprintf(`{"id":%q}`, one))
	s.ann.must(t, "acme", "create-endpoint", hookBody)
	if r := s.ann.command("acme", "create-endpoint", hookBody); r.status != 422 || r.code() != "endpoints-too-many" {
		t.Errorf("one too many: %d %s", r.status, r.body)
	}
}
