package app

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os"
	"runtime/debug"
	"strings"
	"time"

	"github.com/schollz/progressbar/v3"

	"chancery/internal/imports"
	"chancery/internal/ledger"
)

// Settings are what every program needs to know.
type Settings struct {
	DatabaseURL string `help:"PostgreSQL 15 or newer to use; a private one under the data folder if absent." name:"database-url" env:"CHANCERY_DATABASE_URL"`
	Data        string `help:"Data folder: private database, keys, bootstrap token." default:"./.chancery" env:"CHANCERY_DATA" type:"path"`
	Tenancy     string `help:"row: all tenants in one database, kept apart by row security." default:"row" env:"CHANCERY_TENANCY"`
	PGBin       string `help:"Folder with postgres and initdb; searched for if absent." name:"pg-bin" env:"CHANCERY_PG_BIN"`
	LogLevel    string `help:"debug, info, warn or error." default:"info" enum:"debug,info,warn,error" env:"CHANCERY_LOG_LEVEL"`
}

func (s Settings) logger() *slog.Logger {
	var level slog.Level
	_ = level.UnmarshalText([]byte(s.LogLevel)) // one of four words
	return slog.New(slog.NewJSONHandler(os.Stderr, &slog.HandlerOptions{Level: level}))
}

func (s Settings) config() Config {
	return Config{DatabaseURL: s.DatabaseURL, Data: s.Data, PGBin: s.PGBin, Tenancy: s.Tenancy, Migrate: true, Log: s.logger()}
}

// Version is the version of the program, as the build knows it.
func Version() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "unknown"
	}
	words := []string{info.Main.Version}
	for _, s := range info.Settings {
		if s.Key == "vcs.revision" {
			words = append(words, s.Value)
		}
	}
	return strings.Join(append(words, info.GoVersion), " ")
}

// Migrate brings the database up to date.
func Migrate(ctx context.Context, s Settings) error {
	c := s.config()
	c.Join = true
	url, _, stop, err := database(ctx, c)
	if err != nil {
		return err
	}
	defer stop()
	return ledger.Migrate(ctx, url)
}

// ErrDifferences says that a verification found some.
var ErrDifferences = errors.New("the tables differ from the log")

// Rebuild builds the tables from the log and swaps them. It works beside running servers.
func Rebuild(ctx context.Context, s Settings, out io.Writer) error {
	return s.replaying(ctx, func(a *App) error {
		r, err := a.Replay()
		if err != nil {
			return err
		}
		began := time.Now()
		done, err := r.Rebuild(ctx)
		if err != nil {
			return err
		}
		fmt.Fprintf(out, "rebuilt %d rows from %d events up to position %d in %s; the live tables were locked for %s\n",
			done.Rows, done.Events, done.Position, time.Since(began).Round(time.Millisecond), done.Swap.Round(time.Millisecond))
		return nil
	})
}

// Verify compares the tables with the log and names every difference, at most limit of them; ErrDifferences if any.
func Verify(ctx context.Context, s Settings, limit int, out io.Writer) error {
	return s.replaying(ctx, func(a *App) error {
		r, err := a.Replay()
		if err != nil {
			return err
		}
		if err := a.raw.Verify(ctx); err != nil {
			return err
		}
		v, err := r.Verify(ctx, limit)
		if err != nil {
			return err
		}
		for _, d := range v.Differences {
			fmt.Fprintln(out, d)
		}
		fmt.Fprintf(out, "compared %d rows with %d events; differences: %d\n", v.Rows, v.Events, v.Total)
		if v.Total > 0 {
			return ErrDifferences
		}
		return nil
	})
}

// replaying opens the database for a replay; a server may run beside it, unless the database is a private one.
func (s Settings) replaying(ctx context.Context, fn func(*App) error) error {
	c := s.config()
	c.Migrate, c.Join = false, true
	c.Log = slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelWarn}))
	a := &App{config: c, log: c.Log, metrics: newMetrics()}
	c.Now, a.config.Now = time.Now, time.Now
	defer a.Close()
	running, stop := context.WithCancel(ctx)
	a.stop = stop
	if err := a.openDatabase(ctx, running); err != nil {
		return err
	}
	if err := a.openLog(ctx, running); err != nil {
		return err
	}
	return fn(a)
}

// ImportKubernetesOrg sends a history of GitHub organisations to a server. Running it again does nothing twice.
func ImportKubernetesOrg(ctx context.Context, file, url, token string, progress io.Writer) error {
	f, err := os.Open(file)
	if err != nil {
		return err
	}
	defer f.Close()
	changes, err := imports.ReadHistory(f)
	if err != nil {
		return fmt.Errorf("%s: %w", file, err)
	}
	plan, err := imports.PlanHistory(changes)
	if err != nil {
		return fmt.Errorf("%s: %w", file, err)
	}
	bar := progressbar.NewOptions(plan.Lines(),
		progressbar.OptionSetWriter(progress), progressbar.OptionSetDescription("commands"), progressbar.OptionShowCount(),
		progressbar.OptionShowIts(), progressbar.OptionSetPredictTime(true), progressbar.OptionThrottle(100*time.Millisecond))
	client := &imports.Client{URL: url, Token: token, HTTP: http.DefaultClient, Done: func(n int) { _ = bar.Add(n) }}
	began := time.Now()
	if err := client.Run(ctx, plan); err != nil {
		fmt.Fprintln(progress)
		return err
	}
	fmt.Fprintf(progress, "\n%d changes of %d organisations: %d commands in %s\n",
		len(changes), len(plan.Orgs), plan.Lines(), time.Since(began).Round(time.Millisecond))
	return nil
}
