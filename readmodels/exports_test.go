package readmodels_test

import (
	"archive/zip"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"chancery/domain"
	"chancery/readmodels"
)

// exported are the files of an archive, in order and by name.
func exported(t *testing.T, v readmodels.View, user uuid.UUID, position int64) (names []string, files map[string]string) {
	t.Helper()
	var out bytes.Buffer
	if err := v.Export(t.Context(), domain.UserID{UUID: user}, position, someTime, &out); err != nil {
		t.Fatal(err)
	}
	archive, err := zip.NewReader(bytes.NewReader(out.Bytes()), int64(out.Len()))
	if err != nil {
		t.Fatal(err)
	}
	files = map[string]string{}
	for _, f := range archive.File {
		r, err := f.Open()
		if err != nil {
			t.Fatal(err)
		}
		text, err := io.ReadAll(r)
		if err != nil {
			t.Fatal(err)
		}
		names, files[f.Name] = append(names, f.Name), string(text)
	}
	return names, files
}

var someTime = time.Date(2026, 3, 4, 5, 6, 7, 0, time.UTC)

func TestAnExportHoldsEverythingAboutOnePersonAndNothingOfOthers(t *testing.T) {
	w := newWorld(t)
	mine, ann, bob := uuid.New(), uuid.New(), uuid.New()
	for u, name := range map[uuid.UUID]string{ann: "Ann", bob: "Bob"} {
		w.put("users", mine, row{"id": u, "display_name": w.seal(mine, u, "display_name", name), "phone": w.seal(mine, u, "phone", "+49"+name), "status": "active"})
		w.put("user_identities", mine, row{"id": uuid.New(), "user_id": u, "issuer": "https://i.test", "subject": w.seal(mine, u, "subject", name+"-7"), "subject_key": "identity:" + name, "status": "linked"})
		w.put("api_tokens", mine, row{"id": uuid.New(), "user_id": u, "name": name + "'s token", "prefix": "chn", "token_hash": []byte("secret"), "scopes": []string{"*"}, "status": "active", "expires_at": w.at})
	}
	act := func(actor, object uuid.UUID, typ, payload string, tags ...string) {
		metadata := fmt.Sprintf(`{"actor":%q,"actor_tenant":%q,"ip":%q}`, actor, mine, w.seal(mine, actor, "ip", "ip of "+actor.String()))
		id := w.happenBy(mine, metadata, typ, payload, tags...)
		w.put("audit_log", mine, row{
			"position": w.head, "id": id, "actor_user_id": actor, "effective_user_id": actor, "action": typ, "object_ref": "user:" + object.String(),
			"metadata": fmt.Sprintf(`{"actor_tenant":%q}`, mine), "is_delegated": false, "is_impersonated": false, "occurred_at": w.at, "ip": w.seal(mine, actor, "ip", "ip of "+actor.String()),
		})
	}
	registered := func(u uuid.UUID, name string) string {
		return fmt.Sprintf(`{"user":%q,"display_name":%q}`, u, w.seal(mine, u, "display_name", name))
	}
	act(bob, ann, "user.registered", registered(ann, "Ann"), "user:"+ann.String())
	act(ann, bob, "user.registered", registered(bob, "Bob"), "user:"+bob.String())
	act(ann, ann, "token.issued", `{"hash":"c2VjcmV0"}`, "user:"+ann.String())
	act(bob, ann, "identity.linked", fmt.Sprintf(`{"subject":%q,"other":%q}`, w.seal(mine, ann, "subject", "Ann-7"), w.seal(mine, bob, "other", "Bob-7")), "user:"+ann.String())
	act(bob, bob, "user.updated", registered(bob, "Bob"), "user:"+bob.String())
	w.exec("chancery_project", `INSERT INTO audit_log (tenant_id, position, id, actor_user_id, effective_user_id, action, object_ref, metadata, is_delegated, is_impersonated, occurred_at, created_at)
		VALUES ($1, 6, gen_random_uuid(), $2, $3, 'acted.for', 'x', '{}', true, false, now(), now()), ($1, 70, gen_random_uuid(), $3, $3, 'later', 'x', '{}', false, false, now(), now())`, mine, bob, ann)
	w.offset("core", 9)
	names, files := exported(t, w.now(mine), ann, 60)

	if names[0] != "README.txt" || names[1] != "user.json" || names[len(names)-1] != "manifest.json" {
		t.Errorf("%v", names)
	}
	for name, text := range files {
		for _, other := range []string{"Bob", "ip of " + bob.String(), "c2VjcmV0", "sealed:"} {
			if strings.Contains(text, other) {
				t.Errorf("%s has %s: %s", name, other, text)
			}
		}
		if !strings.Contains(files["README.txt"], name) {
			t.Errorf("the text about the files does not name %s", name)
		}
	}
	for name, want := range map[string][]string{
		"user.json": {`"display_name": "Ann"`, `"phone": "+49Ann"`}, "identities.json": {`"subject":"Ann-7"`}, "tokens.json": {`"name":"Ann's token"`},
		"audit.ndjson":  {`"action":"acted.for"`, `"action":"token.issued"`, `"action":"identity.linked"`, "ip of " + ann.String()},
		"events.ndjson": {`"display_name":"Ann"`, `"hash":"[hash]"`, `"subject":"Ann-7"`, `"other":"[sealed]"`, "ip of " + ann.String()},
	} {
		for _, text := range want {
			if !strings.Contains(files[name], text) {
				t.Errorf("%s lacks %s: %s", name, text, files[name])
			}
		}
	}
	if n := strings.Count(files["events.ndjson"], "\n"); n != 3 {
		t.Errorf("%d events: %s", n, files["events.ndjson"])
	}
	if n := strings.Count(files["audit.ndjson"], "\n"); n != 5 || strings.Contains(files["audit.ndjson"], "later") {
		t.Errorf("%d entries: %s", n, files["audit.ndjson"])
	}
	listed(t, names, files)
}

