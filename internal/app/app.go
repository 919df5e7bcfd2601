// Package app is the composition root: it puts the parts together, starts them in order and stops them in reverse. It decides nothing.
package app

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"os"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/google/uuid"

	"chancery/commands"
	"chancery/domain"
	"chancery/internal/access"
	"chancery/internal/apitoken"
	"chancery/internal/codec"
	"chancery/internal/deliveries"
	"chancery/internal/due"
	"chancery/internal/eventlog"
	"chancery/internal/feed"
	"chancery/internal/ledger"
	"chancery/internal/pulls"
	"chancery/internal/replay"
	"chancery/internal/throttle"
	"chancery/internal/vault"
	"chancery/projections"
	"chancery/readmodels"
)

// Config of a Chancery. The zero value of a field is documented with it.
type Config struct {
	DatabaseURL string // none: run a private PostgreSQL under Data
	Data        string // data folder; required
	PGBin       string // folder of postgres and initdb; searched for if empty
	Tenancy     string // row
	Migrate     bool
	Join        bool              // use the private database of a server that runs already
	Log         *slog.Logger      // none: silence
	Now         func() time.Time  // none: time.Now
	Resolver    commands.Resolver // none: the system's
	AllowUnsafe bool              // admit a database that is not durable; for tests
	Rate        float64           // requests per second of one principal; 0 for no bound

	Keys           KeySettings    // none: keys.json in the data folder, in the clear
	ErasureLedger  string         // file of the erasure ledger; none: erasures.log in the data folder
	TrustedProxies []netip.Prefix // believed about whom a request comes from; none: nobody is

	PublicURL         string // where browsers find us; passkeys are bound to its host. None: http://localhost
	PasswordMemory    int    // MiB that hashes of passwords use at once; 0: 256
	BreachedPasswords string // file of passwords that nobody may choose; none: the built-in ones alone

	SMTPURL   string        // smtp[s]://user:password@host:port, see mail.NewSMTP; none: no mail is sent
	MailFrom  string        // whom mail comes from
	MailRetry time.Duration // the first pause after a mail was not taken; 0: 5 s

	DueEvery time.Duration // how often to look for what has come due; 0: 10 s

	IssuerNetworks []netip.Prefix // that are not public and in which OpenID providers may be; none: no such ones
	ReturnOrigins  []string       // of pages, beside our own, to which users may be sent back from their issuer

	WebhookNetworks  []netip.Prefix  // that are not public and in which receivers of webhooks may be, also without TLS; none: no such ones
	WebhookTimeout   time.Duration   // for one attempt; 0: 15 s
	DeliverySchedule []time.Duration // how long after the attempt before it each one follows; none: domain.DeliverySchedule
	DeliveryGiveUp   time.Duration   // of nothing but failure, after which an endpoint is disabled; 0: domain.GiveUpAfter
	DeliveryKeep     time.Duration   // how long attempts and what they came to are kept; 0: 90 days; negative: for ever

	BridgeURL    string // broker that the stream is copied to: nats://, kafka:// or amqp://; none: there is no bridge
	BridgeTenant string // id or slug of the tenant whose events are copied; none: of all
	BridgePrefix string // first word of subjects; none: chancery
}

// App is a running Chancery without its HTTP listener.
type App struct {
	config Config
	given  func() time.Time // the clock of Config, if there is one
	log    *slog.Logger

	ledger     *ledger.Ledger
	vault      *vault.Vault
	raw        *eventlog.PG
	store      *codec.Store
	index      *access.Index
	follower   *follower
	erased     *erasedOnes
	engine     *commands.Engine
	refusals   *commands.Refusals
	sightings  *commands.Sightings
	feed       *feed.Feed
	reader     *readmodels.Reader
	past       *replay.Past
	due        *due.Watcher
	throttle   *throttle.Throttle
	resets     *commands.Resets
	mailer     atomic.Pointer[mailer]
	metrics    *metrics
	directory  webhookDirectory
	pulls      *pulls.Pulls
	deliveries atomic.Pointer[deliveries.Engine]

	gone    <-chan struct{} // closed when the private database ends by itself
	stop    context.CancelFunc
	running sync.WaitGroup
	closers []func()
}

// ErrTenancy refuses an unknown tenancy.
var ErrTenancy = errors.New("CHANCERY_TENANCY must be row; a database per tenant is not built yet")

