package app

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"chancery/internal/ledger"
	"chancery/internal/vault/transittest"
)

// settings are those under which commands run beside the app.
func (a *App) settings() Settings {
	return Settings{DatabaseURL: a.config.DatabaseURL, Data: a.config.Data, KeysFile: a.config.Keys.File}
}

func rotateKeys(t *testing.T, s Settings, r Rotation) {
	t.Helper()
	if err := KeysRotate(s, r, io.Discard, io.Discard); err != nil {
		t.Fatal(err)
	}
}

func rewrapKeys(t *testing.T, s Settings) string {
	t.Helper()
	var out bytes.Buffer
	if err := KeysRewrap(t.Context(), s, 7, &out, io.Discard); err != nil {
		t.Fatal(err)
	}
	return out.String()
}

func pruneKeys(t *testing.T, s Settings) {
	t.Helper()
	if err := KeysPrune(t.Context(), s, io.Discard, io.Discard); err != nil {
		t.Fatal(err)
	}
}

// mails are the addresses of a tenant's users that the caller is shown, by id.
func (c caller) mails(t *testing.T, tenant string) map[string]string {
	t.Helper()
	r := c.do(http.MethodGet, "/v1/tenants/"+tenant+"/users?limit=1000", "")
	return mailsOf(t, r.status, []byte(r.body))
}

func mailsOf(t *testing.T, status int, body []byte) map[string]string {
	t.Helper()
	var page struct {
		Items []struct {
			ID    string `json:"id"`
			Email string `json:"email"`
		} `json:"items"`
	}
	if err := json.Unmarshal(body, &page); err != nil || status != http.StatusOK {
		t.Fatalf("users: %d %s", status, body)
	}
	all := map[string]string{}
	for _, i := range page.Items {
		all[i.ID] = i.Email
	}
	return all
}

// register makes a user of acme and returns id and address.
func (c caller) register(t *testing.T, name string) (id, mail string) {
	t.Helper()
	mail = name + "@acme.test"
	return c.must(t, "acme", "register-user", fmt.Sprintf(`{"display_name":%q,"email":%q}`, name, mail)), mail
}

func TestKeysAreRotatedWrappedAnewAndPrunedWhileServersServe(t *testing.T) {
	a, b, one, two := twoApps(t)
	one.must(t, "root", "create-tenant", `{"name":"Acme","slug":"acme"}`)
	want := map[string]string{}
	for i := range 20 {
		id, mail := []caller{one, two}[i%2].register(t, fmt.Sprint("u", i))
		want[id] = mail
	}
	first := a.vault.PrimaryKEK()
	rotateKeys(t, a.settings(), Rotation{})
	err := KeysPrune(t.Context(), a.settings(), io.Discard, io.Discard)
	if err == nil || !regexp.MustCompile(fmt.Sprintf(`still: 2\d under %d; `, first)).MatchString(err.Error()) {
		t.Fatalf("a prune before everything was wrapped anew: %v", err)
	}
	if out := rewrapKeys(t, a.settings()); !regexp.MustCompile(`^wrapped 2\d data keys under \d+ in .*; 0 erased, 0 left\n$`).MatchString(out) {
		t.Error(out)
	}
	if out := rewrapKeys(t, a.settings()); !strings.HasPrefix(out, "wrapped 0 ") {
		t.Errorf("a second time: %s", out)
	}
	pruneKeys(t, a.settings())
	for _, at := range []caller{one, two} { // at once: neither has looked at the key file since
		id, mail := at.register(t, fmt.Sprint("late", len(want)))
		want[id] = mail
	}
	for _, app := range []*App{a, b} {
		app.settled(t)
		if keks := app.vault.KEKs(); len(keks) != 1 || keks[0].ID == first {
			t.Errorf("an app holds %+v", keks)
		}
	}
	c := openWith(t, Config{DatabaseURL: a.config.DatabaseURL, Data: a.config.Data}) // with an empty cache
	for _, at := range []caller{one, two, {c.handlerForTest(t), one.token}} {
		if diff := cmp.Diff(want, at.mails(t, "acme")); diff != "" {
			t.Error(diff)
		}
	}
	var shown bytes.Buffer
	if err := KeysShow(t.Context(), a.settings(), &shown); err != nil {
		t.Fatal(err)
	}
	if !regexp.MustCompile(fmt.Sprintf(`kek +%d +primary +20\S+Z +2\d\n`, a.vault.PrimaryKEK())).Match(shown.Bytes()) {
		t.Error(shown.String())
	}
	if text, _ := os.ReadFile(filepath.Join(a.config.Data, "keys.json")); holdsKey(text, shown.String()) {
		t.Error("keys are shown")
	}
}

