package webhooks

import (
	"bufio"
	"bytes"
	"encoding/base64"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"

	"chancery/internal/deliveries"
)

// The JavaScript library of the standard. It is fetched into the user's cache, never into the repository.
const javascript = "standardwebhooks@1.1.1"

func TestTheOfficialGoLibraryTakesOursAndNothingElse(t *testing.T) {
	verifies(t, func(t *testing.T, secret string) string {
		webhook, err := standardwebhooks.NewWebhook(secret)
		if err != nil {
			t.Fatal(err)
		}
		var mu sync.Mutex
		handled := map[string]bool{}
		return receiver(t, func(w http.ResponseWriter, r *http.Request) {
			body, _ := io.ReadAll(r.Body)
			if err := webhook.Verify(body, r.Header); err != nil {
				http.Error(w, err.Error(), http.StatusUnauthorized)
				return
			}
			mu.Lock()
			defer mu.Unlock()
			id := r.Header.Get("Webhook-Id")
			if handled[id] {
				_, _ = io.WriteString(w, "handled before")
				return
			}
			handled[id] = true
			_, _ = io.WriteString(w, "handled")
		}).URL
	})
}

func TestTheOfficialJavaScriptLibraryTakesOursAndNothingElse(t *testing.T) {
	library := fetched(t)
	verifies(t, func(t *testing.T, secret string) string {
		node := exec.CommandContext(t.Context(), "node", "testdata/receiver.cjs", library, secret)
		node.Stderr = os.Stderr
		end, err := node.StdinPipe()
		if err != nil {
			t.Fatal(err)
		}
		said, err := node.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := node.Start(); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			_ = end.Close()
			_ = node.Wait()
		})
		port, err := bufio.NewReader(said).ReadString('\n')
		if err != nil {
			t.Fatalf("the receiver does not say where it is: %v", err)
		}
		return "http://127.0.0.1:" + strings.TrimSpace(port)
	})
}

// fetched is the folder of the JavaScript library.
func fetched(t *testing.T) string {
	t.Helper()
	for _, program := range []string{"node", "npm"} {
		if _, err := exec.LookPath(program); err != nil {
			t.Skipf("no %s on this machine: the JavaScript library is not tried", program)
		}
	}
	cache, err := os.UserCacheDir()
	if err != nil {
		t.Skipf("no place to keep the JavaScript library: %v", err)
	}
	dir := filepath.Join(cache, "chancery-tests", javascript)
	library := filepath.Join(dir, "node_modules", "standardwebhooks")
	if _, err := os.Stat(filepath.Join(library, "package.json")); err == nil {
		return library
	}
	if err := os.MkdirAll(filepath.Dir(dir), 0o750); err != nil {
		t.Skipf("no place to keep the JavaScript library: %v", err)
	}
	fresh, err := os.MkdirTemp(filepath.Dir(dir), "fetching-")
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(fresh)
	npm := exec.CommandContext(t.Context(), "npm", "install", "--prefix", fresh, "--ignore-scripts", "--no-audit", "--no-fund",
		"--fetch-retries=0", "--fetch-timeout=20000", javascript)
	if said, err := npm.CombinedOutput(); err != nil {
		t.Skipf("npm does not fetch %s here, so the JavaScript library is not tried: %v\n%s", javascript, err, said)
	}
	_ = os.Rename(fresh, dir) // unless another test was first
	return library
}

