package app

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/url"
	"strings"
	"time"

	"chancery/internal/gateway"
)

// SyncGateway keeps a Caddy in step with a server until the context ends. Options are those of the configuration: name=value.
func SyncGateway(ctx context.Context, server, tokenFile, caddy string, options []string, every time.Duration, log io.Writer) error {
	values := url.Values{}
	for _, o := range options {
		name, value, ok := strings.Cut(o, "=")
		if !ok {
			return fmt.Errorf("the option %q must be name=value", o)
		}
		values.Set(name, value)
	}
	at, err := url.Parse(caddy)
	if err != nil || at.Scheme != "http" && at.Scheme != "https" || at.Host == "" {
		return fmt.Errorf("%q must be the URL of Caddy's own API, such as http://localhost:2019", caddy)
	}
	if at.Host != "localhost:2019" && !values.Has("admin") { // else Caddy would move there with the next configuration
		values.Set("admin", at.Host)
	}
	s := &gateway.Sync{
		Server: server, Options: values, TokenFile: tokenFile, Caddy: strings.TrimSuffix(caddy, "/"), Log: slog.New(slog.NewJSONHandler(log, nil)),
	}
	return s.Run(ctx, every)
}
