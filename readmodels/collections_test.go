package readmodels_test

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/uuid"

	"chancery/domain"
	"chancery/readmodels"
)

// fill puts two or more things into every collection of a tenant, such that each filter tells some from others.
func (w *world) fill(tenant uuid.UUID) {
	w.t.Helper()
	one, two, three := uuid.New(), uuid.New(), uuid.New()
	status := "suspended"
	if tenant == domain.Root.UUID {
		status = "active"
	}
	w.put("tenants", tenant, row{"id": tenant, "name": "Tenant " + tenant.String(), "slug": "s" + tenant.String(), "status": status})
	w.put("tenant_domains", tenant, row{"id": one, "name": tenant.String() + ".test", "challenge": "c", "status": "verified", "is_primary": true, "verified_at": w.at})
	w.put("tenant_domains", tenant, row{"id": two, "name": "two.test", "challenge": "d", "status": "pending", "is_primary": false})
	for _, table := range []string{"departments", "groups"} {
		more := func(r row) row {
			if table == "groups" {
				r["description"] = ""
			}
			return r
		}
		w.put(table, tenant, more(row{"id": one, "name": "Sales", "status": "active"}))
		w.put(table, tenant, more(row{"id": two, "name": "Field", "status": "active", "parent_id": one}))
		w.put(table, tenant, more(row{"id": three, "name": "Old", "status": "deleted", "parent_id": two}))
	}
	w.put("group_memberships", tenant, row{"id": uuid.New(), "group_id": one, "user_id": one, "role": "owner"})
	w.put("group_memberships", tenant, row{"id": uuid.New(), "group_id": two, "user_id": two, "role": "member"})
	for i, status := range []string{"open", "ended"} {
		w.put("group_invitations", tenant, row{
			"id": uuid.New(), "group_id": []uuid.UUID{one, two}[i], "group_tenant_id": []uuid.UUID{tenant, three}[i], "user_id": []uuid.UUID{one, two}[i],
			"user_tenant_id": []uuid.UUID{three, tenant}[i], "role": "member", "message": "", "status": status, "expires_at": w.at, "end_reason": "",
		})
	}
	policy := domain.TokenDays.ID(domain.TenantID{UUID: tenant})
	w.put("tenant_policies", tenant, row{"id": policy.UUID, "key": domain.TokenDays.Key, "value": "30", "revision": 3, "status": "set"})
	for i, u := range []uuid.UUID{one, two} {
		email := fmt.Sprintf("u%d@acme.test", i)
		w.put("users", tenant, row{
			"id": u, "email": w.seal(tenant, u, "email", email), "email_key": w.claim(tenant, domain.Email(email).Claim().Tag()),
			"phone": w.seal(tenant, u, "phone", "+4930123456"), "address": w.seal(tenant, u, "address", "Weg 1\n12345 Berlin"),
			"display_name": w.seal(tenant, u, "display_name", "User"), "department_id": u, "status": []string{"active", "invited"}[i],
		})
		w.put("user_identities", tenant, row{
			"id": uuid.New(), "user_id": u, "issuer": fmt.Sprintf("https://i%d.test", i), "subject": w.seal(tenant, u, "subject", email),
			"subject_key": "identity:" + u.String(), "status": []string{"linked", "unlinked"}[i],
		})
		w.put("links", tenant, row{
			"id": uuid.New(), "user_id": u, "purpose": []string{"invitation", "password-reset"}[i], "status": []string{"issued", "used"}[i],
			"reason": "", "expires_at": w.at,
		})
		w.put("api_tokens", tenant, row{
			"id": uuid.New(), "user_id": u, "name": fmt.Sprint("token ", i), "prefix": fmt.Sprint("chy_", i), "token_hash": []byte("secret"),
			"scopes": []string{"*"}, "status": []string{"active", "revoked"}[i], "expires_at": w.at, "app_id": []string{"core", "shop"}[i],
		})
		w.put("user_credentials", tenant, row{
			"id": uuid.New(), "user_id": u, "kind": []string{"totp", "passkey"}[i], "name": "phone", "status": []string{"active", "removed"}[i],
			"material": "sealed:2:x",
		})
		w.put("sessions", tenant, row{
			"id": uuid.New(), "user_id": u, "status": []string{"active", "ended"}[i], "methods": []string{"pwd"}, "last_proof": []string{"pwd"},
			"issuer_id": u, "ip": w.seal(tenant, u, "ip", "192.0.2.7"), "user_agent": w.seal(tenant, u, "user_agent", "curl"),
			"idle_seconds": 60, "started_at": w.at, "authenticated_at": w.at, "last_seen_at": w.at, "expires_at": w.at,
		})
		w.put("secrets", tenant, row{
			"id": u, "app_id": []string{"core", "shop"}[i], "name": fmt.Sprint("secret-", i), "description": "", "encrypted_blob": "sealed:2:x",
			"current_version": 1, "status": []string{"active", "destroyed"}[i], "rotate_every_days": 0,
		})
		w.put("secret_versions", tenant, row{
			"id": uuid.New(), "secret_id": u, "number": 1, "status": []string{"current", "destroyed"}[i],
		})
	}
	for i, u := range []uuid.UUID{one, two} {
		w.put("erasures", tenant, row{
			"id": uuid.New(), "user_id": u, "reason": "asked", "status": []string{"requested", "done"}[i], "requested_by": []uuid.UUID{two, one}[i],
		})
	}
	for i, status := range []string{"enabled", "disabled"} {
		w.put("issuers", tenant, row{
			"id": uuid.New(), "name": "ID", "url": fmt.Sprintf("https://i%d.test", i), "client_id": "c", "client_secret": "", "scopes": []string{"openid"},
			"audiences": []string{}, "provisioning": "none", "groups_claim": "", "group_map": "[]", "status": status,
		})
	}
	for i, status := range []string{"admitted", "dismissed"} {
		w.put("apps", tenant, row{
			"id": []uuid.UUID{one, two}[i], "name": []string{"billing", "ledger"}[i], "vendor": []uuid.UUID{two, one}[i], "title": "x", "description": "",
		})
		w.put("app_versions", tenant, row{
			"id": []uuid.UUID{one, two}[i], "app_id": []uuid.UUID{one, two}[i], "app": []string{"billing", "ledger"}[i], "app_version": []string{"1.0.0", "1.1.0-rc.1"}[i],
			"precedence": strconv.Itoa(i), "prerelease": i == 1, "manifest_json": "{}", "manifest_hash": "00", "requires": "[]", "license_required": false, "grows": false,
			"status": []string{"published", "deprecated"}[i], "message": "", "published_at": w.at,
		})
		w.put("vendors", tenant, row{"id": []uuid.UUID{tenant, one}[i], "status": status, "reason": ""})
		w.put("signing_keys", tenant, row{
			"id": uuid.New(), "kid": fmt.Sprint("kid ", i), "jwk": `{"kty":"OKP"}`, "origin": []string{"created", "registered"}[i],
			"status": []string{"active", "revoked"}[i], "reason": "",
		})
		w.put("tenant_apps", tenant, row{
			"id": uuid.New(), "app_id": []uuid.UUID{one, two}[i], "app": []string{"billing", "shop"}[i], "enabled": i == 0, "app_version": "1.0.0",
			"config": "{}", "license_required": false, "resumes": false, "enabled_at": w.at, "changed_at": w.at,
		})
		w.put("privileges", tenant, row{
			"id": uuid.New(), "name": []string{"billing.read", "shop.read"}[i], "description": "", "app": []string{"billing", "shop"}[i],
		})
	}
	for i, status := range []string{"active", "suspended"} {
		id := uuid.New()
		w.put("license_entitlements", tenant, row{
			"id": uuid.New(), "license_id": id, "app": []string{"billing", "shop"}[i], "name": []string{"invoices", "sso"}[i],
			"kind": []string{"meter", "feature"}[i], "soft": false, "used": 0, "starts_at": w.at, "revision": 1,
		})
		w.put("license_usage", tenant, row{
			"id": uuid.New(), "license_id": id, "app": []string{"billing", "shop"}[i], "name": []string{"invoices", "calls"}[i], "amount": 1,
			"period": []string{"2026-11", "2026-12"}[i], "total": 1, "over": false, "note": "", "status": []string{"recorded", "reversed"}[i],
		})
		w.put("license_seats", tenant, row{
			"id": uuid.New(), "license_id": id, "app": []string{"billing", "shop"}[i], "seating": []string{"named", "floating"}[i],
			"user_id": []any{one, nil}[i], "holder": []any{nil, "ci"}[i], "status": []string{"taken", "lapsed"}[i], "taken_at": w.at,
		})
		w.put("licenses", tenant, row{
			"id": id, "app_id": []uuid.UUID{one, two}[i], "app": []string{"billing", "shop"}[i],
			"holder_tenant_id": []uuid.UUID{tenant, two}[i], "vendor_tenant_id": []uuid.UUID{one, tenant}[i],
			"revision": 1, "terms": "{}", "license_blob": "a.b.c", "signature": "c", "kid": fmt.Sprint("kid ", i), "file_expires_at": w.at, "imported": false,
			"issued_at": w.at, "starts_at": w.at, "status": status,
		})
	}
	for i, status := range []string{"active", "ended"} {
		w.put("license_activations", tenant, row{
			"id": uuid.New(), "license_id": []uuid.UUID{one, two}[i], "app": []string{"billing", "shop"}[i], "label": "CRM",
			"fingerprint_hash": fmt.Sprint("fingerprint:", i), "status": status,
		})
	}
	for i, app := range []string{"stock", "crm"} {
		w.put("event_consumption", tenant, row{
			"id": uuid.New(), "consumer_app_id": app, "event_id": []any{one, nil}[i], "endpoint_id": []any{nil, two}[i], "checkpoint": []any{nil, 42}[i], "processed_at": w.at,
		})
	}
	for i, app := range []uuid.UUID{one, two} {
		w.put("app_routes", tenant, row{
			"id": uuid.New(), "app_id": app, "app": []string{"billing", "shop"}[i], "app_version_id": app, "app_version": []string{"1.0.0", "2.0.0"}[i],
			"host": []string{"", "a.test"}[i], "path_prefix": []string{"/billing", "/shop"}[i], "methods": []string{}, "public": false,
		})
	}
	w.put("app_deployments", tenant, row{"id": one, "app_id": one, "upstreams": []string{"10.0.0.7:80"}, "version": 8})
	w.put("app_route_releases", tenant, row{"app_id": two, "host": "a.test", "path_prefix": "/shop", "version": 9})
	for i, kind := range []string{"exclusive", "cardinality"} {
		w.put("constraints", tenant, row{
			"id": uuid.New(), "name": "Four eyes", "description": "", "kind": kind, "role_ids": []uuid.UUID{one, two}, "most": 1,
			"status": []string{"active", "removed"}[i],
		})
	}
	for i, r := range []uuid.UUID{one, two} {
		privilege := fmt.Sprintf("p%d.%s", i, tenant)
		w.put("privileges", tenant, row{"id": uuid.New(), "name": privilege, "description": ""})
		w.put("roles", tenant, row{"id": r, "name": privilege, "description": "", "builtin": i == 0, "status": []string{"active", "deleted"}[i]})
		w.put("role_privileges", tenant, row{"role_id": r, "privilege": privilege})
		w.put("role_parents", tenant, row{"role_id": r, "parent_id": []uuid.UUID{two, three}[i]})
	}
	for i, column := range []string{"user_id", "department_id", "group_id"} {
		w.put("assignments", tenant, row{
			"id": uuid.New(), "role_id": []uuid.UUID{one, two, three}[i], column: one, "scope": []string{"", "repo:a", "repo:b"}[i],
			"reason": "", "status": []string{"active", "ended", "ended"}[i],
		})
		w.put("policy_overrides", tenant, row{
			"id": uuid.New(), "effect": []string{"allow", "deny", "deny"}[i], "privilege": fmt.Sprintf("p%d.x", i), column: one,
			"scope": []string{"", "repo:a", "repo:b"}[i], "expires_at": w.at, "reason": "", "status": []string{"active", "active", "revoked"}[i],
		})
	}
	for i, u := range []uuid.UUID{one, three} {
		other := []uuid.UUID{two, uuid.New()}[i]
		w.put("delegations", tenant, row{
			"id": uuid.New(), "home_tenant_id": []uuid.UUID{tenant, other}[i], "grantor_user_id": u, "grantor_tenant_id": tenant,
			"delegate_user_id": other, "delegate_tenant_id": tenant, "parent_id": []any{nil, u}[i], "chain": []uuid.UUID{u}, "action_scope": "{}",
			"starts_at": w.at, "ends_at": w.at, "redelegations": 0, "reason": "", "status": []string{"offered", "accepted"}[i],
		})
	}
	for i, u := range []uuid.UUID{one, two} {
		w.put("impersonation_sessions", tenant, row{
			"id": uuid.New(), "admin_user_id": u, "admin_tenant_id": tenant, "target_user_id": three, "reason": "", "expires_at": w.at,
			"status": []string{"requested", "active"}[i], "scope": [][]string{nil, {"a.*"}}[i],
		})
	}
	w.put("impersonation_sessions", tenant, row{
		"id": uuid.New(), "admin_user_id": uuid.New(), "admin_tenant_id": tenant, "target_user_id": one, "reason": "", "expires_at": w.at, "status": "ended",
	})
	for i, u := range []uuid.UUID{one, two} {
		w.put("approvals", tenant, row{
			"id": uuid.New(), "kind": []string{"assignment", "delegation"}[i], "requested_by": []uuid.UUID{two, one}[i], "user_id": u,
			"role_id": []any{one, nil}[i], "request": `{"a":1}`, "reason": "", "status": []string{"pending", "given"}[i], "expires_at": w.at, "decision_reason": "",
		})
		w.put("reviews", tenant, row{
			"id": u, "name": "Review", "role_id": []any{one, nil}[i], "group_id": []any{nil, one}[i], "status": []string{"open", "closed"}[i],
			"on_silence": "keep", "due_at": w.at, "items": 1, "decided": i, "close_reason": "",
		})
		w.put("review_items", tenant, row{
			"id": uuid.New(), "review_id": u, "item_id": u, "user_id": u, "status": []string{"undecided", "kept"}[i], "already": false, "reason": "",
		})
	}
	for i, typ := range []string{"group.created", "group.deleted"} {
		id := w.happen(tenant, typ, "{}", "group:"+one.String())
		w.put("audit_log", tenant, row{
			"position": w.head, "id": id, "actor_user_id": []uuid.UUID{one, two}[i], "effective_user_id": []uuid.UUID{two, one}[i],
			"action": typ, "object_ref": fmt.Sprintf("group:%d", i), "metadata": fmt.Sprintf(`{"actor_tenant":%q}`, tenant), "is_delegated": false, "is_impersonated": false,
			"delegation_id": []any{one, nil}[i], "impersonation_id": []any{nil, two}[i], "occurred_at": w.at, "ip": w.seal(tenant, []uuid.UUID{one, two}[i], "ip", "192.0.2.7"),
		})
		u := []uuid.UUID{one, two}[i]
		w.put("secret_access_log", tenant, row{
			"position": w.head, "id": id, "secret_id": u, "version_id": u, "number": 1, "user_id": u, "app_id": []string{"core", "shop"}[i],
			"purpose": "", "ip": w.seal(tenant, u, "ip", "192.0.2.7"), "user_agent": w.seal(tenant, u, "user_agent", "curl"),
		})
	}
	w.exec("chancery_owner", "ALTER TABLE events DISABLE TRIGGER USER")
	w.exec("chancery_owner", "UPDATE events SET source_app_id = 'app' WHERE tenant_id = $1 AND type = 'group.deleted'", tenant)
	w.exec("chancery_owner", "ALTER TABLE events ENABLE TRIGGER USER")
	w.fillDeliveries(tenant)
}

