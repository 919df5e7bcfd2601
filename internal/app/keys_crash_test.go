package app

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/google/uuid"

	"chancery/internal/ledger"
	"chancery/internal/vault"
)

const rewrapData = "CHANCERY_TEST_REWRAP_DATA"

// rewrapForCrash is this test program, run again to wrap data keys anew, one by one, until it is killed.
func rewrapForCrash() {
	if err := KeysRewrap(context.Background(), Settings{Data: os.Getenv(rewrapData)}, 1, os.Stdout, io.Discard); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	os.Exit(0)
}

func TestAKillInTheMidstOfWrappingAnewLosesNothing(t *testing.T) {
	if testing.Short() {
		t.Skip("starts a durable server")
	}
	data := t.TempDir()
	s := Settings{Data: data}
	v := launch(t, data)
	token := bootstrapAt(t, v.url, data)
	mails := newCrowd(v.url, token)
	mails.register(t, 300)
	old := filepath.Join(t.TempDir(), "keys.json")
	replaceFile(t, filepath.Join(data, "keys.json"), old)
	first := primaryOf(t, filepath.Join(data, "keys.json"))
	rotateKeys(t, s, Rotation{Pepper: true})
	second := primaryOf(t, filepath.Join(data, "keys.json"))

	l := beside(t, data)
	serving := mails.registerUntil(t)
	killInTheMidst(t, data, func() bool {
		u, err := l.KeyUsage(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		return u.Keys[second] > 50 && u.Keys[first] > 50
	})
	u, err := l.KeyUsage(t.Context())
	if err != nil || u.Keys[first] == 0 || u.Keys[second] == 0 {
		t.Fatalf("killed, but not in the midst: %+v, %v", u, err)
	}
	t.Logf("killed with %d of %d data keys wrapped anew", u.Keys[second], u.Keys[first]+u.Keys[second])
	if err := KeysPrune(t.Context(), s, io.Discard, io.Discard); err == nil || !strings.Contains(err.Error(), fmt.Sprint(" under ", first)) {
		t.Fatalf("prune: %v", err)
	}
	var pruned error
	for range 100 { // the server follows the rotation within a second, and wraps under the old key until then
		t.Log(rewrapKeys(t, s))
		if pruned = KeysPrune(t.Context(), s, io.Discard, io.Discard); pruned == nil {
			break
		}
	}
	if pruned != nil {
		t.Fatal(pruned)
	}
	serving()
	mails.register(t, 5)
	mails.check(t, v.url)
	v.kill()
	v = launch(t, data)
	mails.check(t, v.url)

	if u, err = beside(t, data).KeyUsage(t.Context()); err != nil || len(u.Keys) != 1 || u.Strange != 0 {
		t.Errorf("%+v, %v", u, err)
	}
	opensNothing(t, old, beside(t, data))
}

// killInTheMidst runs a rewrap and kills it when it is half done.
func killInTheMidst(t *testing.T, data string, half func() bool) {
	t.Helper()
	cmd := exec.Command(os.Args[0], "-test.run=^$")
	cmd.Env = append(os.Environ(), rewrapData+"="+data)
	cmd.Stderr = os.Stderr
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	for !half() {
		if err := cmd.Process.Signal(syscall.Signal(0)); err != nil {
			t.Fatal("the rewrap ended too early: ", err)
		}
	}
	_ = cmd.Process.Signal(syscall.SIGKILL)
	if err := cmd.Wait(); err == nil {
		t.Fatal("the rewrap ended before it was killed")
	}
}

// opensNothing wants every data key to stay closed for an old copy of the keys.
func opensNothing(t *testing.T, old string, l *ledger.Ledger) {
	t.Helper()
	keys, err := vault.LoadKeys(old)
	if err != nil {
		t.Fatal(err)
	}
	if err := l.CheckKEK(t.Context(), keys.PrimaryKEK()); !errors.Is(err, ledger.ErrOldKeys) {
		t.Errorf("a start with the old keys: %v", err)
	}
	rows, err := l.KeysNotUnder(t.Context(), 0, ledger.SubjectKey{}, 10_000)
	if err != nil || len(rows) < 300 {
		t.Fatal(len(rows), err)
	}
	for _, r := range rows {
		if _, err := keys.Rewrap(vault.WrappedKey{Tenant: r.Tenant, Subject: r.Subject, Wrapped: r.Old}); err == nil {
			t.Fatal("the old keys open a data key")
		}
	}
}

func primaryOf(t *testing.T, file string) uint32 {
	t.Helper()
	keys, err := vault.LoadKeys(file)
	if err != nil {
		t.Fatal(err)
	}
	return keys.PrimaryKEK()
}

// beside opens the private database of a server that runs.
func beside(t *testing.T, data string) *ledger.Ledger {
	t.Helper()
	url, err := os.ReadFile(filepath.Join(data, urlFile))
	if err != nil {
		t.Fatal(err)
	}
	l, err := ledger.Open(t.Context(), ledger.Config{URL: strings.TrimSpace(string(url))})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(l.Close)
	return l
}

// crowd is users of the root tenant whom a server has acknowledged.
type crowd struct {
	url, token string
	mu         sync.Mutex
	mails      map[string]string // by id
	position   string            // of the last one
}

func newCrowd(url, token string) *crowd {
	return &crowd{url: url, token: token, mails: map[string]string{}}
}

func (p *crowd) one(t *testing.T) {
	mail := uuid.NewString() + "@acme.test"
	status, answer, err := try(http.MethodPost, p.url+"/v1/tenants/root/commands/register-user", p.token,
		fmt.Sprintf(`{"display_name":"U","email":%q}`, mail))
	var result struct {
		ID       string `json:"id"`
		Position string `json:"position"`
	}
	if err != nil || status != http.StatusOK || json.Unmarshal(answer, &result) != nil {
		t.Errorf("register: %d %s %v", status, answer, err)
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.mails[result.ID], p.position = mail, result.Position
}

func (p *crowd) register(t *testing.T, n int) {
	var wg sync.WaitGroup
	for range n {
		wg.Go(func() { p.one(t) })
	}
	wg.Wait()
}

// registerUntil goes on registering until the returned function is called.
func (p *crowd) registerUntil(t *testing.T) (stop func()) {
	ctx, cancel := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	for range 2 {
		wg.Go(func() {
			for ctx.Err() == nil {
				p.one(t)
			}
		})
	}
	stop = func() {
		cancel()
		wg.Wait()
	}
	t.Cleanup(stop) // before the server is killed
	return stop
}

// check finds everybody, with the address.
func (p *crowd) check(t *testing.T, url string) {
	t.Helper()
	for id, mail := range p.mails {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url+"/v1/tenants/root/users/"+id, nil)
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Authorization", "Bearer "+p.token)
		r.Header.Set("Chancery-Min-Position", p.position)
		answer, err := callers.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		var user struct {
			Email string `json:"email"`
		}
		err = json.NewDecoder(answer.Body).Decode(&user)
		_ = answer.Body.Close()
		if err != nil || answer.StatusCode != http.StatusOK || user.Email != mail {
			t.Fatalf("user %s: %d %v %q, want %s", id, answer.StatusCode, err, user.Email, mail)
		}
	}
	t.Logf("%d users have their addresses", len(p.mails))
}
