package app

import (
	"fmt"
	"testing"
	"time"
)

func TestZZReview(t *testing.T) {
	_, root := platform(t)
	root.must(t, "root", "create-tenant", `{"name":"Acme","slug":"acme"}`)
	asAnn := root.user(t, "acme", "ann", true)
	ann := asAnn.do("GET", "/v1/me", "").part("user_id")
	end := time.Now().Add(48 * time.Hour).UTC().Format(time.RFC3339)
	o := root.must(t, "acme", "add-override", fmt.Sprintf(`{"effect":"deny","privilege":"core.groups.create","user_id":%q,"expires_at":%q,"reason":"x"}`, ann, end))
	t.Log("denied:", asAnn.command("acme", "create-group", `{"name":"g1"}`).status)
	t.Log("self-lift:", asAnn.command("acme", "revoke-override", fmt.Sprintf(`{"id":%q}`, o)).status)
	t.Log("then:", asAnn.command("acme", "create-group", `{"name":"g1"}`).status)
	// by department
	d := root.must(t, "acme", "create-department", `{"name":"d"}`)
	root.must(t, "acme", "move-user", fmt.Sprintf(`{"id":%q,"department_id":%q}`, ann, d))
	root.must(t, "acme", "add-override", fmt.Sprintf(`{"effect":"deny","privilege":"core.groups.create","department_id":%q,"expires_at":%q,"reason":"x"}`, d, end))
	t.Log("denied:", asAnn.command("acme", "create-group", `{"name":"g2"}`).status)
	t.Log("self-move:", asAnn.command("acme", "move-user", fmt.Sprintf(`{"id":%q}`, ann)).status)
	t.Log("then:", asAnn.command("acme", "create-group", `{"name":"g2"}`).status)
	// replay by a lesser token
	body := fmt.Sprintf(`{"name":"wide","expires_at":%q}`, end)
	wide := asAnn.command("acme", "issue-token", body, "Idempotency-Key", "k1")
	narrow := asAnn.command("acme", "issue-token", fmt.Sprintf(`{"name":"narrow","scopes":["core.tokens.issue"],"expires_at":%q}`, end)).part("token")
	t.Log("narrow fresh:", asAnn.as(narrow).command("acme", "issue-token", body).status)
	r := asAnn.as(narrow).command("acme", "issue-token", body, "Idempotency-Key", "k1")
	t.Log("narrow replay:", r.status, r.part("token") == wide.part("token"))
	// weak user, later promoted
	nt := asAnn.as(asAnn.command("acme", "issue-token", fmt.Sprintf(`{"name":"um","scopes":["core.tokens.issue","core.users.register"],"expires_at":%q}`, end)).part("token"))
	bob := asAnn.must(t, "acme", "register-user", `{"display_name":"bob"}`)
	r = nt.command("acme", "issue-token", fmt.Sprintf(`{"user_id":%q,"name":"b","expires_at":%q}`, bob, end))
	bobTok := nt.as(r.part("token"))
	t.Log("narrow issues to bob:", r.status, "bob before:", bobTok.command("acme", "create-group", `{"name":"g5"}`).status)
	// lockout of root
	r = root.command("root", "add-override", fmt.Sprintf(`{"effect":"deny","privilege":"*","expires_at":%q,"reason":"x"}`, end))
	t.Log("deny * in root:", r.status, r.body)
	t.Log("revoke:", root.command("root", "revoke-override", fmt.Sprintf(`{"id":%q}`, r.part("id"))).status, root.command("acme", "create-group", `{"name":"g3"}`).status)
}
