package deliveries

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"slices"
	"sync"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5/pgxpool"

	"chancery/internal/eventlog"
)

// Pager reads the log in order, as eventlog.Sips does: a page MUST be bounded in bytes.
type Pager interface {
	Page(ctx context.Context, after int64, limit int) ([]eventlog.Raw, error)
}

// Config of an Engine. What has no default named is required.
type Config struct {
	Pool *pgxpool.Pool // as role chancery_project
	Log  Pager

	// Load lists the endpoints that events are sent to, also those that are closed for the time being.
	Load func(context.Context) ([]Endpoint, error)
	// Concerns reports whether an event may change what Load answers of its tenant, or what Means does. Settle returns when both show what is
	// recorded up to a position: no endpoint of the tenant has such an event, or one after it, judged before.
	Concerns func(*eventlog.Raw) bool
	Settle   func(ctx context.Context, position int64) error
	// Send makes one attempt. It MUST end soon after its context does; nobody waits for one that has not after another Patience.
	Send func(context.Context, Endpoint, Item) Outcome
	// Disable closes an endpoint: its receiver wants nothing any more, or nothing was delivered since failingSince. It is called again
	// until it succeeds.
	Disable func(ctx context.Context, tenant, endpoint uuid.UUID, gone bool, failingSince time.Time) error
	Type    func(*eventlog.Raw) string                // of an event, as apps see it
	Subject func(*eventlog.Raw) string                // of an event of Chancery's own, as apps see it
	Data    func(*eventlog.Raw) []byte                // of an event, as apps see it
	ID      func(endpoint, event uuid.UUID) uuid.UUID // of a delivery

	Schedule []time.Duration  // how long after the attempt before it each attempt follows; the first is made at once
	GiveUp   time.Duration    // of nothing but failure, after which an endpoint is disabled
	Jitter   func() float64   // in [0, 1): how much of a tenth an attempt is put off; none: by chance
	Now      func() time.Time // none: time.Now
	Process  string           // who we are, for the record of attempts
	Logger   *slog.Logger     // none: slog.Default
	Hooks    Hooks

	RingBytes int           // newest events that are kept at hand; 0: 16 MiB
	HeldBytes int64         // of events on their way, above which each endpoint of a tenant that has more than its share has but one; 0: 24 MiB
	Requests  int           // under way, above which each endpoint has but one; no tenant gets all; 0: a quarter of the files that may be open, at most 4,096
	Poll      time.Duration // how often to look without being woken; 0: 500 ms
	Patience  time.Duration // for what is under way when endpoints are given to another process, or we stop; 0: 5 s
	Longest   time.Duration // that an attempt takes: what is under way when one endpoint alone is changed or gone has that long; 0: 16 s
}

// Hooks are told what happens, for metrics; each may be nil. They MUST be quick.
type Hooks struct {
	Attempted func(e *Endpoint, out *Outcome, status string) // status of the delivery after it
	Recorded  func(attempts int, took time.Duration)         // of one commit
	Fresh     func(lag time.Duration)                        // from the recording of an event to the start of its first attempt
	Anew      func()                                         // something is due that was asked for anew, at any endpoint of any kind
}

// Engine sends events to the endpoints that this process has in hand. Other processes may run engines on the same database: each
// endpoint is in the hands of one at a time.
type Engine struct {
	cfg   Config
	tail  *tail
	write *recorder
	due   *clerk
	anew  *redeliverer
	share *sharer

	over    chan struct{} // closed when nobody waits for anything any more
	reading chan struct{} // holds a token for each page that may be read at once
	sends   sync.WaitGroup
	held    sum // bytes of events on their way
	flying  sum // attempts under way

	mu       sync.RWMutex // guards what follows; taken before a pump's
	pumps    map[place]*pump
	byTenant map[uuid.UUID][]*pump // those that are not closing
	accounts map[uuid.UUID]*account
}

// place names an endpoint.
type place struct{ tenant, id uuid.UUID }