func TestEveryFilterPicksTheRowsThatHaveTheValue(t *testing.T) {
	w := newWorld(t)
	mine := domain.Root.UUID // the platform sees all tenants
	w.fill(mine)
	w.fill(uuid.New())
	holds := map[string]string{"privilege": "privileges", "parent_id": "parents"}
	for _, c := range readmodels.Collections {
		all := objects(t, list(t, w.now(mine), c.Name, readmodels.Params{}).Items)
		if len(all) < 2 {
			t.Errorf("%s: fewer than two things", c.Name)
			continue
		}
		for _, f := range c.Filters {
			if f.Name == "order" {
				continue
			}
			values := func(o map[string]any) []string {
				if c.Name == "delegations" && f.Name == "user_id" {
					return []string{fmt.Sprint(o["grantor_user_id"]), fmt.Sprint(o["delegate_user_id"])}
				}
				if c.Name == "impersonations" && f.Name == "user_id" {
					return []string{fmt.Sprint(o["admin_user_id"]), fmt.Sprint(o["target_user_id"])}
				}
				v, has := o[f.Name]
				if in, ok := holds[f.Name]; !has && ok {
					v, has = o[in], true
				}
				if !has {
					t.Fatalf("%s: filter %s is of no column", c.Name, f.Name)
				}
				if several, ok := v.([]any); ok {
					var out []string
					for _, s := range several {
						out = append(out, s.(string))
					}
					return out
				}
				if v == nil {
					return nil
				}
				return []string{fmt.Sprint(v)}
			}
			var asked string
			for _, o := range all {
				if v := values(o); len(v) > 0 {
					asked = v[0]
					break
				}
			}
			var want []string
			for _, o := range all {
				if slices.Contains(values(o), asked) {
					want = append(want, identity(o))
				}
			}
			if len(want) == len(all) && f.Name != "tenant_id" { // the platform shares its own, and sees no others
				t.Errorf("%s: %s=%s tells nothing apart", c.Name, f.Name, asked)
			}
			var got []string
			for _, o := range objects(t, list(t, w.now(mine), c.Name, readmodels.Params{Filter: map[string]string{f.Name: asked}}).Items) {
				got = append(got, identity(o))
			}
			if !slices.Equal(got, want) {
				t.Errorf("%s?%s=%s: %v, want %v", c.Name, f.Name, asked, got, want)
			}
		}
	}
}