// holdsKey finds a key of the document in a text.
func holdsKey(document []byte, text string) bool {
	for _, key := range regexp.MustCompile(`"value": ?"([^"]+)"`).FindAllSubmatch(document, -1) {
		if strings.Contains(text, string(key[1])) {
			return true
		}
	}
	return false
}

func TestAServerWithAnOldCopyOfTheKeysStoresNothingThatNobodyOpens(t *testing.T) {
	a, one := platform(t)
	one.must(t, "root", "create-tenant", `{"name":"Acme","slug":"acme"}`)
	copied := filepath.Join(t.TempDir(), "keys.json")
	replaceFile(t, filepath.Join(a.config.Data, "keys.json"), copied)
	elsewhere := Config{DatabaseURL: a.config.DatabaseURL, Data: t.TempDir(), Keys: KeySettings{File: copied}}
	b := openWith(t, elsewhere)
	two := caller{b.handlerForTest(t), one.token}
	two.register(t, "early")

	rotateKeys(t, a.settings(), Rotation{})
	_, mail := one.register(t, "ann")
	rewrapKeys(t, a.settings())
	pruneKeys(t, a.settings())
	if r := two.command("acme", "register-user", `{"display_name":"Ben","email":"ben@acme.test"}`); r.status < 500 {
		t.Errorf("a data key under a pruned key: %d %s", r.status, r.body)
	}
	if r := two.command("acme", "create-group", `{"name":"g"}`); r.status != http.StatusOK {
		t.Errorf("what needs no key: %d %s", r.status, r.body)
	}
	late := elsewhere
	late.AllowUnsafe, late.Migrate = true, true
	if _, err := Open(t.Context(), late); !errors.Is(err, ledger.ErrOldKeys) {
		t.Errorf("a start with the old keys: %v", err)
	}
	replaceFile(t, filepath.Join(a.config.Data, "keys.json"), copied)
	two.register(t, "ben")
	b.settled(t)
	if mails := two.mails(t, "acme"); len(mails) != 3 || !slices.Contains(slices.Collect(maps.Values(mails)), mail) {
		t.Errorf("%v", mails)
	}
}

// replaceFile puts a copy in place, as an operator should: whole.
func replaceFile(t *testing.T, from, to string) {
	t.Helper()
	text, err := os.ReadFile(from)
	if err == nil {
		err = os.WriteFile(to+".new", text, 0o600)
	}
	if err == nil {
		err = os.Rename(to+".new", to)
	}
	if err != nil {
		t.Fatal(err)
	}
}

func TestAnErasedSubjectsKeyIsNotWrappedAnew(t *testing.T) {
	a, one := platform(t)
	one.must(t, "root", "create-tenant", `{"name":"Acme","slug":"acme"}`)
	id, _ := one.register(t, "ann")
	a.column(t, `UPDATE core.subject_keys SET wrapped = '' WHERE subject_id = $1 RETURNING ''`, id)
	rotateKeys(t, a.settings(), Rotation{})
	if out := rewrapKeys(t, a.settings()); !strings.Contains(out, "; 1 erased, 0 left") {
		t.Error(out)
	}
	pruneKeys(t, a.settings())
	if left := a.column(t, `SELECT length(wrapped)::text FROM core.subject_keys WHERE subject_id = $1`, id); len(left) != 1 || left[0] != "0" {
		t.Errorf("%v", left)
	}
}

func TestADataKeyThatDoesNotUnwrapIsNamedAndTheOthersGoOn(t *testing.T) {
	a, one := platform(t)
	one.must(t, "root", "create-tenant", `{"name":"Acme","slug":"acme"}`)
	lost, _ := one.register(t, "ann")
	one.register(t, "ben")
	a.column(t, `UPDATE core.subject_keys SET wrapped = set_byte(wrapped, 20, get_byte(wrapped, 20) # 1) WHERE subject_id = $1 RETURNING ''`, lost)
	rotateKeys(t, a.settings(), Rotation{})
	var out bytes.Buffer
	err := KeysRewrap(t.Context(), a.settings(), 500, &out, io.Discard)
	if !errors.Is(err, ErrNotRewrapped) || !strings.Contains(err.Error(), lost) || !strings.Contains(out.String(), "; 0 erased, 1 left") {
		t.Errorf("%v: %s", err, out.String())
	}
	if err := KeysRewrap(t.Context(), a.settings(), 0, io.Discard, io.Discard); err == nil {
		t.Error("batches of nothing: all is said to be wrapped anew")
	}
	if err := KeysPrune(t.Context(), a.settings(), io.Discard, io.Discard); err == nil || !strings.Contains(err.Error(), "1 under") {
		t.Errorf("prune: %v", err)
	}
}

