package app

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/netip"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

const (
	crashData     = "CHANCERY_TEST_SERVE_DATA"
	crashDatabase = "CHANCERY_TEST_SERVE_DATABASE" // none: its own
)

// serveForCrash is this test program, run again as a server that may be killed.
func serveForCrash() {
	ctx, _ := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	err := Serve(ctx, Settings{
		Data: os.Getenv(crashData), DatabaseURL: os.Getenv(crashDatabase), LogLevel: "warn",
		SMTPURL: os.Getenv("CHANCERY_SMTP_URL"), MailFrom: os.Getenv("CHANCERY_MAIL_FROM"), PublicURL: os.Getenv("CHANCERY_PUBLIC_URL"),
		WebhookNetworks: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}, WebhookTimeout: tormentTimeout, DeliverySchedule: tormentSchedule,
	}, "127.0.0.1:0", true, os.Stdout)
	if err == nil {
		os.Exit(0)
	}
	fmt.Fprintln(os.Stderr, "the server ended:", err)
	os.Exit(1)
}

type victim struct {
	cmd *exec.Cmd
	url string
}

var announced = regexp.MustCompile(`serves (http://\S+)`)

func launch(t *testing.T, data string) *victim { t.Helper(); return launchOn(t, "", data) }

func launchOn(t *testing.T, database, data string) *victim {
	t.Helper()
	cmd := exec.Command(os.Args[0], "-test.run=^$")
	cmd.Env = append(os.Environ(), crashData+"="+data, crashDatabase+"="+database)
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	v := &victim{cmd: cmd}
	t.Cleanup(v.end)
	lines := bufio.NewScanner(out)
	for lines.Scan() {
		if m := announced.FindStringSubmatch(lines.Text()); m != nil {
			v.url = m[1]
			go func() { _, _ = io.Copy(io.Discard, out) }()
			return v
		}
	}
	t.Fatal("the server did not start")
	return nil
}

func (v *victim) kill() {
	if v.cmd.ProcessState == nil {
		_ = v.cmd.Process.Signal(syscall.SIGKILL)
		_ = v.cmd.Wait()
	}
}

// end lets the server stop its PostgreSQL, so that nothing writes into a folder that is being removed.
func (v *victim) end() {
	if v.cmd.ProcessState == nil {
		_ = v.cmd.Process.Signal(syscall.SIGTERM)
		late := time.AfterFunc(time.Minute, func() { _ = v.cmd.Process.Kill() })
		_ = v.cmd.Wait()
		late.Stop()
	}
}

// acknowledged is one answer that a caller has received.
type acknowledged struct {
	role     string
	position string
	events   int
}

func TestAKilledServerHasLostNothingItAcknowledged(t *testing.T) {
	if testing.Short() {
		t.Skip("starts durable servers")
	}
	data := t.TempDir()
	v := launch(t, data)
	token := bootstrapAt(t, v.url, data)
	var acks []acknowledged
	for round := range 3 {
		acks = append(acks, loadUntilKilled(t, v, token, round)...)
		v = launch(t, data)
		checkSurvivors(t, v, token, acks)
	}
	t.Logf("%d acknowledged commands survived 3 kills", len(acks))
}

func bootstrapAt(t *testing.T, url, data string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(data, bootstrapFile))
	if err != nil {
		t.Fatal(err)
	}
	body := `{"email":"ann@example.org","display_name":"Ann"}`
	status, answer := call(t, http.MethodPost, url+"/v1/bootstrap", strings.TrimSpace(string(text)), body)
	var boot struct {
		Token string `json:"token"`
	}
	if err := json.Unmarshal(answer, &boot); err != nil || status != http.StatusOK || boot.Token == "" {
		t.Fatalf("bootstrap: %d %s %v", status, answer, err)
	}
	return boot.Token
}