// Open starts everything but the listener. Close it.
func Open(ctx context.Context, c Config) (*App, error) {
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	given := c.Now
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Tenancy != "" && c.Tenancy != "row" {
		return nil, ErrTenancy
	}
	a := &App{config: c, given: given, log: c.Log, metrics: newMetrics()}
	if err := a.open(ctx); err != nil {
		a.Close()
		return nil, err
	}
	return a, nil
}

func (a *App) open(ctx context.Context) error {
	running, stop := context.WithCancel(context.WithoutCancel(ctx))
	a.stop = stop
	for _, step := range []func(ctx, running context.Context) error{
		a.openDatabase, a.openLog, a.openPulls, a.openCommands, a.openAuthn, a.openErasures, a.openFeed, a.openQueries, a.openDue, a.openMail, a.openDeliveries, a.openForgetting,
	} {
		if err := step(ctx, running); err != nil {
			return err
		}
	}
	return nil
}

func (a *App) onClose(fn func()) { a.closers = append(a.closers, fn) }

// Close stops everything, the last started first. What was acknowledged is durable already.
func (a *App) Close() {
	if a.stop != nil {
		a.stop()
	}
	a.running.Wait()
	for _, stop := range slices.Backward(a.closers) {
		stop()
	}
	a.closers = nil
}

func (a *App) openDatabase(ctx, _ context.Context) error {
	if err := os.MkdirAll(a.config.Data, 0o700); err != nil {
		return fmt.Errorf("data folder: %w", err)
	}
	url, gone, stop, err := database(ctx, a.config)
	if err != nil {
		return err
	}
	a.gone = gone
	a.onClose(stop)
	l, err := ledger.Open(ctx, ledger.Config{URL: url, Migrate: a.config.Migrate, AllowUnsafe: a.config.AllowUnsafe})
	if err != nil {
		return err
	}
	a.ledger = l
	a.onClose(l.Close)
	keys, err := a.openKeys(ctx)
	if err != nil {
		return err
	}
	a.vault = vault.New(vault.Config{Keys: keys, Source: l})
	return nil
}

func (a *App) openLog(ctx, running context.Context) error {
	a.store = &codec.Store{Vault: a.vault, Catalog: domain.Catalog}
	a.index = access.New()
	a.erased = a.newErasedOnes()
	a.follower = &follower{index: a.index, store: a.store, erased: a.erased, log: a.log}
	a.raw = eventlog.Open(a.ledger, eventlog.Config{Now: a.config.Now, OnAppend: a.appended, OnBatch: a.metrics.batch})
	a.store.Log = a.raw
	a.onClose(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		if err := a.raw.Close(ctx); err != nil {
			a.log.Error("the log did not close in time", "error", err)
		}
	})
	if err := a.follower.Fresh(ctx); err != nil {
		return err
	}
	a.running.Go(func() { a.follower.run(running) })
	return nil
}

func (a *App) appended(events []eventlog.Raw) {
	a.store.Remember(events)
	a.follower.appended(events)
	if a.feed != nil {
		a.feed.Poke()
	}
	if m := a.mailer.Load(); m != nil {
		m.appended(events)
	}
	a.pullable(events)
	a.deliverable()
}

func (a *App) openCommands(_, running context.Context) error {
	resolver := a.config.Resolver
	if resolver == nil {
		resolver = dns{net.DefaultResolver}
	}
	a.engine = &commands.Engine{
		Store: a.store, Now: a.config.Now, Resolver: resolver,
		Mint: a.mint, Hash: hash, Observe: a.metrics.command,
		Follow: a.follower.upTo, Settle: a.settle, Mails: a.config.SMTPURL != "", Version: release(), PrivateWebhooks: len(a.config.WebhookNetworks) > 0,
		Powerful: func(u domain.UserID) bool { return a.index.Powerful(u, a.config.Now()) },
		Judge:    a.index.Judge,
		Assigned: func(t domain.TenantID) []domain.RoleID { return a.index.Assigned(t) },
		Begins:   a.index.Begins,
		Keygen: func(seed string, id uuid.UUID) [32]byte {
			return a.vault.TokenSecret("signing-key", seed, id.String())
		},
		Tally: a.index.Tally, Seats: a.index.Seats,
		Recorded: a.recorded, Reached: a.reached, Delivers: a.delivers, Checkpoint: a.checkpoint,
	}
	a.refusals, a.sightings = commands.NewRefusals(a.engine, a.log), commands.NewSightings(a.engine, a.log)
	a.running.Go(func() { a.refusals.Run(running) })
	a.running.Go(func() { a.sightings.Run(running) })
	return nil
}

