package main

import (
	"context"
	"fmt"
	"os"

	"chancery/internal/app"
)

type serve struct {
	Listen  string `help:"HTTP address." default:"127.0.0.1:8080" env:"CHANCERY_LISTEN"`
	Migrate bool   `help:"Migrate first." default:"true" negatable:"" env:"CHANCERY_MIGRATE"`
}

// Run serves until it is told to stop.
func (c serve) Run(ctx context.Context, s *app.Settings) error {
	return app.Serve(ctx, *s, c.Listen, c.Migrate, os.Stdout)
}

type migrate struct{}

// Run migrates.
func (migrate) Run(ctx context.Context, s *app.Settings) error { return app.Migrate(ctx, *s) }

type rebuild struct{}

// Run rebuilds.
func (rebuild) Run(ctx context.Context, s *app.Settings) error {
	return app.Rebuild(ctx, *s, os.Stdout)
}

type verify struct {
	Limit int `help:"The most differences to name." default:"100" env:"CHANCERY_LIMIT"`
}

// Run verifies.
func (c verify) Run(ctx context.Context, s *app.Settings) error {
	return app.Verify(ctx, *s, c.Limit, os.Stdout)
}

type importKubernetesOrg struct {
	File  string `arg:"" help:"The history, a change a line." type:"existingfile"`
	URL   string `help:"Address of the server." default:"http://127.0.0.1:8080" env:"CHANCERY_URL"`
	Token string `help:"API token of a platform administrator." required:"" env:"CHANCERY_TOKEN"`
}

// Run imports.
func (c importKubernetesOrg) Run(ctx context.Context) error {
	return app.ImportKubernetesOrg(ctx, c.File, c.URL, c.Token, os.Stderr)
}

type openapi struct{}

// Run prints.
func (openapi) Run() error { return app.OpenAPI(os.Stdout) }

type version struct{}

// Run prints.
func (version) Run() error {
	_, err := fmt.Fprintln(os.Stdout, "chancery", app.Version())
	return err
}
