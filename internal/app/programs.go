package app

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/netip"
	"os"
	"runtime/debug"
	"slices"
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
	KeysFile    string `help:"Key file, made if there is none; keys.json in the data folder if absent. CHANCERY_KEYS holds the keys themselves instead." name:"keys-file" env:"CHANCERY_KEYS_FILE" type:"path"`
	Erasures    string `help:"File of the erasure ledger, to be kept apart from the backups of the database; erasures.log in the data folder if absent." name:"erasure-ledger" env:"CHANCERY_ERASURE_LEDGER" type:"path"`
	KMS         string `help:"Key of Vault or OpenBao that seals the keys: hcvault://host:8200/transit/keys/NAME. Its token is in CHANCERY_KMS_TOKEN." name:"kms" env:"CHANCERY_KMS"`
	LogLevel    string `help:"debug, info, warn or error." default:"info" enum:"debug,info,warn,error" env:"CHANCERY_LOG_LEVEL"`

	PublicURL         string `help:"Where browsers find the server, such as https://chancery.example.org; passkeys are bound to its host. http://localhost and the port of the listener if absent." name:"public-url" env:"CHANCERY_PUBLIC_URL"`
	PasswordMemory    int    `help:"MiB of memory that the hashing of passwords uses at once; at least 64." default:"256" env:"CHANCERY_PASSWORD_MEMORY"`
	BreachedPasswords string `help:"File of passwords that nobody may choose: one a line, or sorted SHA-1 hashes as Have I Been Pwned publishes them." env:"CHANCERY_BREACHED_PASSWORDS" type:"path"`

	IssuerNetworks []netip.Prefix `help:"Networks, such as 10.0.0.0/8, that are not public and in which OpenID providers may be; none if absent." env:"CHANCERY_ISSUER_NETWORKS"`
	ReturnOrigins  []string       `help:"Origins, such as https://app.example.org, of pages to which users may be sent back from an OpenID provider." env:"CHANCERY_RETURN_ORIGINS"`

	WebhookNetworks  []netip.Prefix  `help:"Networks, such as 10.0.0.0/8, that are not public and in which receivers of webhooks may be, also without TLS; none if absent." env:"CHANCERY_WEBHOOK_NETWORKS"`
	WebhookTimeout   time.Duration   `help:"For one attempt to deliver to a webhook; above 0s." default:"15s" env:"CHANCERY_WEBHOOK_TIMEOUT"`
	DeliverySchedule []time.Duration `help:"How long after the attempt before it each attempt to deliver follows, the first being 0s; after the last one an event is a dead letter. 0s,5s,5m,30m,2h,5h,10h,14h,20h,24h if absent." env:"CHANCERY_DELIVERY_SCHEDULE"`
	DeliveryGiveUp   time.Duration   `help:"An endpoint is disabled after so long of nothing but failure; above 0s." default:"120h" env:"CHANCERY_DELIVERY_GIVE_UP"`
	DeliveryKeep     time.Duration   `help:"How long deliveries that are done, and their attempts, are kept; below 0s for ever." default:"2160h" env:"CHANCERY_DELIVERY_KEEP"`

	BridgeURL    string `help:"Broker that all events are copied to: nats://host:4222, kafka://host:9092,host:9092 or amqp://user:password@host:5672; none if absent." name:"bridge-url" env:"CHANCERY_BRIDGE_URL"`
	BridgeTenant string `help:"Id or slug of the tenant whose events are copied to the broker; all tenants if absent." env:"CHANCERY_BRIDGE_TENANT"`
	BridgePrefix string `help:"First word of the subjects on the broker." default:"chancery" env:"CHANCERY_BRIDGE_PREFIX"`

	SMTPURL  string `help:"Mail server: smtps://user:password@host:port or smtp://… with STARTTLS; the variable keeps the password out of the list of processes. No mail is sent if absent." name:"smtp-url" env:"CHANCERY_SMTP_URL"`
	MailFrom string `help:"Whom mail comes from, such as Chancery <chancery@example.org>." name:"mail-from" env:"CHANCERY_MAIL_FROM"`

	TrustedProxies []netip.Prefix `help:"Networks, such as 10.0.0.0/8, of the proxies in front: what they say in X-Forwarded-For is believed." env:"CHANCERY_TRUSTED_PROXIES"`
}

// Validate refuses what no delivery could be made with. The parser of the flags calls it, which has put the defaults in.
func (s Settings) Validate() error {
	schedule := s.DeliverySchedule
	switch {
	case s.WebhookTimeout <= 0:
		return errors.New("--webhook-timeout: must be longer than 0s")
	case len(schedule) > 0 && schedule[0] != 0:
		return errors.New("--delivery-schedule: must begin with 0s: the first attempt is made at once")
	case len(schedule) > 0 && slices.Min(schedule) < 0:
		return errors.New("--delivery-schedule: must hold nothing below 0s")
	case s.DeliveryGiveUp <= 0:
		return errors.New("--delivery-give-up: must be longer than 0s")
	case s.DeliveryKeep == 0:
		return errors.New("--delivery-keep: must be longer than 0s, or below it for ever")
	}
	return nil
}

func (s Settings) logger() *slog.Logger {
	var level slog.Level
	_ = level.UnmarshalText([]byte(s.LogLevel)) // one of four words
	return slog.New(slog.NewJSONHandler(os.Stderr, &slog.HandlerOptions{Level: level}))
}

func (s Settings) config() Config {
	return Config{DatabaseURL: s.DatabaseURL, Data: s.Data, PGBin: s.PGBin, Tenancy: s.Tenancy, Migrate: true, Log: s.logger(), Keys: s.keys(), ErasureLedger: s.Erasures, TrustedProxies: s.TrustedProxies,
		PublicURL: s.PublicURL, PasswordMemory: s.PasswordMemory, BreachedPasswords: s.BreachedPasswords, SMTPURL: s.SMTPURL, MailFrom: s.MailFrom,
		IssuerNetworks: s.IssuerNetworks, ReturnOrigins: s.ReturnOrigins,
		WebhookNetworks: s.WebhookNetworks, WebhookTimeout: s.WebhookTimeout, DeliverySchedule: s.DeliverySchedule, DeliveryGiveUp: s.DeliveryGiveUp,
		DeliveryKeep: s.DeliveryKeep, BridgeURL: s.BridgeURL, BridgeTenant: s.BridgeTenant, BridgePrefix: s.BridgePrefix}
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

// release is the version alone, against which apps say with which they work.
func release() string {
	number, _, _ := strings.Cut(Version(), " ")
	return number
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
	bar := progressOf(int64(plan.Lines()), "commands", progress)
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

// progressOf is a bar for work on so many things.
func progressOf(n int64, things string, out io.Writer) *progressbar.ProgressBar {
	return progressbar.NewOptions64(n,
		progressbar.OptionSetWriter(out), progressbar.OptionSetDescription(things), progressbar.OptionShowCount(),
		progressbar.OptionShowIts(), progressbar.OptionSetPredictTime(true), progressbar.OptionThrottle(100*time.Millisecond))
}
