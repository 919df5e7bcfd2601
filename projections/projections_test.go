package projections_test

import (
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"chancery/domain"
	"chancery/internal/dcb"
	"chancery/internal/ledger"
	"chancery/projections"
)

func TestEveryProjectorKnowsEveryEventType(t *testing.T) {
	want := slices.Sorted(slices.Values(domain.Catalog.Types()))
	for _, p := range []*projections.Projector{projections.Core, projections.Audit} {
		if diff := cmp.Diff(want, p.Types()); diff != "" {
			t.Errorf("%s (-catalogue +projector):\n%s", p.Name(), diff)
		}
	}
}

func TestEveryTableThatProjectorsMayWriteIsOfOneProjector(t *testing.T) {
	want := ask(t, open(t), `SELECT relname::text FROM pg_class WHERE relnamespace = 'core'::regnamespace AND relkind = 'r'
		AND has_table_privilege('chancery_project', oid, 'DELETE')`)
	got := slices.Concat(projections.Core.Tables(), projections.Audit.Tables())
	got = append(got, "delivery_attempts", "delivery_cursors", "event_deliveries", "redeliveries") // kept beside the log, by whoever delivers
	slices.Sort(want)
	slices.Sort(got)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-database +projectors):\n%s", diff)
	}
}

type unheard struct{}

func (unheard) EventType() string { return "nothing.heard" }

func TestAnUnknownEventStopsTheProjector(t *testing.T) {
	for _, p := range []*projections.Projector{projections.Core, projections.Audit} {
		if err := p.Apply(t.Context(), nil, given(unheard{})); err == nil || !strings.Contains(err.Error(), "nothing.heard") {
			t.Errorf("%s: %v", p.Name(), err)
		}
	}
}

// samples is one event of each type, from the golden files, in the order of the catalogue.
func samples(t *testing.T) history {
	t.Helper()
	var events []dcb.Event
	for _, typ := range domain.Catalog.Types() {
		b, err := os.ReadFile(filepath.Join("../domain/testdata/events", typ+".json"))
		if err != nil {
			t.Fatal(err)
		}
		e, err := domain.Catalog.Decode(typ, b)
		if err != nil {
			t.Fatal(err)
		}
		events = append(events, oneSubject(e))
	}
	return given(events...)
}

// oneSubject takes from the samples what could not have happened: rights given to three at once.
func oneSubject(e dcb.Event) dcb.Event {
	switch e := e.(type) {
	case domain.RoleAssigned:
		e.Department, e.Group = domain.DepartmentID{}, domain.GroupID{}
		return e
	case domain.OverrideAdded:
		e.User, e.Department = domain.UserID{}, domain.DepartmentID{}
		return e
	}
	return e
}

func TestTheObjectOfAnEventIsOfTheKindThatTheCatalogueNames(t *testing.T) {
	l, h := open(t), samples(t)
	apply(t, l, projections.Audit, h)
	kinds := map[string]string{}
	for _, kind := range []string{"tenant", "domain", "department", "group", "membership", "policy", "user", "identity", "token", "credential", "session", "issuer", "link", "erasure",
		"secret", "privilege", "role", "assignment", "override", "delegation", "impersonation", "group-invitation",
		"approval", "constraint", "review", "installation",
		"vendor", "signing-key", "app", "app-version", "tenant-app", "license", "usage", "seat", "activation", "endpoint", "consumption", "checkpoint"} {
		for _, typ := range domain.Catalog.KindTypes(kind) {
			kinds[typ] = kind
		}
	}
	kinds["secret.read"] = "secret" // which it does not change
	kinds["endpoint.secret-revealed"] = "endpoint"
	kinds["access.changed"] = "user"        // whose it is
	kinds["command.refused"] = "assignment" // whatever the command was about
	for i, got := range ask(t, l, "SELECT split_part(object_ref, ':', 1) FROM audit_log ORDER BY position") {
		if typ := h[i].Event.EventType(); kinds[typ] != got {
			t.Errorf("%s is about %q, want %q", typ, got, kinds[typ])
		}
	}
}

