package commands_test

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"reflect"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"

	"chancery/commands"
	"chancery/commands/commandstest"
	"chancery/domain"
	"chancery/internal/apitoken"
	"chancery/internal/codec"
	"chancery/internal/dcb"
	"chancery/internal/eventlog"
	"chancery/internal/eventlog/memlog"
	"chancery/internal/vault"
)

// world is an engine over a log in memory, in which the tenants acme and globex exist.
type world struct {
	*commands.Engine
	log   *meddled
	vault *vault.Vault

	mu       sync.Mutex // owns the rest
	now      time.Time
	attempts map[string]int // of the last execution of a command
}

// meddled is a log with somebody else at it: the hooks run once, before the call goes on.
type meddled struct {
	*memlog.Log
	mu                       sync.Mutex // owns the rest
	beforeRead, beforeAppend func()
	reads, skip              int
}

func (l *meddled) once(hook *func()) {
	l.mu.Lock()
	do := *hook
	*hook = nil
	l.mu.Unlock()
	if do != nil {
		do()
	}
}

func (l *meddled) Read(ctx context.Context, q eventlog.Query) ([]eventlog.Raw, int64, error) {
	l.mu.Lock()
	l.reads++
	due := l.reads > l.skip
	l.mu.Unlock()
	if due {
		l.once(&l.beforeRead)
	}
	return l.Log.Read(ctx, q)
}

func (l *meddled) Append(ctx context.Context, r eventlog.Request) (eventlog.Verdict, error) {
	l.once(&l.beforeAppend)
	return l.Log.Append(ctx, r)
}

// beforeSecondRead runs a hook between the first read from now on and the one after it.
func (l *meddled) beforeSecondRead(do func()) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.beforeRead, l.skip = do, l.reads+1
}

func (l *meddled) beforeNextAppend(do func()) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.beforeAppend = do
}

func newKeys(t testing.TB) *vault.Keys {
	t.Helper()
	keys, err := vault.LoadKeys(filepath.Join(t.TempDir(), "keys"))
	if err != nil {
		t.Fatal(err)
	}
	return keys
}

func newWorld(t testing.TB) *world { t.Helper(); return worldWith(t, newKeys(t)) }

func worldWith(t testing.TB, keys *vault.Keys) *world {
	t.Helper()
	w := &world{now: now, attempts: map[string]int{}}
	w.log = &meddled{Log: memlog.New(eventlog.Config{Now: w.clock})}
	w.vault = vault.New(vault.Config{Keys: keys, Source: keysOf{w.log.Log}})
	w.Engine = &commands.Engine{
		Store: &codec.Store{Log: w.log, Vault: w.vault, Catalog: domain.Catalog}, Now: w.clock, Resolver: zone{},
		Mint: func(purpose, seed string, id uuid.UUID) string {
			return apitoken.New(apitoken.KindFor(purpose), id, keys.TokenSecret(purpose, seed, id.String()))
		},
		Hash: hashed, Authn: commandstest.Authn{},
		Keygen: func(seed string, id uuid.UUID) [32]byte { return keys.TokenSecret("signing-key", seed, id.String()) },
		Observe: func(command, _ string, _ time.Duration, attempts int) {
			w.mu.Lock()
			defer w.mu.Unlock()
			w.attempts[command] = attempts
		},
	}
	w.must(t, commands.SystemOrder("install", commands.Install{}, domain.Root, dcb.Provenance{}))
	w.must(t, w.order(domain.Root, &commands.CreateTenant{ID: acme, Name: "Acme", Slug: "acme"}))
	w.must(t, w.order(domain.Root, &commands.CreateTenant{ID: globex, Name: "Globex", Slug: "globex"}))
	return w
}

type keysOf struct{ log *memlog.Log }

func (k keysOf) SubjectKeys(_ context.Context, tenant uuid.UUID, subjects []uuid.UUID) (map[uuid.UUID][]byte, error) {
	found := map[uuid.UUID][]byte{}
	for _, s := range subjects {
		if key, ok := k.log.Key(tenant, s); ok {
			found[s] = key
		}
	}
	return found, nil
}