// mint makes a token. The same seed makes the same token, so that a repeated request gets the same answer.
func (a *App) mint(purpose, seed string, id uuid.UUID) string {
	return apitoken.New(apitoken.KindFor(purpose), id, a.vault.TokenSecret("api-token", purpose, seed, id.String()))
}

func hash(token string) (prefix string, sum []byte) {
	t, err := apitoken.Parse(token)
	if err != nil {
		panic("app: a token of our own making does not parse") // cannot happen: New and Parse are inverse
	}
	return token[:len("chn_pat_")+8], t.Hash[:]
}

func (a *App) projectors() []replay.Projection {
	return []replay.Projection{
		{Projector: projections.Core, Tables: projections.Core.Tables(), Own: true},
		{Projector: projections.Audit, Tables: projections.Audit.Tables(), Grows: true},
	}
}

func (a *App) openFeed(ctx, running context.Context) error {
	var projectors []feed.Projector
	for _, p := range a.projectors() {
		projectors = append(projectors, p.Projector)
	}
	followers, err := a.bridged()
	if err != nil {
		return err
	}
	again := &redeliveries{}
	f, err := feed.New(feed.Config{
		Pool: a.ledger.Pool(ledger.Project), Decode: a.store.Decode, Projectors: projectors,
		Reactions: []feed.Reaction{a.cascades(), a.accessChanges(), a.appLicenses(), again, a.endpointNotices()}, Followers: followers,
		Now: a.config.Now, Log: a.log, Hooks: again.waking(a.listening(a.metrics.feed()), a.wakeDeliveries),
	})
	if err != nil {
		return err
	}
	if err := f.Begin(ctx); err != nil {
		return err
	}
	a.feed = f
	a.metrics.reactions(f)
	a.running.Go(func() {
		if err := f.Run(running); err != nil {
			a.log.Error("the feed ended", "error", err)
		}
	})
	return nil
}

func (a *App) openQueries(ctx, _ context.Context) error {
	a.reader = readmodels.New(readmodels.Config{Source: a.ledger, Opener: a.vault, Claim: a.store.Claim, Means: (&subscribers{}).means})
	past, err := replay.OpenPast(ctx, replay.PastConfig{
		Owner: a.ledger.Pool(ledger.Owner), Project: a.ledger.Pool(ledger.Project),
		Decode: a.store.Decode, Projections: a.projectors(), Now: a.config.Now, Log: a.log,
	})
	if err != nil {
		return err
	}
	a.past = past
	a.onClose(past.Close)
	return nil
}

// Replay rebuilds and verifies the projections.
func (a *App) Replay() (*replay.Replay, error) {
	return replay.New(replay.Config{
		Owner: a.ledger.Pool(ledger.Owner), Project: a.ledger.Pool(ledger.Project), Source: eventlog.Bare{PG: a.raw},
		Decode: a.store.Decode, Projections: a.projectors(), Log: a.log,
	})
}

// Install makes what every installation has; call it before serving.
func (a *App) Install(ctx context.Context) error { return a.install(ctx) }

// Ready lists why requests should go elsewhere; none if all is well.
func (a *App) Ready(ctx context.Context) []string {
	ctx, cancel := context.WithTimeout(ctx, 3*time.Second)
	defer cancel()
	reasons, err := a.ledger.Ready(ctx)
	if err != nil {
		return []string{"the database cannot be reached"}
	}
	head, err := a.raw.Head(ctx)
	if err != nil {
		return append(reasons, "the log cannot be read")
	}
	for _, s := range a.feed.Status() {
		switch {
		case s.Reaction, s.Follower: // what it is late with happens late; nobody is answered by it
		case s.Stuck > 0:
			reasons = append(reasons, fmt.Sprintf("projector %s is stuck at event %d (%s)", s.Name, s.Stuck, s.StuckType))
		case s.Lag > 30*time.Second:
			reasons = append(reasons, fmt.Sprintf("projector %s is %s behind", s.Name, s.Lag.Round(time.Second)))
		}
	}
	if a.erased.failing.Load() {
		reasons = append(reasons, "erasures are not on record: the erasure ledger cannot be written")
	}
	if at := a.index.Position(); at < head {
		reasons = append(reasons, fmt.Sprintf("the access index is at %d of %d", at, head))
	}
	return reasons
}

type dns struct{ resolver *net.Resolver }

// TXT answers none where the name does not exist: that is no fault.
func (d dns) TXT(ctx context.Context, name string) ([]string, error) {
	records, err := d.resolver.LookupTXT(ctx, name)
	if missing, ok := errors.AsType[*net.DNSError](err); ok && missing.IsNotFound {
		return nil, nil
	}
	return records, err
}