func TestAnotherTenantsThingsDoNotExist(t *testing.T) {
	w := newWorld(t)
	mine, theirs := uuid.New(), uuid.New()
	w.fill(mine)
	w.fill(theirs)
	for _, c := range readmodels.Collections {
		for _, o := range objects(t, list(t, w.now(theirs), c.Name, readmodels.Params{}).Items) {
			id := identity(o)
			if _, err := w.now(theirs).One(t.Context(), c, id); err != nil {
				t.Errorf("%s/%s at home: %v", c.Name, id, err)
			}
			if _, err := w.now(mine).One(t.Context(), c, id); c.Name != "events" && o["tenant_id"] != nil && !errors.Is(err, readmodels.ErrNotFound) {
				t.Errorf("%s/%s elsewhere: %v", c.Name, id, err)
			}
			if _, err := w.now(mine).History(t.Context(), c, id, readmodels.Params{}); !errors.Is(err, readmodels.ErrNotFound) {
				t.Errorf("%s/%s/history elsewhere: %v", c.Name, id, err)
			}
		}
		for _, o := range objects(t, list(t, w.now(mine), c.Name, readmodels.Params{}).Items) {
			if home, ok := o["tenant_id"]; ok && home != mine.String() {
				t.Errorf("%s lists %v", c.Name, o)
			}
		}
	}
	if got := list(t, w.now(uuid.New()), "tenants", readmodels.Params{}).Items; len(got) != 0 {
		t.Errorf("a stranger sees tenants: %v", got)
	}
}

