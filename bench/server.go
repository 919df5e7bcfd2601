package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"chancery/internal/app"
	"chancery/internal/imports"
)

var loopback = netip.MustParsePrefix("127.0.0.0/8")

// server is a running Chancery and the API token of its first administrator.
type server struct {
	address   string // host:port
	token     string
	url, data string // of its database, and its data folder
	pid       int    // 0: it runs in this process
	stop      func()
}

// serve runs a server on a fresh database: the program as it is shipped, or with -inprocess here.
func (b *bench) serve(ctx context.Context) (*server, error) {
	url, data, err := b.cluster.database(ctx)
	if err != nil {
		return nil, err
	}
	s := &server{url: url, data: data}
	if b.inprocess {
		err = s.here(ctx)
	} else if err = b.build(ctx); err == nil {
		err = s.there(ctx, b.binary)
	}
	if err != nil {
		return nil, fmt.Errorf("start the server: %w", err)
	}
	if err := s.bootstrap(ctx); err != nil {
		s.stop()
		return nil, fmt.Errorf("bootstrap: %w", err)
	}
	return s, nil
}

func (b *bench) build(ctx context.Context) error {
	if b.binary != "" {
		return nil
	}
	binary := filepath.Join(b.cluster.folder, "chancery")
	c := exec.CommandContext(ctx, "go", "build", "-o", binary, "chancery/cmd/chancery")
	if out, err := c.CombinedOutput(); err != nil {
		return fmt.Errorf("build: %w: %s", err, out)
	}
	b.binary = binary
	return nil
}

// there runs the program until stop, or until ctx ends.
func (s *server) there(ctx context.Context, binary string) error {
	c := exec.CommandContext(ctx, binary, "serve", "--listen=127.0.0.1:0", "--log-level=warn", "--database-url="+s.url, "--data="+s.data,
		"--trusted-proxies="+loopback.String(), // visitors say where they come from
		"--webhook-networks="+loopback.String())
	c.Cancel = func() error { return c.Process.Signal(syscall.SIGTERM) }
	c.WaitDelay = 20 * time.Second
	c.Stderr = os.Stderr
	out, err := c.StdoutPipe()
	if err != nil {
		return err
	}
	if err := c.Start(); err != nil {
		return err
	}
	s.pid, s.stop = c.Process.Pid, func() { _ = c.Cancel(); _ = c.Wait() }
	line, err := bufio.NewReader(out).ReadString('\n')
	_, after, found := strings.Cut(line, "http://")
	if err != nil || !found {
		s.stop()
		return errors.Join(fmt.Errorf("it said %q", line), err)
	}
	s.address, _, _ = strings.Cut(after, " ")
	return nil
}

// here runs the server in this process.
func (s *server) here(ctx context.Context) error {
	a, err := app.Open(ctx, app.Config{DatabaseURL: s.url, Data: s.data, Migrate: true, TrustedProxies: []netip.Prefix{loopback}, WebhookNetworks: []netip.Prefix{loopback}})
	if err != nil {
		return err
	}
	s.stop = a.Close
	handler, err := a.Handler() // what it serves comes with the context of its request
	if err == nil {
		err = a.Install(ctx)
	}
	if err != nil {
		a.Close()
		return err
	}
	l, err := (&net.ListenConfig{}).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		a.Close()
		return err
	}
	s.address = l.Addr().String()
	h, done := handler.HTTP(), make(chan struct{})
	go func() { defer close(done); _ = h.Serve(l) }() // http.ErrServerClosed
	s.stop = func() { _ = h.Close(); <-done; a.Close() }
	return nil
}

func (s *server) bootstrap(ctx context.Context) error {
	once, err := os.ReadFile(filepath.Join(s.data, "bootstrap-token"))
	if err != nil {
		return err
	}
	body := strings.NewReader(`{"email":"ann@example.org","display_name":"Ann"}`)
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://"+s.address+"/v1/bootstrap", body)
	if err != nil {
		return err
	}
	req.Header.Set("Authorization", "Bearer "+strings.TrimSpace(string(once)))
	req.Header.Set("Content-Type", "application/json")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		return err
	}
	var first struct {
		Token string `json:"token"`
	}
	if err := json.Unmarshal(text, &first); err != nil || first.Token == "" {
		return errors.Join(fmt.Errorf("answered %s: %s", resp.Status, text), err)
	}
	s.token = first.Token
	return nil
}

// bulk talks to the bulk API.
func (s *server) bulk() *imports.Client {
	return &imports.Client{URL: "http://" + s.address, Token: s.token, HTTP: http.DefaultClient}
}
