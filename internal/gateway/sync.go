package gateway

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"os"
	"strings"
	"time"
)

// Sync keeps a Caddy in step with a server: it asks for the configuration, and gives it to Caddy when it is another one. One goroutine
// uses it.
type Sync struct {
	Server    string     // URL of the server
	Options   url.Values // of the configuration, see docs/gateway.md
	TokenFile string     // read each time, so that the token may be rotated
	Caddy     string     // URL of Caddy's own API
	Client    *http.Client
	Log       *slog.Logger

	tag   string // of what Caddy has; empty: it is not known
	taken bool   // the server took the options once
}

// errOptions is what the server answers to options that are none of its own.
var errOptions = errors.New("the server does not take the options")

// Run looks again and again, until the context ends. What fails is logged, and tried again, but for options that never were right.
func (s *Sync) Run(ctx context.Context, every time.Duration) error {
	tick := time.NewTicker(every)
	defer tick.Stop()
	for {
		switch changed, err := s.Once(ctx); {
		case ctx.Err() != nil:
			return ctx.Err()
		case errors.Is(err, errOptions) && !s.taken:
			return err
		case err != nil:
			s.Log.Error("the gateway is as it was", "error", err)
		case changed:
			s.Log.Info("the gateway has another configuration", "etag", s.tag)
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// Once looks once, and reports whether Caddy was given another configuration.
func (s *Sync) Once(ctx context.Context) (changed bool, err error) {
	if s.tag != "" && !s.has(ctx) { // it was started anew, or somebody else loaded something
		s.tag = ""
	}
	config, tag, err := s.fetch(ctx)
	if err != nil || config == nil {
		return false, err
	}
	if _, err := s.do(ctx, http.MethodPost, s.Caddy+"/load", config, http.Header{"Content-Type": {"application/json"}}); err != nil {
		s.tag = ""
		return false, fmt.Errorf("load into Caddy: %w", err)
	}
	s.tag = tag
	return true, nil
}

// has reports whether Caddy runs with a configuration of ours.
func (s *Sync) has(ctx context.Context) bool {
	a, err := s.do(ctx, http.MethodGet, s.Caddy+"/config/apps/http/servers/chancery/listen", nil, nil)
	return err == nil && bytes.HasPrefix(bytes.TrimSpace(a.body), []byte("["))
}

func (s *Sync) fetch(ctx context.Context) (config []byte, tag string, err error) {
	token, err := os.ReadFile(s.TokenFile)
	if err != nil {
		return nil, "", err
	}
	header := http.Header{"Authorization": {"Bearer " + strings.TrimSpace(string(token))}}
	if s.tag != "" {
		header.Set("If-None-Match", s.tag)
	}
	a, err := s.do(ctx, http.MethodGet, strings.TrimSuffix(s.Server, "/")+"/v1/gateway/caddy?"+s.Options.Encode(), nil, header)
	switch {
	case a.status == http.StatusBadRequest:
		return nil, "", fmt.Errorf("%w: %w", errOptions, err)
	case err != nil:
		return nil, "", fmt.Errorf("fetch the configuration: %w", err)
	case a.status == http.StatusNotModified:
		return nil, "", nil
	}
	s.taken = true
	if tag = a.header.Get("ETag"); tag == "" {
		return nil, "", errors.New("fetch the configuration: it has no ETag")
	}
	return a.body, tag, nil
}

type answer struct {
	status int
	header http.Header
	body   []byte
}

const mostConfig = 64 << 20

func (s *Sync) do(ctx context.Context, method, address string, body []byte, header http.Header) (answer, error) {
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, method, address, bytes.NewReader(body))
	if err != nil {
		return answer{}, err
	}
	if header != nil {
		r.Header = header
	}
	client := s.Client
	if client == nil {
		client = http.DefaultClient
	}
	res, err := client.Do(r)
	if err != nil {
		return answer{}, err
	}
	defer func() { _ = res.Body.Close() }()
	text, err := io.ReadAll(io.LimitReader(res.Body, mostConfig))
	if err == nil && res.StatusCode != http.StatusOK && res.StatusCode != http.StatusNotModified {
		err = fmt.Errorf("answered %d: %.500s", res.StatusCode, text)
	}
	return answer{res.StatusCode, res.Header, text}, err
}
