package app

import (
	"archive/zip"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"chancery/commands"
	"chancery/internal/erasures"
	"chancery/internal/ledger"
	"chancery/internal/vault"
)

const thousand = 1000

// erasureWorld is a tenant of a thousand users on a private, durable database.
type erasureWorld struct {
	*App
	caller
	config Config
	tenant string
	ann    string // the one to be erased
}

// secretsOfAnn are what nobody may find any more.
var secretsOfAnn = []string{"Anneliese Kanari", "anneliese@kanari.test", "kanari-subject"}

func (w *erasureWorld) open(t *testing.T) {
	t.Helper()
	a, err := Open(t.Context(), w.config)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(a.Close)
	if err := a.Install(t.Context()); err != nil {
		t.Fatal(err)
	}
	w.App, w.caller = a, caller{a.handlerForTest(t), w.token}
}

// populate makes the thousand, all in requests of many lines.
func (w *erasureWorld) populate(t *testing.T) {
	t.Helper()
	w.tenant = w.must(t, "root", "create-tenant", `{"name":"Acme","slug":"acme"}`)
	var lines strings.Builder
	for i := range thousand - 1 {
		fmt.Fprintf(&lines, `{"command":"register-user","body":{"display_name":"Person %d","email":"p%d@acme.test"}}`+"\n", i, i)
	}
	r := w.do(http.MethodPost, "/v1/tenants/acme/commands", lines.String(), "Content-Type", "application/x-ndjson")
	if r.status != http.StatusOK || strings.Contains(r.body, `"code"`) {
		t.Fatalf("%d %.300s", r.status, r.body)
	}
	w.ann = w.must(t, "acme", "register-user", fmt.Sprintf(`{"display_name":%q,"email":%q}`, secretsOfAnn[0], secretsOfAnn[1]))
	w.must(t, "acme", "link-identity", fmt.Sprintf(`{"user_id":%q,"issuer":"github","subject":%q}`, w.ann, secretsOfAnn[2]))
}

// everybody is what the API shows of each user, by id; query is more of the address.
func (w *erasureWorld) everybody(t *testing.T, query string) map[string]string {
	t.Helper()
	w.settled(t)
	all := map[string]string{}
	for cursor := ""; ; {
		r := w.do(http.MethodGet, "/v1/tenants/acme/users?limit=500"+query+cursor, "")
		var page struct {
			Items []json.RawMessage `json:"items"`
			Next  string            `json:"next"`
		}
		if err := json.Unmarshal([]byte(r.body), &page); err != nil || r.status != http.StatusOK {
			t.Fatalf("%d %.300s %v", r.status, r.body, err)
		}
		for _, item := range page.Items {
			var of struct {
				ID string `json:"id"`
			}
			if err := json.Unmarshal(item, &of); err != nil {
				t.Fatal(err)
			}
			all[of.ID] = string(item)
		}
		if page.Next == "" {
			return all
		}
		cursor = "&cursor=" + page.Next
	}
}

// stored are the bytes of the log, hashed, by position.
func (w *erasureWorld) stored(t *testing.T) []string {
	t.Helper()
	return w.column(t, `SELECT position || ' ' || id || ' ' || encode(sha256(convert_to(payload::text || metadata::text || tags::text, 'UTF8')), 'hex')
		FROM core.events ORDER BY position`)
}

// forgotten requires that nothing shows who ann was, and everybody else as before.
func (w *erasureWorld) forgotten(t *testing.T, what string, query string, before map[string]string) {
	t.Helper()
	now := w.everybody(t, query)
	var shown strings.Builder
	shown.WriteString(now[w.ann])
	for _, users := range []map[string]string{before, now} {
		if len(users) < thousand {
			t.Errorf("%s: %d users", what, len(users))
		}
	}
	if !strings.Contains(now[w.ann], `"display_name":"[erased]"`) {
		t.Errorf("%s: ann is shown as %s", what, now[w.ann])
	}
	for id, item := range before {
		if id != w.ann && now[id] != item {
			t.Errorf("%s: of another one there was %s and is %s", what, item, now[id])
		}
	}
	addresses := []string{"users/" + w.ann + "/history?limit=1000", "identities?limit=1000" + query, "audit?limit=1000" + query, "events?limit=1000&order=desc" + query, "erasures?limit=1000" + query}
	for _, address := range addresses {
		r := w.do(http.MethodGet, "/v1/tenants/acme/"+address, "")
		if r.status != http.StatusOK {
			t.Errorf("%s: %s: %d %s", what, address, r.status, r.body)
		}
		shown.WriteString(r.body)
	}
	shown.WriteString(w.exported(t))
	for _, secret := range secretsOfAnn {
		if strings.Contains(shown.String(), secret) {
			t.Errorf("%s: %s is still found", what, secret)
		}
	}
	if query == "" && !strings.Contains(now[w.ann], `"status":"erased"`) {
		t.Errorf("%s: ann is %s", what, now[w.ann])
	}
	for _, wrapped := range w.column(t, `SELECT length(wrapped)::text FROM core.subject_keys WHERE subject_id = $1`, w.ann) {
		if wrapped != "0" {
			t.Errorf("%s: a key of %s bytes is there", what, wrapped)
		}
	}
}

