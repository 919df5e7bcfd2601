package readmodels_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/google/uuid"

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
