package gateway_test

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"chancery/internal/gateway"
)

// pair is a server and a Caddy, as far as Sync sees them.
type pair struct {
	config, token string // of the server
	loaded        string // by Caddy
	refuses       bool
	loads         int
}

func (p *pair) server(w http.ResponseWriter, r *http.Request) {
	tag := `"` + p.config + `"`
	switch {
	case r.Header.Get("Authorization") != "Bearer "+p.token:
		w.WriteHeader(http.StatusUnauthorized)
	case r.URL.String() != "/v1/gateway/caddy?hosts=a.test":
		w.WriteHeader(http.StatusNotFound)
	case r.Header.Get("If-None-Match") == tag:
		w.WriteHeader(http.StatusNotModified)
	default:
		w.Header().Set("ETag", tag)
		_, _ = io.WriteString(w, p.config)
	}
}

func (p *pair) caddy(w http.ResponseWriter, r *http.Request) {
	switch {
	case p.refuses:
		w.WriteHeader(http.StatusBadRequest)
	case r.Method == http.MethodPost && r.URL.Path == "/load" && r.Header.Get("Content-Type") == "application/json":
		b, _ := io.ReadAll(r.Body)
		p.loaded, p.loads = string(b), p.loads+1
	case p.loaded == "":
		_, _ = io.WriteString(w, "null\n")
	case r.URL.Path == "/config/apps/http/servers/chancery/listen":
		_, _ = io.WriteString(w, `[":443"]`)
	default:
		w.WriteHeader(http.StatusNotFound)
	}
}

func TestSyncGivesCaddyWhatIsNew(t *testing.T) {
	p := &pair{config: "one", token: "t1"}
	server, caddy := httptest.NewServer(http.HandlerFunc(p.server)), httptest.NewServer(http.HandlerFunc(p.caddy))
	defer server.Close()
	defer caddy.Close()
	file := filepath.Join(t.TempDir(), "token")
	write := func(token string) {
		if err := os.WriteFile(file, []byte(token+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("t1")
	s := &gateway.Sync{Server: server.URL + "/", Options: url.Values{"hosts": {"a.test"}}, TokenFile: file, Caddy: caddy.URL, Log: slog.New(slog.DiscardHandler)}
	once := func(changed bool, why string) {
		t.Helper()
		got, err := s.Once(t.Context())
		if got != changed || (err != nil) != (why != "") || err != nil && !strings.Contains(err.Error(), why) {
			t.Fatalf("changed %v, %v", got, err)
		}
	}
	once(true, "")
	once(false, "")
	p.config = "two"
	once(true, "")
	p.loaded = "" // Caddy was started anew
	once(true, "")
	once(false, "")
	p.refuses, p.config = true, "three"
	once(false, "load into Caddy")
	p.refuses = false
	once(true, "")
	p.token = "t2"
	once(false, "answered 401")
	write("t2")
	once(false, "")
	if p.loaded != "three" || p.loads != 4 {
		t.Errorf("Caddy has %q after %d loads", p.loaded, p.loads)
	}
}

func TestOptionsThatAreWrongEndIt(t *testing.T) {
	caddy := httptest.NewServer(http.HandlerFunc((&pair{loaded: "x"}).caddy))
	defer caddy.Close()
	file := filepath.Join(t.TempDir(), "token")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	run := func(statuses ...int) (asked int64, err error) {
		ctx, stop := context.WithTimeout(t.Context(), 10*time.Second)
		defer stop()
		var n atomic.Int64
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			at := n.Add(1)
			if at > int64(len(statuses)) {
				stop()
				return
			}
			w.Header().Set("ETag", `"x"`)
			w.WriteHeader(statuses[at-1])
		}))
		defer server.Close()
		s := &gateway.Sync{Server: server.URL, TokenFile: file, Caddy: caddy.URL, Log: slog.New(slog.DiscardHandler)}
		err = s.Run(ctx, time.Millisecond)
		return n.Load(), err
	}
	if asked, err := run(503, 400, 200); asked != 2 || err == nil || !strings.Contains(err.Error(), "answered 400") {
		t.Errorf("after %d: %v", asked, err)
	}
	if asked, err := run(503, 200, 400, 400); asked != 5 || !errors.Is(err, context.Canceled) {
		t.Errorf("what was right once ended it after %d: %v", asked, err)
	}
}