func TestAThingIsFoundByItsIDWithItsVersion(t *testing.T) {
	w := newWorld(t)
	mine := uuid.New()
	w.fill(mine)
	for _, c := range readmodels.Collections {
		for _, want := range objects(t, list(t, w.now(mine), c.Name, readmodels.Params{}).Items) {
			got, err := w.now(mine).One(t.Context(), c, identity(want))
			if err != nil {
				t.Fatalf("%s: %v", c.Name, err)
			}
			if o := object(t, got.Value); identity(o) != identity(want) {
				t.Errorf("%s: %v, want %v", c.Name, o, want)
			}
			for _, other := range []string{strings.ToUpper(identity(want)), "{" + identity(want) + "}"} {
				if _, err := w.now(mine).One(t.Context(), c, other); !errors.Is(err, readmodels.ErrNotFound) {
					t.Errorf("%s: %s is another spelling of an id: %v", c.Name, other, err)
				}
			}
			if v, ok := want["version"]; ok && v != got.Version.String() {
				t.Errorf("%s: version %s, want %s", c.Name, got.Version, v)
			}
		}
		for _, id := range []string{"", "x", "\xff", "a\x00b", uuid.NewString()} {
			if _, err := w.now(mine).One(t.Context(), c, id); !errors.Is(err, readmodels.ErrNotFound) {
				t.Errorf("%s/%q: %v", c.Name, id, err)
			}
		}
	}
}

