package readmodels_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/google/uuid"

	"chancery/domain"
	"chancery/internal/vault"
	"chancery/readmodels"
)

func user(t *testing.T, v readmodels.View, id uuid.UUID) *readmodels.User {
	t.Helper()
	got, err := v.One(t.Context(), of(t, "users"), id.String())
	if err != nil {
		t.Fatal(err)
	}
	return got.Value.(*readmodels.User)
}

func TestPersonalColumnsAreOpened(t *testing.T) {
	w := newWorld(t)
	mine := uuid.New()
	w.fill(mine)
	found := list(t, w.now(mine), "users", readmodels.Params{Filter: map[string]string{"email": "U1@Acme.test"}}).Items
	if len(found) != 1 || *found[0].(*readmodels.User).Email != "u1@acme.test" || found[0].(*readmodels.User).DisplayName != "User" {
		t.Fatalf("%v", objects(t, found))
	}
	if u := found[0].(*readmodels.User); *u.Phone != "+4930123456" || *u.Address != "Weg 1\n12345 Berlin" {
		t.Errorf("%v", objects(t, found))
	}
	subject := list(t, w.now(mine), "identities", readmodels.Params{Filter: map[string]string{"status": "unlinked"}}).Items[0].(*readmodels.Identity).Subject
	if subject != "u1@acme.test" {
		t.Errorf("subject %s", subject)
	}
	for _, c := range readmodels.Collections {
		text, err := json.Marshal(list(t, w.now(mine), c.Name, readmodels.Params{}))
		if err != nil {
			t.Fatal(err)
		}
		for _, secret := range []string{"sealed:", "email_key", "subject_key", "token_hash", "c2VjcmV0"} {
			if strings.Contains(string(text), secret) {
				t.Errorf("%s shows %s: %s", c.Name, secret, text)
			}
		}
	}
}

func TestWhatCannotBeOpenedDoesNotTakeThePageDown(t *testing.T) {
	w := newWorld(t)
	mine := uuid.New()
	erased, stolen, damaged, without := uuid.New(), uuid.New(), uuid.New(), uuid.New()
	w.put("users", mine, row{"id": erased, "display_name": w.seal(mine, erased, "display_name", "Ann"), "status": "active"})
	w.put("users", mine, row{"id": stolen, "display_name": w.seal(mine, erased, "display_name", "Ann"), "status": "active"})
	bad := w.seal(mine, damaged, "display_name", "Bob")
	w.put("users", mine, row{"id": damaged, "display_name": bad[:len(bad)-4] + "AAAA", "status": "active"})
	w.put("users", mine, row{"id": without, "display_name": w.seal(mine, without, "display_name", "Cid"), "status": "active"})
	delete(w.keys, erased)
	w.vault.Drop(mine, erased)
	for id, want := range map[uuid.UUID]string{erased: "[erased]", stolen: "[sealed]", damaged: "[sealed]", without: "Cid"} {
		if got := user(t, w.now(mine), id); got.DisplayName != want || got.Email != nil {
			t.Errorf("%s, want %s", got.DisplayName, want)
		}
	}
	if got := list(t, w.now(mine), "users", readmodels.Params{}).Items; len(got) != 4 {
		t.Errorf("%d users", len(got))
	}
}

func TestAHistoryOpensWhatIsItsOwn(t *testing.T) {
	w := newWorld(t)
	mine, ann, department := uuid.New(), uuid.New(), uuid.New()
	tags := []string{"user:" + ann.String(), "department:" + department.String()}
	w.happen(mine, "user.registered", fmt.Sprintf(`{"user":%q,"email":%q,"reason":"said \"sealed:1:x\" \"sealed:1:y"}`, ann, w.seal(mine, ann, "email", "ann@acme.test")), tags...)
	w.happen(mine, "identity.linked", fmt.Sprintf(`{"subject":%q}`, w.seal(mine, ann, "subject", "ann-7")), tags[0])
	w.happen(mine, "token.issued", `{"name":"a \"hash\":\"b\"","hash":"c2VjcmV0"}`, tags[0], "token:"+ann.String())
	w.happen(mine, "group.created", `{"hash":"ours"}`, "group:"+ann.String())
	history := func(collection string, id uuid.UUID) string {
		page, err := w.now(mine).History(t.Context(), of(t, collection), id.String(), readmodels.Params{})
		if err != nil {
			t.Fatal(err)
		}
		var payloads []string
		for _, e := range page.Items {
			if !json.Valid(e.(*readmodels.Event).Payload) {
				t.Errorf("no JSON: %s", e.(*readmodels.Event).Payload)
			}
			payloads = append(payloads, string(e.(*readmodels.Event).Payload))
		}
		return strings.Join(payloads, "\n")
	}
	check := func(what, text string, shown, hidden []string) {
		for _, s := range shown {
			if !strings.Contains(text, s) {
				t.Errorf("%s hides %s: %s", what, s, text)
			}
		}
		for _, s := range append(hidden, "c2VjcmV0", "sealed:1:"+ann.String()) {
			if strings.Contains(text, s) {
				t.Errorf("%s shows %s: %s", what, s, text)
			}
		}
	}
	check("a user's", history("users", ann), []string{`"email":"ann@acme.test"`, `"subject":"[sealed]"`, `"hash":"[hash]"`}, []string{"ann-7"})
	check("a department's", history("departments", department), []string{`"email":"[sealed]"`}, []string{"ann@"})
	check("a token's", history("tokens", ann), []string{`a \"hash\":\"b\"`}, nil)
	check("a group's", history("groups", ann), []string{"ours"}, nil)
	var all []string
	for _, e := range list(t, w.now(mine), "events", readmodels.Params{}).Items {
		all = append(all, string(e.(*readmodels.Event).Payload))
	}
	check("the log", strings.Join(all, "\n"), []string{`"email":"[sealed]"`}, []string{"ann@", "ann-7"})
}