// exported is all that an export of ann says.
func (w *erasureWorld) exported(t *testing.T) string {
	t.Helper()
	r := w.do(http.MethodPost, "/v1/tenants/acme/users/"+w.ann+"/export", "")
	if r.status != http.StatusOK {
		t.Fatalf("export: %d %s", r.status, r.body)
	}
	archive, err := zip.NewReader(strings.NewReader(r.body), int64(len(r.body)))
	if err != nil {
		t.Fatal(err)
	}
	var all strings.Builder
	for _, f := range archive.File {
		in, err := f.Open()
		if err != nil {
			t.Fatal(err)
		}
		_, err = io.Copy(&all, in)
		if err = errors.Join(err, in.Close()); err != nil {
			t.Fatal(err)
		}
	}
	if !strings.Contains(all.String(), "[erased]") {
		t.Errorf("the export does not say that ann is erased: %s", all.String())
	}
	return all.String()
}

func (w *erasureWorld) ledgerLines(t *testing.T) []erasures.Line {
	t.Helper()
	l := erasures.New(filepath.Join(w.config.Data, erasedFile))
	if err := l.Flush(); err != nil {
		t.Fatal(err)
	}
	return l.Lines()
}

// The whole way: a thousand users, a backup of all files, an erasure, and then everything that could bring the erased one back.
func TestOneErasedOfAThousandStaysErasedEvenInARestoredBackup(t *testing.T) {
	if testing.Short() {
		t.Skip("starts durable servers")
	}
	needPrograms(t, "cp")
	w := &erasureWorld{config: Config{Data: t.TempDir(), Migrate: true}}
	w.open(t)
	w.token = w.bootstrapForTest(t)
	w.populate(t)
	before, bytesBefore, head := w.everybody(t, ""), w.stored(t), w.headForTest(t)
	if !strings.Contains(before[w.ann], secretsOfAnn[0]) || !strings.Contains(before[w.ann], secretsOfAnn[1]) {
		t.Fatalf("ann is shown as %s", before[w.ann])
	}
	key := w.keyBytes(t)

	w.Close()
	cluster, backup := filepath.Join(w.config.Data, "postgres"), filepath.Join(t.TempDir(), "backup")
	copyAll(t, cluster, backup)
	w.open(t)
	w.everybody(t, "") // all keys are in memory
	w.must(t, "acme", "erase-user", fmt.Sprintf(`{"user_id":%q,"reason":"asked for"}`, w.ann))
	w.forgotten(t, "at once", "", before)
	past := "&as_of=" + strconv.FormatInt(head, 10)
	w.forgotten(t, "as of before", past, before)
	if diff := cmp.Diff(bytesBefore, w.stored(t)[:len(bytesBefore)]); diff != "" {
		t.Errorf("the log changed: %s", diff)
	}
	r, err := w.Replay()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := r.Rebuild(t.Context()); err != nil {
		t.Fatal(err)
	}
	w.forgotten(t, "rebuilt", "", before)
	if v, err := r.Verify(t.Context(), 10); err != nil || v.Total != 0 {
		t.Errorf("%v %v", v.Differences, err)
	}
	if lines := w.ledgerLines(t); len(lines) != 1 || lines[0].Subject.String() != w.ann || lines[0].Tenant.String() != w.tenant {
		t.Errorf("the erasure ledger says %v", lines)
	}
	if err := w.ledger.VacuumKeys(t.Context()); err != nil {
		t.Fatal(err)
	}
	w.Close()
	if place := findBytes(t, filepath.Join(cluster, "data", "base"), key); place != "" {
		t.Errorf("the wrapped key still lies in %s", place)
	}
	if findBytes(t, filepath.Join(backup, "data", "base"), key) == "" {
		t.Error("the search does not find the key where it is")
	}

	if err := os.RemoveAll(cluster); err != nil {
		t.Fatal(err)
	}
	copyAll(t, backup, cluster)
	w.open(t)
	if got := w.headForTest(t); got <= head {
		t.Errorf("the restored log ends at %d; the erasure is not in it again", got)
	}
	w.forgotten(t, "restored", "", before)
	w.forgotten(t, "restored, as of before", past, before)
	if diff := cmp.Diff(bytesBefore, w.stored(t)[:len(bytesBefore)]); diff != "" {
		t.Errorf("the restored log differs: %s", diff)
	}
	causes := w.column(t, `SELECT metadata->>'causation' FROM core.events WHERE type = 'user.erased'`)
	lines := w.ledgerLines(t)
	if len(lines) != 2 || len(causes) != 1 || causes[0] != lines[0].Event.String() {
		t.Errorf("the restored log names %v as the cause; the erasure ledger says %v", causes, lines)
	}
	w.must(t, "acme", "register-user", fmt.Sprintf(`{"display_name":"Somebody else","email":%q}`, secretsOfAnn[1]))
	end := w.headForTest(t)
	w.Close()
	w.open(t)
	if got := w.headForTest(t); got != end || len(w.ledgerLines(t)) != 2 {
		t.Errorf("another start changed the log from %d to %d, the ledger to %v", end, got, w.ledgerLines(t))
	}
}

