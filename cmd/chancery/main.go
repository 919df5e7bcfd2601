// Command chancery is the core of multi-tenant platforms: identity, tenancy, access, audit. It reads flags; package app does the rest.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"github.com/alecthomas/kong"

	"chancery/internal/app"
)

type program struct {
	app.Settings

	Serve   serve   `cmd:"" help:"Migrate and serve the APIs."`
	Migrate migrate `cmd:"" help:"Bring the database up to date, and stop."`
	Replay  struct {
		Rebuild rebuild `cmd:"" help:"Build the tables from the log beside the live ones and swap them."`
		Verify  verify  `cmd:"" help:"Rebuild, compare with the live tables row by row, and name every difference; exit status 1 if any."`
	} `cmd:"" help:"Rebuild or verify the tables from the log."`
	Keys   keys `cmd:"" help:"Show, rotate and seal the keys."`
	Import struct {
		KubernetesOrg importKubernetesOrg `cmd:"" help:"Import a history of GitHub organisations, with its times."`
	} `cmd:"" help:"Import histories kept elsewhere, through the API of a running server."`
	License struct {
		Verify licenseVerify `cmd:"" help:"Verify a licence file offline. Exit status 1 if it is refused, 2 if it could not be judged."`
	} `cmd:"" help:"Verify licences without a server."`
	Gateway gateway `cmd:"" help:"Run beside a gateway."`
	Openapi openapi `cmd:"" help:"Print the OpenAPI description."`
	Version version `cmd:"" help:"Print the version."`
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	code := run(ctx, os.Args[1:])
	stop()
	os.Exit(code)
}

func run(ctx context.Context, args []string) int {
	var p program
	parser, err := kong.New(&p,
		kong.Name("chancery"), kong.UsageOnError(), kong.DefaultEnvars("CHANCERY"),
		kong.Description("The core of multi-tenant, multi-app platforms. Every flag can be set by the variable behind it."),
		kong.BindTo(ctx, (*context.Context)(nil)))
	if err != nil {
		fmt.Fprintln(os.Stderr, "chancery:", err)
		return 2
	}
	if len(args) > 0 && args[0] == "help" { // of a command, or of all
		args = append(args[1:len(args):len(args)], "--help")
	}
	command, err := parser.Parse(args)
	if err != nil {
		parser.FatalIfErrorf(err)
	}
	err = command.Run(&p.Settings)
	switch {
	case err == nil:
		return 0
	case errors.Is(err, app.ErrDifferences):
		return 1
	case errors.Is(err, errUnjudged):
		fmt.Fprintln(os.Stderr, "chancery:", err)
		return 2
	case errors.Is(err, context.Canceled):
		return 130
	}
	fmt.Fprintln(os.Stderr, "chancery:", err)
	return 1
}