// New makes an engine; nothing happens before Run.
func New(c Config) (*Engine, error) {
	if c.Pool == nil || c.Log == nil || c.Load == nil || c.Concerns == nil || c.Settle == nil || c.Send == nil || c.Disable == nil || c.Type == nil || c.ID == nil {
		return nil, errors.New("deliveries: something that is required is not given")
	}
	if len(c.Schedule) == 0 || c.GiveUp <= 0 {
		return nil, errors.New("deliveries: a schedule and when to give up are required")
	}
	setDefaults(&c)
	e := &Engine{cfg: c, over: make(chan struct{}), reading: make(chan struct{}, 3), pumps: map[place]*pump{}, byTenant: map[uuid.UUID][]*pump{}, accounts: map[uuid.UUID]*account{}}
	e.tail = newTail(e)
	e.write = newRecorder(e)
	e.due = newClerk(e)
	e.anew = newRedeliverer(e)
	e.share = newSharer(e)
	return e, nil
}

func setDefaults(c *Config) {
	if c.Jitter == nil {
		c.Jitter = rand.Float64
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Logger == nil {
		c.Logger = slog.Default()
	}
	if c.RingBytes <= 0 {
		c.RingBytes = 16 << 20
	}
	if c.HeldBytes <= 0 {
		c.HeldBytes = 24 << 20
	}
	if c.Requests <= 0 {
		c.Requests = mostRequests()
	}
	if c.Poll <= 0 {
		c.Poll = 500 * time.Millisecond
	}
	if c.Patience <= 0 {
		c.Patience = 5 * time.Second
	}
	if c.Longest <= 0 {
		c.Longest = 16 * time.Second
	}
}

// Run delivers until ctx ends. Then it waits a little for what is under way, records it, and gives its endpoints back.
func (e *Engine) Run(ctx context.Context) {
	working, stop := context.WithCancel(context.WithoutCancel(ctx))
	var running sync.WaitGroup
	running.Go(func() { e.write.run(working) })
	running.Go(func() { e.due.run(ctx) })
	running.Go(func() { e.anew.run(ctx) })
	running.Go(func() { e.tail.run(ctx) })
	e.share.run(ctx) // returns when all is given back, or cannot be
	close(e.over)
	stop()
	running.Wait()
	e.sends.Wait()
}

// Poke says that events were appended. It never blocks.
func (e *Engine) Poke() { e.tail.poke() }

// Wake has everything looked for that has come due, or is to be delivered anew. It never blocks.
func (e *Engine) Wake() {
	e.anew.poke()
	e.due.poke(true)
}

// Status is how an endpoint that this process has in hand is doing.
type Status struct {
	Tenant, Endpoint uuid.UUID
	InFlight         int
	Cursor           int64 // tenant_seq; all that is meant up to it is on record
	NextDue          time.Time
	FailingSince     time.Time
	Closed           bool // is sent nothing for now
}

// Status lists the endpoints in hand.
func (e *Engine) Status() []Status {
	var all []Status
	for _, p := range e.list() {
		all = append(all, p.status())
	}
	return all
}

// list is the pumps that work.
func (e *Engine) list() []*pump {
	e.mu.RLock()
	defer e.mu.RUnlock()
	all := make([]*pump, 0, len(e.pumps))
	for _, p := range e.pumps {
		all = append(all, p)
	}
	return all
}

// wake has the endpoints of a tenant look for news.
func (e *Engine) wake(tenant uuid.UUID) {
	e.mu.RLock()
	pumps := e.byTenant[tenant]
	e.mu.RUnlock() // slices there are never changed, only replaced
	for _, p := range pumps {
		p.poke()
	}
}

// begin puts a pump to work.
func (e *Engine) begin(p *pump) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.pumps[p.place] = p
	e.byTenant[p.tenant] = append(slices.Clip(e.byTenant[p.tenant]), p)
}

// hide has a pump hear no more news; it is still there until it is idle.
func (e *Engine) hide(p *pump) {
	e.mu.Lock()
	defer e.mu.Unlock()
	rest := slices.DeleteFunc(slices.Clone(e.byTenant[p.tenant]), func(o *pump) bool { return o == p })
	if len(rest) == 0 {
		delete(e.byTenant, p.tenant)
		return
	}
	e.byTenant[p.tenant] = rest
}

func (e *Engine) forget(p *pump) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.pumps[p.place] == p {
		delete(e.pumps, p.place)
	}
}

// sleep waits, and reports whether ctx goes on.
func sleep(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// guarded turns a panic of what the engine was given into an error.
func guarded(what string, do func() error) (err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("%s panicked: %v", what, r)
		}
	}()
	return do()
}