// keyBytes is ann's data key as the table has it.
func (w *erasureWorld) keyBytes(t *testing.T) []byte {
	t.Helper()
	var key []byte
	err := w.ledger.Pool(ledger.Owner).QueryRow(t.Context(), `SELECT wrapped FROM core.subject_keys WHERE subject_id = $1`, w.ann).Scan(&key)
	if err != nil || len(key) < 32 {
		t.Fatalf("%d bytes, %v", len(key), err)
	}
	return key[len(key)-32:]
}

func copyAll(t *testing.T, from, to string) {
	t.Helper()
	if out, err := exec.CommandContext(t.Context(), "cp", "-a", from, to).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
}

// findBytes is the first file below a folder that holds the bytes.
func findBytes(t *testing.T, folder string, want []byte) (found string) {
	t.Helper()
	err := filepath.WalkDir(folder, func(path string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() || found != "" {
			return err
		}
		text, err := os.ReadFile(path)
		if bytes.Contains(text, want) {
			found = path
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return found
}

func TestAnErasureIsApprovedBySomebodyElseOverHTTP(t *testing.T) {
	_, root := platform(t)
	root.must(t, "root", "create-tenant", `{"name":"Acme","slug":"acme"}`)
	ann, abe, cid := root.user(t, "acme", "ann", true), root.user(t, "acme", "abe", true), root.user(t, "acme", "cid", false)
	me := func(c caller) string { return c.do(http.MethodGet, "/v1/me", "").part("user_id") }
	ann.must(t, "acme", "set-policy", `{"key":"erasures.four-eyes","value":"true"}`)
	erase := fmt.Sprintf(`{"user_id":%q,"reason":"asked for"}`, me(abe))
	request := ann.must(t, "acme", "erase-user", erase)
	body := fmt.Sprintf(`{"id":%q}`, request)
	refused := func(c caller, command, body, code string) {
		t.Helper()
		if r := c.command("acme", command, body); r.code() != code {
			t.Errorf("%s %s: %d %s, want %s", command, body, r.status, r.body, code)
		}
	}
	refused(ann, "erase-user", erase, "erasure-open")
	refused(ann, "approve-erasure", body, "four-eyes")
	refused(abe, "approve-erasure", body, "not-oneself")
	refused(cid, "approve-erasure", body, "not-allowed")
	refused(cid, "erase-user", erase, "not-allowed")
	ann.must(t, "acme", "cancel-erasure", body)
	refused(root, "approve-erasure", body, "erasure-over")
	again := fmt.Sprintf(`{"id":%q}`, ann.must(t, "acme", "erase-user", erase))
	root.must(t, "acme", "approve-erasure", again)
	root.must(t, "acme", "approve-erasure", again) // a repetition is no mistake
	if r := abe.do(http.MethodGet, "/v1/me", ""); r.status != http.StatusUnauthorized {
		t.Errorf("an erased user is answered %d", r.status)
	}
	r := ann.do(http.MethodGet, "/v1/tenants/acme/erasures?user_id="+me(ann), "")
	if r.status != http.StatusOK || strings.Contains(r.body, `"status"`) {
		t.Errorf("%d %s", r.status, r.body)
	}
	r = ann.do(http.MethodGet, "/v1/tenants/acme/erasures", "")
	if strings.Count(r.body, `"status":"cancelled"`) != 1 || strings.Count(r.body, `"status":"done"`) != 1 {
		t.Errorf("%d %s", r.status, r.body)
	}
}

func TestAReservedAddressStaysNobodysAndAFreeOneIsFree(t *testing.T) {
	a, root := platform(t)
	root.must(t, "root", "create-tenant", `{"name":"Acme","slug":"acme"}`)
	register := `{"display_name":"Ann","email":"ann@acme.test"}`
	erase := func(user string) {
		t.Helper()
		root.must(t, "acme", "erase-user", fmt.Sprintf(`{"user_id":%q,"reason":"asked for"}`, user))
	}
	found := func() int {
		t.Helper()
		a.settled(t)
		return strings.Count(root.do(http.MethodGet, "/v1/tenants/acme/users?email=ann@acme.test", "").body, `"id"`)
	}
	first := root.must(t, "acme", "register-user", register)
	one := a.headForTest(t)
	erase(first)
	if found() != 0 {
		t.Error("the address of an erased user finds somebody")
	}
	second := root.must(t, "acme", "register-user", register)
	two := a.headForTest(t)
	if found() != 1 {
		t.Error("the new user of a freed address is not found")
	}
	root.must(t, "acme", "set-policy", `{"key":"erasures.email","value":"reserved"}`)
	erase(second)
	if r := root.command("acme", "register-user", register); r.code() != "email-taken" {
		t.Errorf("a reserved address: %d %s", r.status, r.body)
	}
	if found() != 0 {
		t.Error("a reserved address tells whose it was")
	}
	if r := root.command("acme", "reactivate-user", fmt.Sprintf(`{"id":%q}`, second)); r.status != http.StatusNotFound {
		t.Errorf("%d %s", r.status, r.body)
	}
	for _, then := range []int64{one, two} {
		r := root.do(http.MethodGet, fmt.Sprintf("/v1/tenants/acme/users?email=ann@acme.test&as_of=%d", then), "")
		if r.status != http.StatusOK || strings.Contains(r.body, `"id"`) {
			t.Errorf("at %d, before the erasure, the address finds %d %s", then, r.status, r.body)
		}
	}
}

func TestWhatACrashKeptFromTheErasureLedgerIsAddedAtTheNextStart(t *testing.T) {
	a, root := platform(t)
	path := filepath.Join(a.config.Data, erasedFile)
	for i := range 3 {
		user := root.must(t, "root", "register-user", fmt.Sprintf(`{"display_name":"U%d"}`, i))
		root.must(t, "root", "erase-user", fmt.Sprintf(`{"user_id":%q,"reason":"asked for"}`, user))
	}
	whole, err := os.ReadFile(path)
	if err != nil || bytes.Count(whole, []byte("\n")) != 3 {
		t.Fatalf("%s %v", whole, err)
	}
	a.Close()
	again := Config{DatabaseURL: a.config.DatabaseURL, Data: a.config.Data}
	for _, left := range [][]byte{whole[:2*len(whole)/3], whole[:len(whole)-10], nil} {
		if err := os.WriteFile(path, left, 0o600); err != nil {
			t.Fatal(err)
		}
		b := openWith(t, again)
		head := b.headForTest(t)
		if got, err := os.ReadFile(path); err != nil || !bytes.Equal(got, whole) {
			t.Errorf("with %d of %d bytes left the file then says %s, %v", len(left), len(whole), got, err)
		}
		b.Close()
		if head != a.index.Position() {
			t.Errorf("a mended file made events: %d, before %d", head, a.index.Position())
		}
	}
	damaged := bytes.Replace(whole, []byte(`"tenant"`), []byte(`"Tenant"`), 1)
	if err := os.WriteFile(path, damaged, 0o600); err != nil {
		t.Fatal(err)
	}
	again.AllowUnsafe = true
	if _, err := Open(t.Context(), again); err == nil || !strings.Contains(err.Error(), "line 1 is damaged") {
		t.Errorf("a damaged ledger: %v", err)
	}
}

func TestAnErasureThatIsNotOnRecordIsAnsweredWhenItIs(t *testing.T) {
	folder := filepath.Join(t.TempDir(), "elsewhere")
	if err := os.Mkdir(folder, 0o700); err != nil {
		t.Fatal(err)
	}
	a, root := platformWith(t, Config{ErasureLedger: filepath.Join(folder, "list")})
	user := root.must(t, "root", "register-user", `{"display_name":"Ann"}`)
	if err := os.Rename(folder, folder+".gone"); err != nil {
		t.Fatal(err)
	}
	erase := fmt.Sprintf(`{"user_id":%q,"reason":"asked for"}`, user)
	for range 2 {
		for _, headers := range [][]string{{"Idempotency-Key", "one"}, nil} {
			r := root.command("root", "erase-user", erase, headers...)
			if r.status != http.StatusServiceUnavailable || r.header.Get("Retry-After") == "" || !strings.Contains(r.body, commands.ErrOffRecord.Error()) || strings.Contains(r.body, folder) {
				t.Fatalf("%d %s", r.status, r.body)
			}
		}
		line := fmt.Sprintf(`{"command":"erase-user","body":%s}`, erase)
		if r := root.do(http.MethodPost, "/v1/tenants/root/commands", line, "Content-Type", "application/x-ndjson"); !strings.Contains(r.body, `"unavailable"`) {
			t.Fatalf("%d %s", r.status, r.body)
		}
	}
	if reasons := a.Ready(t.Context()); !slices.ContainsFunc(reasons, func(s string) bool { return strings.Contains(s, "erasure") }) {
		t.Errorf("ready in spite of it: %v", reasons)
	}
	root.must(t, "root", "register-user", `{"display_name":"Bob"}`) // others are not held up
	if err := os.Rename(folder+".gone", folder); err != nil {
		t.Fatal(err)
	}
	for _, headers := range [][]string{{"Idempotency-Key", "one"}, nil} {
		if r := root.command("root", "erase-user", erase, headers...); r.status != http.StatusOK {
			t.Fatalf("%d %s", r.status, r.body)
		}
	}
	if n := a.column(t, `SELECT count(*)::text FROM core.events WHERE type = 'user.erased'`)[0]; n != "1" {
		t.Errorf("erased %s times", n)
	}
	text, err := os.ReadFile(filepath.Join(folder, "list"))
	if err != nil || !strings.Contains(string(text), user) {
		t.Errorf("%s %v", text, err)
	}
	if reasons := a.Ready(t.Context()); slices.ContainsFunc(reasons, func(s string) bool { return strings.Contains(s, "erasure") }) {
		t.Errorf("not ready: %v", reasons)
	}
}

func TestWhatOneAppErasedTheOtherForgetsAndPutsOnRecord(t *testing.T) {
	a, one := platform(t)
	path := filepath.Join(t.TempDir(), "theirs")
	b := openWith(t, Config{DatabaseURL: a.config.DatabaseURL, Data: a.config.Data, ErasureLedger: path})
	two := caller{b.handlerForTest(t), one.token}
	user := one.must(t, "root", "register-user", `{"display_name":"Anneliese"}`)
	b.settled(t)
	sealed := a.column(t, `SELECT display_name FROM core.users WHERE id = $1`, user)[0]
	root := uuid.MustParse(one.do(http.MethodGet, "/v1/me", "").part("tenant_id"))
	for _, x := range []*App{a, b} { // both have the key in memory
		if name, err := x.vault.Open(t.Context(), root, "display_name", sealed); err != nil || name != "Anneliese" {
			t.Fatalf("%q %v", name, err)
		}
	}
	one.must(t, "root", "erase-user", fmt.Sprintf(`{"user_id":%q,"reason":"asked for"}`, user))
	if _, err := a.vault.Open(t.Context(), root, "display_name", sealed); !errors.Is(err, vault.ErrErased) {
		t.Errorf("who erased still reads: %v", err)
	}
	if r := two.do(http.MethodGet, "/v1/tenants/root/users/"+user, ""); !strings.Contains(r.body, "[erased]") {
		t.Errorf("the other app shows %s", r.body)
	}
	if _, err := b.vault.Open(t.Context(), root, "display_name", sealed); !errors.Is(err, vault.ErrErased) {
		t.Errorf("the other one still reads: %v", err)
	}
	if err := b.erased.record(t.Context()); err != nil {
		t.Fatal(err)
	}
	if text, err := os.ReadFile(path); err != nil || !strings.Contains(string(text), user) {
		t.Errorf("the other app's ledger says %s, %v", text, err)
	}
}

// Updates and the erasure of a user race. Whatever comes first, nothing fails otherwise than by a refusal, and no key comes back.
func TestAnErasureAmongUpdatesOfTheSameUserLeavesNoKey(t *testing.T) {
	a, one := platform(t)
	b := openWith(t, Config{DatabaseURL: a.config.DatabaseURL, Data: a.config.Data})
	two := caller{b.handlerForTest(t), one.token}
	for round := range 5 {
		user := one.must(t, "root", "register-user", fmt.Sprintf(`{"display_name":"U","email":"u%d@example.org"}`, round))
		start := make(chan struct{})
		done := make(chan reply)
		const writers = 8
		for n := range writers {
			go func() {
				<-start
				c := []caller{one, two}[n%2]
				switch {
				case n == 0:
					done <- c.command("root", "erase-user", fmt.Sprintf(`{"user_id":%q,"reason":"asked for"}`, user))
				case n < 4:
					done <- c.command("root", "update-user", fmt.Sprintf(`{"id":%q,"display_name":"U%d"}`, user, n))
				default:
					done <- c.command("root", "change-user-email", fmt.Sprintf(`{"id":%q,"email":"u%d.%d@example.org"}`, user, round, n))
				}
			}()
		}
		close(start)
		codes := map[string]int{}
		for range writers {
			r := <-done
			codes[strconv.Itoa(r.status)+r.code()]++
		}
		for code := range codes {
			if code != "200" && code != "404not-found" && code != "409conflict" {
				t.Errorf("answered %v", codes)
			}
		}
		if n := a.column(t, `SELECT length(wrapped)::text FROM core.subject_keys WHERE subject_id = $1`, user); n[0] != "0" {
			t.Errorf("a key of %s bytes", n[0])
		}
		for i, c := range []caller{one, two} {
			[]*App{a, b}[i].settled(t)
			if r := c.do(http.MethodGet, "/v1/tenants/root/users/"+user, ""); !strings.Contains(r.body, `"display_name":"[erased]"`) || !strings.Contains(r.body, `"status":"erased"`) {
				t.Errorf("%s", r.body)
			}
		}
	}
}

// Keys may be restored from another backup than the log, or name somebody whom the restored log does not know yet.
func TestAKeyThatComesBackByItselfIsDestroyedAgain(t *testing.T) {
	a, root := platform(t)
	user := root.must(t, "root", "register-user", `{"display_name":"Anneliese"}`)
	row := a.column(t, `SELECT encode(wrapped, 'hex') FROM core.subject_keys WHERE subject_id = $1`, user)[0]
	sealed := a.column(t, `SELECT payload->>'display_name' FROM core.events WHERE payload->>'user' = $1`, user)[0]
	root.must(t, "root", "erase-user", fmt.Sprintf(`{"user_id":%q,"reason":"asked for"}`, user))
	tenant, stranger := uuid.MustParse(root.do(http.MethodGet, "/v1/me", "").part("tenant_id")), uuid.New()
	a.column(t, `ALTER TABLE core.subject_keys DISABLE TRIGGER USER`) // as pg_restore does
	a.column(t, `UPDATE core.subject_keys SET wrapped = decode($1, 'hex') WHERE subject_id = $2`, row, user)
	a.column(t, `ALTER TABLE core.subject_keys ENABLE TRIGGER USER`)
	a.vault.Drop(tenant, uuid.MustParse(user))
	if name, err := a.vault.Open(t.Context(), tenant, "display_name", sealed); err != nil || name != "Anneliese" {
		t.Fatalf("the key did not come back: %q %v", name, err)
	}
	a.Close()
	l := erasures.New(filepath.Join(a.config.Data, erasedFile))
	l.Note(erasures.Line{Tenant: tenant, Subject: stranger, Type: "user.erased", Event: uuid.New()})
	if err := l.Flush(); err != nil {
		t.Fatal(err)
	}

	b := openWith(t, Config{DatabaseURL: a.config.DatabaseURL, Data: a.config.Data})
	if _, err := b.vault.Open(t.Context(), tenant, "display_name", sealed); !errors.Is(err, vault.ErrErased) {
		t.Errorf("the key is back: %v", err)
	}
	if head := b.headForTest(t); head != a.index.Position() {
		t.Errorf("the log, which knew, went from %d to %d", a.index.Position(), head)
	}
	root = caller{b.handlerForTest(t), root.token}
	if r := root.command("root", "register-user", fmt.Sprintf(`{"id":%q,"display_name":"Again"}`, stranger)); r.code() != "user-erased" {
		t.Errorf("somebody of whom only the erasure is known: %d %s", r.status, r.body)
	}
}