func TestNamesOfCollectionsAndPrivilegesAreUnique(t *testing.T) {
	seen := map[string]bool{}
	for _, c := range readmodels.Collections {
		if seen[c.Name] {
			t.Errorf("%s twice", c.Name)
		}
		seen[c.Name] = true
		if err := c.Privilege().Check("/privilege"); err != nil {
			t.Errorf("%s: %v", c.Name, err)
		}
		if c.Kind != "" && domain.Catalog.KindTypes(c.Kind) == nil {
			t.Errorf("%s: nothing happens to a %s", c.Name, c.Kind)
		}
	}
}

func TestPlatformRolesAndPrivilegesServeEveryTenant(t *testing.T) {
	w := newWorld(t)
	mine := uuid.New()
	w.fill(domain.Root.UUID)
	w.fill(mine)
	for _, name := range []string{"roles", "privileges"} {
		homes := column(t, list(t, w.now(mine), name, readmodels.Params{}).Items, "tenant_id")
		slices.Sort(homes)
		want := []string{domain.Root.String(), domain.Root.String(), mine.String(), mine.String()}
		if name == "privileges" { // two apps bring one each; what the platform's own bring is not for others
			want = append(want, mine.String(), mine.String())
		}
		slices.Sort(want)
		if !slices.Equal(homes, want) {
			t.Errorf("%s of %v", name, homes)
		}
	}
	if got := list(t, w.now(mine), "tenants", readmodels.Params{}).Items; len(got) != 1 {
		t.Errorf("a tenant sees %d tenants", len(got))
	}
	if got := list(t, w.now(domain.Root.UUID), "tenants", readmodels.Params{}).Items; len(got) != 2 {
		t.Errorf("the platform sees %d tenants", len(got))
	}
	role := objects(t, list(t, w.now(mine), "roles", readmodels.Params{Filter: map[string]string{"builtin": "true", "tenant_id": mine.String()}}).Items)[0]
	if fmt.Sprint(role["privileges"]) != "[p0."+mine.String()+"]" || len(role["parents"].([]any)) != 1 {
		t.Errorf("a role holds %v", role)
	}
}