func TestKeysInTheEnvironmentUnderAKMSServeAndRotate(t *testing.T) {
	server := transittest.New(t)
	server.Do(t, "POST", "transit/keys/chancery", nil)
	t.Setenv("CHANCERY_KMS_TOKEN", transittest.Root)
	s := Settings{KMS: server.Key("chancery"), Data: t.TempDir()}
	var document bytes.Buffer
	if err := KeysNew(s, &document); err != nil {
		t.Fatal(err)
	}
	t.Setenv("CHANCERY_KEYS", document.String())
	a, one := platformWith(t, Config{Keys: s.keys()})
	s.DatabaseURL = a.config.DatabaseURL
	one.must(t, "root", "create-tenant", `{"name":"Acme","slug":"acme"}`)
	id, mail := one.register(t, "ann")

	edit := func(r Rotation) {
		t.Helper()
		var out, notes bytes.Buffer
		if err := KeysRotate(s, r, &out, &notes); err != nil || !strings.Contains(notes.String(), "CHANCERY_KEYS") {
			t.Fatal(err, notes.String())
		}
		if strings.Contains(out.String(), "keyData") || strings.Contains(notes.String(), "encryptedKeyset") {
			t.Error("the keyring is not sealed, or printed where it should not be")
		}
		t.Setenv("CHANCERY_KEYS", out.String())
	}
	edit(Rotation{Announce: true})
	b := openWith(t, Config{DatabaseURL: a.config.DatabaseURL, Data: a.config.Data, Keys: s.keys()}) // the first to be restarted
	edit(Rotation{Promote: true})
	c := openWith(t, Config{DatabaseURL: a.config.DatabaseURL, Data: a.config.Data, Keys: s.keys()})
	third := caller{c.handlerForTest(t), one.token}
	late, lateMail := third.register(t, "ben")
	rewrapKeys(t, s)
	b.settled(t)
	if diff := cmp.Diff(map[string]string{id: mail, late: lateMail}, caller{b.handlerForTest(t), one.token}.mails(t, "acme")); diff != "" {
		t.Error(diff)
	}
	if _, err := os.Stat(filepath.Join(a.config.Data, "keys.json")); err == nil {
		t.Error("a key file was made")
	}
}

func TestAKeyFileIsSealedAndUnsealedByCommand(t *testing.T) {
	server := transittest.New(t)
	server.Do(t, "POST", "transit/keys/chancery", nil)
	server.Do(t, "POST", "transit/keys/next", nil)
	t.Setenv("CHANCERY_KMS_TOKEN", transittest.Root)
	plain := Settings{Data: t.TempDir()}
	file := filepath.Join(plain.Data, "keys.json")
	primary := primaryOf(t, file)
	sealed, next := plain, plain
	sealed.KMS, next.KMS = server.Key("chancery"), server.Key("next")
	for _, step := range []struct {
		name string
		do   func() error
		want string // in the file, or in the error
	}{
		{"no KMS", func() error { return KeysSeal(plain, "", io.Discard, io.Discard) }, "CHANCERY_KMS names"},
		{"rotate unsealed", func() error { return KeysRotate(sealed, Rotation{}, io.Discard, io.Discard) }, "chancery keys seal"},
		{"seal", func() error { return KeysSeal(sealed, "", io.Discard, io.Discard) }, "transit/keys/chancery"},
		{"rotate without the KMS", func() error { return KeysRotate(plain, Rotation{}, io.Discard, io.Discard) }, "set CHANCERY_KMS"},
		{"move", func() error { return KeysSeal(next, sealed.KMS, io.Discard, io.Discard) }, "transit/keys/next"},
		{"unseal with the wrong key", func() error { return KeysUnseal(sealed, io.Discard, io.Discard) }, "authentication failed"},
		{"unseal", func() error { return KeysUnseal(next, io.Discard, io.Discard) }, `"keyData"`},
		{"upgrade", func() error { return KeysUpgrade(plain, io.Discard, io.Discard) }, `"keyData"`},
	} {
		err := step.do()
		text, _ := os.ReadFile(file)
		if found := string(text) + fmt.Sprint(err); !strings.Contains(found, step.want) || strings.Contains(fmt.Sprint(err), "keyData") {
			t.Errorf("%s: %v", step.name, err)
		}
	}
	if primaryOf(t, file) != primary {
		t.Error("other keys")
	}
	t.Setenv("CHANCERY_KEYS", "{}")
	if _, err := (Config{Keys: Settings{KeysFile: file}.keys()}).keySource(); err == nil {
		t.Error("two keyrings at once")
	}
}
