package main

import (
	"context"
	"os"
	"time"

	"chancery/internal/app"
)

type gateway struct {
	Sync gatewaySync `cmd:"" help:"Keep a Caddy in step with a running server."`
}

type gatewaySync struct {
	Server    string        `help:"Address of the server." default:"http://127.0.0.1:8080" env:"CHANCERY_URL"`
	TokenFile string        `help:"File with the API token of somebody with core.gateway.read on the platform." required:"" type:"existingfile" env:"CHANCERY_TOKEN_FILE"`
	Caddy     string        `help:"Address of Caddy's own API." default:"http://localhost:2019" env:"CHANCERY_CADDY"`
	Every     time.Duration `help:"How often to look." default:"2s" env:"CHANCERY_GATEWAY_EVERY"`
	Option    []string      `help:"An option of the configuration, such as listen=:8443; see docs/gateway.md. May be given several times." sep:"none" env:"CHANCERY_GATEWAY_OPTION"`
}

// Run syncs until it is told to stop.
func (c gatewaySync) Run(ctx context.Context) error {
	return app.SyncGateway(ctx, c.Server, c.TokenFile, c.Caddy, c.Option, max(c.Every, 100*time.Millisecond), os.Stderr)
}