func TestAHistoryIsOfTheTagAndNotOfItsHash(t *testing.T) {
	w := newWorld(t)
	mine, group := uuid.New(), uuid.New()
	w.happen(mine, "group.created", "{}", "group:"+group.String())
	w.exec("chancery_append", "INSERT INTO events SELECT 2, gen_random_uuid(), tenant_id, 2, source_app_id, type, payload, metadata, '{other}', request_id, occurred_at, created_at FROM events")
	w.exec("chancery_append", "INSERT INTO event_tags SELECT tag_hash, type_hash, 2 FROM event_tags")
	page, err := w.now(mine).History(t.Context(), of(t, "groups"), group.String(), readmodels.Params{})
	if err != nil || len(page.Items) != 1 {
		t.Errorf("%d events: %v", len(page.Items), err)
	}
	refs, err := w.reader.EventsAt(t.Context(), mine, []int64{2, 1, 99})
	if err != nil || len(refs) != 2 || refs[0].Position != 1 || refs[0].Type != "group.created" {
		t.Errorf("%v %v", refs, err)
	}
	if refs, err = w.reader.EventsAt(t.Context(), uuid.New(), []int64{1}); err != nil || len(refs) != 0 {
		t.Errorf("another tenant sees %v %v", refs, err)
	}
}

func TestFromWhereSomebodyActedIsToldInTheirOwnTenant(t *testing.T) {
	w := newWorld(t)
	mine, ann, gone, staff := uuid.New(), uuid.New(), uuid.New(), uuid.New()
	ip := map[uuid.UUID]string{ann: w.seal(mine, ann, "ip", "192.0.2.7"), gone: w.seal(mine, gone, "ip", "192.0.2.8"), staff: w.seal(domain.Root.UUID, staff, "ip", "192.0.2.9")}
	agent := map[uuid.UUID]string{ann: w.seal(mine, ann, "user_agent", "curl"), staff: w.seal(domain.Root.UUID, staff, "user_agent", "curl")}
	delete(w.keys, gone)
	w.vault.Drop(mine, gone)
	for who, home := range map[uuid.UUID]uuid.UUID{ann: mine, gone: mine, staff: domain.Root.UUID} {
		metadata := fmt.Sprintf(`{"actor":%q,"actor_tenant":%q,"correlation":"sealed: no","ip":%q`, who, home, ip[who])
		r := row{"actor_user_id": who, "action": "x", "object_ref": "x", "metadata": fmt.Sprintf(`{"actor_tenant":%q}`, home), "is_delegated": false, "is_impersonated": false, "occurred_at": w.at, "ip": ip[who]}
		if agent[who] != "" {
			metadata += fmt.Sprintf(`,"user_agent":%q`, agent[who])
			r["user_agent"] = agent[who]
		}
		r["id"] = w.happenBy(mine, metadata+"}", "group.created", "{}", "group:"+ann.String())
		r["position"] = w.head
		w.put("audit_log", mine, r)
	}
	w.put("audit_log", mine, row{"id": uuid.New(), "position": 99, "action": "x", "object_ref": "x", "metadata": "{}", "is_delegated": false, "is_impersonated": false, "occurred_at": w.at})
	want := map[string][2]any{ann.String(): {"192.0.2.7", "curl"}, gone.String(): {"[erased]", nil}, staff.String(): {nil, nil}, "<nil>": {nil, nil}}
	rows := objects(t, list(t, w.now(mine), "audit", readmodels.Params{}).Items)
	if len(rows) != len(want) {
		t.Fatalf("%v", rows)
	}
	for _, o := range rows {
		if got := [2]any{o["ip"], o["user_agent"]}; got != want[fmt.Sprint(o["actor_user_id"])] {
			t.Errorf("audit of %v: %v", o["actor_user_id"], got)
		}
	}
	history, err := w.now(mine).History(t.Context(), of(t, "groups"), ann.String(), readmodels.Params{})
	if err != nil || len(history.Items) != 3 {
		t.Fatal(history, err)
	}
	for _, o := range append(objects(t, list(t, w.now(mine), "events", readmodels.Params{}).Items), objects(t, history.Items)...) {
		m := o["metadata"].(map[string]any)
		if got := [2]any{m["ip"], m["user_agent"]}; got != want[m["actor"].(string)] || m["correlation"] != "sealed: no" {
			t.Errorf("event by %v: %v", m["actor"], m)
		}
	}
}

func TestSecretsAreShownToNobody(t *testing.T) {
	w := newWorld(t)
	mine, ann := uuid.New(), uuid.New()
	sealer := w.vault.Sealer()
	secret, err := sealer.SealAs(t.Context(), vault.SecretData, mine, ann, "hash", "canary")
	if err != nil {
		t.Fatal(err)
	}
	for _, k := range sealer.NewKeys() {
		w.keys[k.Subject] = k.Wrapped
	}
	w.happen(mine, "user.updated", fmt.Sprintf(`{"hash":%q}`, secret), "user:"+ann.String())
	history, err := w.now(mine).History(t.Context(), of(t, "users"), ann.String(), readmodels.Params{})
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range append(history.Items, list(t, w.now(mine), "events", readmodels.Params{}).Items...) {
		if got := string(e.(*readmodels.Event).Payload); got != `{"hash":"[sealed]"}` {
			t.Errorf("shown: %s", got)
		}
	}
}