// loadUntilKilled makes roles of four events each from many callers, and kills the server in the midst of it.
func loadUntilKilled(t *testing.T, v *victim, token string, round int) []acknowledged {
	t.Helper()
	var (
		mu    sync.Mutex
		acks  []acknowledged
		ready = make(chan struct{})
		once  sync.Once
		wg    sync.WaitGroup
	)
	const before = 300 // acknowledgements before the kill
	for worker := range 32 {
		wg.Go(func() {
			for i := 0; ; i++ {
				name := fmt.Sprintf("role %d/%d/%d", round, worker, i)
				body := fmt.Sprintf(`{"name":%q,"privileges":["core.users.read","core.groups.read","core.roles.read"]}`, name)
				status, answer, err := try(http.MethodPost, v.url+"/v1/tenants/root/commands/create-role", token, body)
				if err != nil {
					return // killed
				}
				var result struct {
					ID       string `json:"id"`
					Position string `json:"position"`
					Events   []any  `json:"events"`
				}
				if status != http.StatusOK || json.Unmarshal(answer, &result) != nil || len(result.Events) != 4 {
					t.Errorf("%s: %d %s", name, status, answer)
					return
				}
				mu.Lock()
				acks = append(acks, acknowledged{result.ID, result.Position, len(result.Events)})
				if len(acks) >= before {
					once.Do(func() { close(ready) })
				}
				mu.Unlock()
			}
		})
	}
	<-ready
	v.kill()
	wg.Wait()
	return acks
}

// checkSurvivors finds every acknowledged command whole, no other one in part, and no gap.
func checkSurvivors(t *testing.T, v *victim, token string, acks []acknowledged) {
	t.Helper()
	perRole, highest, last := map[string]int{}, int64(0), int64(0)
	cursor := ""
	for {
		address := v.url + "/v1/tenants/root/events?limit=1000"
		if cursor != "" {
			address += "&cursor=" + cursor
		}
		var page struct {
			Items []struct {
				Position string   `json:"position"`
				Seq      string   `json:"tenant_seq"`
				Tags     []string `json:"tags"`
				Type     string   `json:"type"`
			} `json:"items"`
			Next string `json:"next"`
		}
		status, answer := call(t, http.MethodGet, address, token, "")
		if err := json.Unmarshal(answer, &page); err != nil || status != http.StatusOK {
			t.Fatalf("events: %d %s", status, answer)
		}
		for _, e := range page.Items {
			var position, seq int64
			if _, err := fmt.Sscan(e.Position+" "+e.Seq, &position, &seq); err != nil {
				t.Fatal(err)
			}
			if position != last+1 || seq != position {
				t.Fatalf("event %d of sequence %d follows %d", position, seq, last)
			}
			last, highest = position, max(highest, position)
			if strings.HasPrefix(e.Type, "role.") {
				for _, tag := range e.Tags {
					if id, ok := strings.CutPrefix(tag, "role:"); ok && id[14] == '7' { // built-in roles have ids of version 5
						perRole[id]++
					}
				}
			}
		}
		if cursor = page.Next; cursor == "" {
			break
		}
	}
	for _, a := range acks {
		if perRole[a.role] != a.events {
			t.Fatalf("acknowledged role %s at %s has %d events, want %d", a.role, a.position, perRole[a.role], a.events)
		}
	}
	whole := 0
	for id, n := range perRole {
		switch n {
		case 4:
			whole++
		case 2, 3:
			t.Fatalf("role %s is a half command: %d events", id, n)
		}
	}
	if whole < len(acks) {
		t.Fatalf("%d roles for %d acknowledgements", whole, len(acks))
	}
}

func call(t *testing.T, method, url, token, body string) (int, []byte) {
	t.Helper()
	status, answer, err := try(method, url, token, body)
	if err != nil {
		t.Fatal(err)
	}
	return status, answer
}

var callers = &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 64}, Timeout: time.Minute}

func try(method, url, token, body string) (int, []byte, error) {
	req, err := http.NewRequestWithContext(context.Background(), method, url, bytes.NewBufferString(body))
	if err != nil {
		return 0, nil, err
	}
	req.Header.Set("Authorization", "Bearer "+token)
	req.Header.Set("Content-Type", "application/json")
	resp, err := callers.Do(req)
	if err != nil {
		return 0, nil, err
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(resp.Body)
	return resp.StatusCode, answer, err
}