// listed checks the manifest, and that every list is JSON.
func listed(t *testing.T, names []string, files map[string]string) {
	t.Helper()
	var m struct {
		Position string `json:"position"`
		MadeAt   string `json:"made_at"`
		Files    []struct {
			Name     string `json:"name"`
			SHA256   string `json:"sha256"`
			Position string `json:"position"`
			Bytes    int    `json:"bytes"`
		} `json:"files"`
	}
	if err := json.Unmarshal([]byte(files["manifest.json"]), &m); err != nil || m.Position != "60" || m.MadeAt != "2026-03-04T05:06:07Z" || len(m.Files) != len(names)-1 {
		t.Fatalf("%v: %s", err, files["manifest.json"])
	}
	for i, f := range m.Files {
		sum := sha256.Sum256([]byte(files[f.Name]))
		if f.Name != names[i] || f.SHA256 != hex.EncodeToString(sum[:]) || f.Bytes != len(files[f.Name]) || f.Position == "" {
			t.Errorf("%+v", f)
		}
		if strings.HasSuffix(f.Name, ".json") && !json.Valid([]byte(files[f.Name])) {
			t.Errorf("%s is no JSON: %s", f.Name, files[f.Name])
		}
	}
	for _, c := range readmodels.Collections {
		for _, f := range c.Filters {
			if _, there := files[c.Name+".json"]; f.Name == "user_id" && !there {
				t.Errorf("%s of the user are not exported", c.Name)
			}
		}
	}
}

func TestAnExportOfManyPagesIsWhole(t *testing.T) {
	w := newWorld(t)
	mine, ann := uuid.New(), uuid.New()
	w.put("users", mine, row{"id": ann, "display_name": w.seal(mine, ann, "display_name", "Ann"), "status": "active"})
	w.exec("chancery_project", `INSERT INTO audit_log (tenant_id, position, id, actor_user_id, effective_user_id, action, object_ref, metadata, is_delegated, is_impersonated, occurred_at, created_at)
		SELECT $1, n, gen_random_uuid(), CASE WHEN n % 2 = 0 THEN $2::uuid END, CASE WHEN n % 3 = 0 THEN $2::uuid END, 'a', 'user:' || CASE WHEN n % 5 = 0 THEN $2 ELSE $1 END, '{}', false, false, now(), now()
		FROM generate_series(1, 3000) n`, mine, ann)
	w.exec("chancery_project", `INSERT INTO assignments (tenant_id, id, role_id, user_id, scope, reason, status, created_at, version)
		SELECT $1, gen_random_uuid(), gen_random_uuid(), $2, '', '', 'active', now(), n FROM generate_series(1, 1001) n`, mine, ann)
	_, files := exported(t, w.now(mine), ann, 2990)
	want := 0
	for n := 1; n <= 2990; n++ {
		if n%2 == 0 || n%3 == 0 || n%5 == 0 {
			want++
		}
	}
	if got := strings.Count(files["audit.ndjson"], "\n"); got != want {
		t.Errorf("%d entries, want %d", got, want)
	}
	var assignments []any
	if err := json.Unmarshal([]byte(files["assignments.json"]), &assignments); err != nil || len(assignments) != 1001 {
		t.Errorf("%d assignments: %v", len(assignments), err)
	}
}

func TestNobodyElsesUserIsExported(t *testing.T) {
	w := newWorld(t)
	mine, theirs, ann := uuid.New(), uuid.New(), uuid.New()
	w.put("users", theirs, row{"id": ann, "display_name": w.seal(theirs, ann, "display_name", "Ann"), "status": "active"})
	for _, u := range []uuid.UUID{ann, uuid.New()} {
		var out bytes.Buffer
		if err := w.now(mine).Export(t.Context(), domain.UserID{UUID: u}, 1, someTime, &out); !errors.Is(err, readmodels.ErrNotFound) || out.Len() > 0 {
			t.Errorf("%v, %d bytes", err, out.Len())
		}
	}
}

func TestAnErasedPersonIsExportedAsErased(t *testing.T) {
	w := newWorld(t)
	mine, ann := uuid.New(), uuid.New()
	w.put("users", mine, row{"id": ann, "display_name": w.seal(mine, ann, "display_name", "Ann"), "status": "active"})
	w.happen(mine, "user.registered", fmt.Sprintf(`{"display_name":%q}`, w.seal(mine, ann, "display_name", "Ann")), "user:"+ann.String())
	delete(w.keys, ann)
	w.vault.Drop(mine, ann)
	_, files := exported(t, w.now(mine), ann, 1)
	for _, name := range []string{"user.json", "events.ndjson"} {
		if !strings.Contains(files[name], "[erased]") || strings.Contains(files[name], "Ann") {
			t.Errorf("%s: %s", name, files[name])
		}
	}
}
