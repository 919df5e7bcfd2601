package readmodels_test

import (
	"io"
	"strings"
	"testing"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"chancery/domain"
	"chancery/internal/ledger"
	"chancery/readmodels"
)

func TestNoListReadsAWholeTable(t *testing.T) {
	w := newWorld(t)
	mine := uuid.New()
	w.fill(mine)
	const many = "generate_series(1, 10000) n CROSS JOIN (VALUES ($1::uuid), (gen_random_uuid())) t(id)"
	w.exec(ledger.Project, `INSERT INTO users (tenant_id, id, email_key, display_name, department_id, status, created_at, updated_at, version)
		SELECT t.id, gen_random_uuid(), 'email:' || n, '', gen_random_uuid(), 'active', now(), now(), n FROM `+many, mine)
	w.exec(ledger.Project, `INSERT INTO assignments (tenant_id, id, role_id, user_id, scope, reason, status, created_at, version)
		SELECT t.id, gen_random_uuid(), gen_random_uuid(), gen_random_uuid(), '', '', 'active', now(), n FROM `+many, mine)
	w.exec(ledger.Project, `INSERT INTO group_memberships (tenant_id, id, group_id, user_id, role, created_at, updated_at, version)
		SELECT t.id, gen_random_uuid(), gen_random_uuid(), gen_random_uuid(), 'member', now(), now(), n FROM `+many, mine)
	w.exec(ledger.Project, `INSERT INTO audit_log (tenant_id, position, id, actor_user_id, action, object_ref, metadata, is_delegated, is_impersonated, occurred_at, created_at)
		SELECT t.id, n + 100, gen_random_uuid(), gen_random_uuid(), 'a' || n % 9, 'user:' || n, '{}', false, false, now(), now() FROM `+many, mine)
	w.exec(ledger.Project, `INSERT INTO secret_access_log (tenant_id, position, id, secret_id, version_id, number, user_id, purpose, created_at)
		SELECT t.id, n + 100, gen_random_uuid(), gen_random_uuid(), gen_random_uuid(), 1, gen_random_uuid(), '', now() FROM `+many, mine)
	w.exec(ledger.Append, `INSERT INTO events (position, id, tenant_id, tenant_seq, type, payload, metadata, tags, request_id, occurred_at, created_at)
		SELECT row_number() OVER () + 100, gen_random_uuid(), t.id, n + 100, 'a', '{}', '{}', '{group:x}', gen_random_uuid(), now(), now() FROM `+many, mine)
	w.exec(ledger.Append, `INSERT INTO event_tags SELECT position % 3000, 1, position FROM events`)
	w.exec(ledger.Owner, "ANALYZE events, event_tags, users, assignments, group_memberships, audit_log, secret_access_log")

	large := []string{"events", "event_tags", "users", "assignments", "group_memberships", "audit_log", "secret_access_log"}
	var asked string
	reader := w.readerOver(watched{w.ledger, func(mode any, plan string) {
		if mode != pgx.QueryExecModeCacheDescribe {
			t.Errorf("%s is prepared: after five uses its plan serves no filter in particular", asked)
		}
		for _, table := range large {
			if strings.Contains(plan, "Seq Scan on "+table) {
				t.Errorf("%s reads all of %s:\n%s", asked, table, plan)
			}
		}
		if index, want := strings.CutPrefix(asked, "users?email "); want && !strings.Contains(plan, index) {
			t.Errorf("%s finds another way:\n%s", asked, plan)
		}
	}})
	view := reader.Now(domain.TenantID{UUID: mine})
	for _, name := range []string{"users", "assignments", "group-memberships", "audit", "secret-access", "events"} {
		c := of(t, name)
		filters := append([]readmodels.Filter{{Name: "", Kind: ""}}, c.Filters...)
		for _, f := range filters {
			values := map[string]string{}
			asked = name + "?" + f.Name
			switch {
			case f.Name == "":
			case f.Name == "order":
				values[f.Name] = "desc"
			case f.Kind == readmodels.UUID:
				values[f.Name] = uuid.NewString()
			case f.Kind == readmodels.Email:
				values[f.Name], asked = "u1@acme.test", "users?email users_email_key"
			case len(f.OneOf) > 0:
				values[f.Name] = f.OneOf[0]
			default:
				values[f.Name] = "user:77"
			}
			list(t, view, name, readmodels.Params{Filter: values})
		}
		asked = name + "/{id}"
		if _, err := view.One(t.Context(), c, uuid.NewString()); err == nil {
			t.Errorf("%s: found by chance", name)
		}
		asked = name + "/{id}/history"
		_, _ = view.History(t.Context(), c, uuid.NewString(), readmodels.Params{})
	}
	asked = "users/{id}/export"
	who := list(t, w.now(mine), "users", readmodels.Params{Limit: 1}).Items[0].(*readmodels.User).ID
	if err := view.Export(t.Context(), domain.UserID{UUID: who}, 1<<40, w.at, io.Discard); err != nil {
		t.Error(err)
	}
}