func TestNothingPersonalIsReadableInAnyRow(t *testing.T) {
	l, h := open(t), samples(t)
	for i := range h {
		h[i].Event = opened(t, h[i].Event)
	}
	for _, p := range []*projections.Projector{projections.Core, projections.Audit} {
		apply(t, l, p, h)
		for table, rows := range snapshot(t, l, p) {
			if s := strings.Join(rows, "\n"); strings.Contains(s, "in the clear") || table == "audit_log" && strings.Contains(s, "sealed:") {
				t.Errorf("%s holds personal data:\n%s", table, s)
			}
		}
	}
}

// opened is the event as somebody sees it who has the keys.
func opened(t *testing.T, e dcb.Event) dcb.Event {
	t.Helper()
	e, err := dcb.MapPersonal(e, func(_ string, p dcb.Personal) (dcb.Personal, error) { return p.Opened("in the clear"), nil })
	if err != nil {
		t.Fatal(err)
	}
	return e
}

func TestHoweverHistoryIsCutIntoPagesTheRowsAreTheSame(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 0))
	h := samples(t)
	for _, p := range []*projections.Projector{projections.Core, projections.Audit} {
		whole := open(t)
		apply(t, whole, p, h)
		want := snapshot(t, whole, p)
		if diff := cmp.Diff(want, h.folded(t, whole, p)); diff != "" {
			t.Errorf("%s: PostgreSQL and replay differ (-PostgreSQL +replay):\n%s", p.Name(), diff)
		}
		for range 3 {
			cut := emptied(t, whole, p)
			for from := 0; from < len(h); {
				to := min(len(h), from+1+random.IntN(8))
				for range 1 + random.IntN(2) {
					apply(t, cut, p, h[from:to])
				}
				from = to
			}
			if diff := cmp.Diff(want, snapshot(t, cut, p)); diff != "" {
				t.Errorf("%s (-whole +cut):\n%s", p.Name(), diff)
			}
		}
	}
}

func TestATenantReadsItsOwnRowsAndThePlatformsRoles(t *testing.T) {
	l := open(t)
	other := domain.TenantID{UUID: uid(0xaa, 2)}
	h := history(nil)
	for i, tenant := range []domain.TenantID{domain.Root, acme, other} {
		h = h.in(tenant,
			domain.TenantCreated{Tenant: tenant, Name: "T", Slug: domain.Slug("t" + tenant.String()[32:])},
			domain.UserRegistered{User: domain.UserID{UUID: uid(0x05, i)}, Status: domain.UserActive},
			domain.RoleCreated{Role: domain.RoleID{UUID: uid(0x40, i)}, Name: "R"},
			domain.RolePrivilegeAdded{Role: domain.RoleID{UUID: uid(0x40, i)}, Privilege: "repo.read"},
			domain.RoleParentAdded{Role: domain.RoleID{UUID: uid(0x40, i)}, Parent: domain.RoleID{UUID: uid(0x40, 9)}},
			domain.PrivilegeRegistered{Privilege: "repo.read"},
		)
	}
	apply(t, l, projections.Core, h)
	apply(t, l, projections.Audit, h)
	own, shared := []string{"acce"}, []string{"0001", "acce"}
	for query, want := range map[string][]string{
		"SELECT id FROM tenants":                                                 own,
		"SELECT DISTINCT tenant_id FROM users":                                   own,
		"SELECT DISTINCT tenant_id FROM audit_log":                               own,
		"SELECT tenant_id FROM roles ORDER BY tenant_id":                         shared,
		"SELECT tenant_id FROM role_privileges ORDER BY tenant_id":               shared,
		"SELECT tenant_id FROM role_parents ORDER BY tenant_id":                  shared,
		"SELECT tenant_id FROM privileges ORDER BY tenant_id":                    shared,
		"SELECT tenant_id FROM users WHERE tenant_id <> '" + acme.String() + "'": {},
	} {
		if diff := cmp.Diff(want, seen(t, l, acme.UUID, query)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", query, diff)
		}
	}
	if got := seen(t, l, domain.Root.UUID, "SELECT id FROM tenants"); len(got) != 3 {
		t.Errorf("the platform sees the tenants %v, want 3", got)
	}
}

func seen(t *testing.T, l *ledger.Ledger, tenant uuid.UUID, query string) (got []string) {
	t.Helper()
	err := l.Query(t.Context(), tenant, func(tx pgx.Tx) error {
		rows, err := tx.Query(t.Context(), query)
		if err != nil {
			return err
		}
		got, err = pgx.CollectRows(rows, line)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return got
}