// verifies has a receiver judge what we send, and what somebody made of it.
func verifies(t *testing.T, start func(t *testing.T, secret string) string) {
	older, newer := vectorSecret, "whsec_"+base64.StdEncoding.EncodeToString(bytes.Repeat([]byte{7}, 32))
	url := start(t, older)
	send := func(t *testing.T, e deliveries.Endpoint, at time.Duration, want string) {
		t.Helper()
		s := sender(t, func(c *Config) { c.Now = func() time.Time { return time.Now().Add(at) } })
		if o := s.Send(t.Context(), e, item()); o.Delivered != (want == "handled") || !strings.Contains(strings.ToLower(string(o.Answer)), want) {
			t.Errorf("%+v, %s; want %q", o, o.Answer, want)
		}
	}
	t.Run("ours", func(t *testing.T) {
		send(t, endpointAt(url), 0, "handled")
		thin := endpointAt(url)
		thin.Full = false
		send(t, thin, 0, "handled")
	})
	t.Run("after a rotation", func(t *testing.T) {
		e := endpointAt(url)
		e.Keys = []deliveries.Keys{keysOf(newer, time.Time{}), keysOf(older, time.Now().Add(24*time.Hour))}
		send(t, e, 0, "handled")
		e.URL = start(t, newer)
		send(t, e, 0, "handled")
	})
	t.Run("another key", func(t *testing.T) {
		e := endpointAt(url)
		e.Keys = []deliveries.Keys{keysOf(newer, time.Time{})}
		send(t, e, 0, "no matching signature")
	})
	t.Run("old, and not yet", func(t *testing.T) {
		send(t, endpointAt(url), -4*time.Minute, "handled")
		send(t, endpointAt(url), -6*time.Minute, "timestamp too old")
		send(t, endpointAt(url), 6*time.Minute, "timestamp too new")
	})
	t.Run("edited", func(t *testing.T) {
		for name, edit := range map[string]func(*captured){
			"the data":      func(c *captured) { c.body = bytes.Replace(c.body, []byte("1e2"), []byte("1e3"), 1) },
			"a blank":       func(c *captured) { c.body = append(c.body, ' ') },
			"the id":        func(c *captured) { c.header.Set("Webhook-Id", item().Event.ID.String()) },
			"the time":      func(c *captured) { c.header.Set("Webhook-Timestamp", stamp(time.Now().Add(time.Minute))) },
			"the signature": func(c *captured) { c.header.Set("Webhook-Signature", vectorV1) },
			"only v1a": func(c *captured) {
				c.header.Set("Webhook-Signature", strings.Fields(c.header.Get("Webhook-Signature"))[1])
			},
		} {
			c := capture(t)
			edit(&c)
			if status, said := c.post(t, url); status != http.StatusUnauthorized || !strings.Contains(strings.ToLower(said), "no matching signature") {
				t.Errorf("%s: %d, %s", name, status, said)
			}
		}
		c := capture(t)
		c.header.Del("Webhook-Signature")
		if status, said := c.post(t, url); status != http.StatusUnauthorized {
			t.Errorf("without a signature: %d, %s", status, said)
		}
	})
	t.Run("replayed", func(t *testing.T) { // within five minutes the libraries take it: it is for the receiver to keep ids
		c := capture(t)
		for _, want := range []string{"handled", "handled before", "handled before"} {
			if status, said := c.post(t, url); status != http.StatusOK || said != want {
				t.Errorf("%d, %s; want %s", status, said, want)
			}
		}
	})
	t.Run("a second attempt of ours", func(t *testing.T) {
		e, i := endpointAt(url), item()
		for _, want := range []string{"handled", "handled before"} {
			if o := sender(t, nil).Send(t.Context(), e, i); !o.Delivered || string(o.Answer) != want {
				t.Errorf("attempt %d: %+v, %s", i.Attempt, o, o.Answer)
			}
			i.Attempt++
		}
	})
}

// captured is a delivery of ours in somebody else's hands.
type captured struct {
	header http.Header
	body   []byte
}

func capture(t *testing.T) captured {
	t.Helper()
	var c captured
	server := receiver(t, func(_ http.ResponseWriter, r *http.Request) {
		c.header = r.Header.Clone()
		c.body, _ = io.ReadAll(r.Body)
	})
	if o := sender(t, nil).Send(t.Context(), endpointAt(server.URL), item()); !o.Delivered {
		t.Fatal(o)
	}
	return c
}

func (c captured) post(t *testing.T, url string) (status int, said string) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, url, bytes.NewReader(c.body))
	if err != nil {
		t.Fatal(err)
	}
	r.Header = c.header.Clone()
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	if err != nil {
		t.Fatal(err)
	}
	return answer.StatusCode, string(text)
}

func stamp(at time.Time) string { return strconv.FormatInt(at.Unix(), 10) }