func TestEverySettingIsListedWithItsValue(t *testing.T) {
	w := newWorld(t)
	mine := uuid.New()
	w.fill(mine)
	c := of(t, "policies")
	all := list(t, w.now(mine), "policies", readmodels.Params{}).Items
	if len(all) != len(domain.Settings)-1 {
		t.Errorf("%d settings", len(all))
	}
	for _, item := range all {
		p := item.(*readmodels.Policy)
		s, _ := domain.SettingOf(p.Key)
		value, status := s.Default, "default"
		if p.Key == domain.TokenDays.Key {
			value, status = "30", "set"
		}
		if p.Value != value || p.Status != status || p.ID != s.ID(domain.TenantID{UUID: mine}).UUID || s.Platform {
			t.Errorf("%+v", p)
		}
	}
	var paged []any
	for p := (readmodels.Params{Limit: 2}); ; {
		page := list(t, w.now(mine), "policies", p)
		paged = append(paged, page.Items...)
		if p.Cursor = page.Next; p.Cursor == "" {
			break
		}
	}
	if !slices.Equal(column(t, paged, "id"), column(t, all, "id")) {
		t.Error("pages differ from the whole")
	}
	if root, err := w.now(domain.Root.UUID).One(t.Context(), c, domain.OverrideAllow.ID(domain.Root).String()); err != nil || root.Version != 0 {
		t.Errorf("the platform's own setting: %v %v", root, err)
	}
}