func (w *world) clock() time.Time {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.now
}

func (w *world) tried(command string) int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.attempts[command]
}

// order makes an order of a command (a pointer), by one from whom nothing is kept.
func (w *world) order(t domain.TenantID, command any, changes ...func(*commands.Order)) commands.Order {
	o := commands.NewOrder(specOf(command), command, t)
	o.Fingerprint = commands.Fingerprint(fmt.Appendf(nil, "%s %+v", o.Spec.Name, command))
	o.Rights, o.Seed = rights{all: true}, o.Request.String()
	o.By = dcb.Provenance{Actor: chief.UUID, Effective: chief.UUID, ActorTenant: domain.Root.UUID}
	for _, change := range changes {
		change(&o)
	}
	return o
}

func specOf(command any) *commands.Spec {
	for i := range commands.Registry {
		if reflect.TypeOf(commands.Registry[i].Zero) == reflect.TypeOf(command).Elem() {
			return &commands.Registry[i]
		}
	}
	panic(fmt.Sprintf("%T is in no registry", command))
}

func keyed(name string) func(*commands.Order) {
	return func(o *commands.Order) {
		o.Request, o.Keyed, o.Seed = named("request "+name), true, name
	}
}

func ifMatch(position int64) func(*commands.Order) {
	return func(o *commands.Order) { o.IfMatch = position }
}

func at(when time.Time) func(*commands.Order) { return func(o *commands.Order) { o.At = when } }

func (w *world) do(o commands.Order) (commands.Result, error) {
	return w.Execute(context.Background(), o)
}

func (w *world) must(t testing.TB, o commands.Order) commands.Result {
	t.Helper()
	r, err := w.do(o)
	if err != nil {
		t.Fatalf("%s: %v", o.Spec.Name, err)
	}
	return r
}

func (w *world) refused(t testing.TB, o commands.Order, want *domain.Refusal) {
	t.Helper()
	see(want)
	if r, err := w.do(o); !isRefusal(err, want) {
		t.Fatalf("%s: got %+v, %v; want refusal %v", o.Spec.Name, r, err, want)
	}
}

func isRefusal(err error, want *domain.Refusal) bool {
	got, ok := domain.IsRefusal(err)
	return ok && got == want
}

func (w *world) batch(t testing.TB, tenant domain.TenantID, atomic bool, orders ...commands.Order) []commands.Outcome {
	t.Helper()
	outcomes, err := w.Batch(context.Background(), tenant, orders, atomic)
	if err != nil {
		t.Fatal(err)
	}
	return outcomes
}

// outcomes requires success where there is nil, and else that error.
func outcomes(t testing.TB, got []commands.Outcome, want ...error) {
	t.Helper()
	if len(got) != len(want) {
		t.Fatalf("%d outcomes, want %d", len(got), len(want))
	}
	for i, w := range want {
		if r, ok := domain.IsRefusal(w); ok {
			see(r)
		}
		if !errors.Is(got[i].Err, w) {
			t.Errorf("line %d: got %+v, want %v", i, got[i], w)
		}
	}
}

func (w *world) head(t testing.TB) int64 {
	t.Helper()
	head, err := w.log.Head(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	return head
}

// stored is every event from a position on, personal fields opened.
func (w *world) stored(t testing.TB, after int64) []dcb.Recorded {
	t.Helper()
	raws, err := w.log.Page(context.Background(), after, 1<<20)
	if err != nil {
		t.Fatal(err)
	}
	events, err := w.Store.(*codec.Store).DecodeAll(raws)
	if err != nil {
		t.Fatal(err)
	}
	for i, r := range events {
		events[i].Event, err = dcb.MapPersonal(r.Event, func(name string, p dcb.Personal) (dcb.Personal, error) {
			plain, err := w.vault.Open(context.Background(), r.Tenant, name, p.Ciphertext())
			return dcb.Plain(plain), err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	return events
}
