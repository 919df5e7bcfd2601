package transport_test

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"

	"chancery/commands"
	"chancery/commands/commandstest"
	"chancery/domain"
	"chancery/internal/access"
	"chancery/internal/apitoken"
	"chancery/internal/codec"
	"chancery/internal/dcb"
	"chancery/internal/eventlog"
	"chancery/internal/eventlog/memlog"
	"chancery/internal/throttle"
	"chancery/internal/vault"
	"chancery/readmodels"
	"chancery/transport"
)

// world is a whole Chancery but for the database: a log in memory, the real engine, the real access index, and tables
// that are read from the log.
type world struct {
	t      *testing.T
	log    *memlog.Log
	store  *codec.Store
	index  *access.Index
	engine *commands.Engine
	server *transport.Server
	config transport.Config
	vars   map[string]string
	clock  atomic.Int64
	logged *safeBuffer

	mu               sync.Mutex
	refused          []string
	observe          []string
	tried, forgotten []string // of the throttle
	usedUp           string   // keys that hold it are
	stale            error    // of Fresh
	seen             int64    // what the tables have seen; negative: everything
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

type noDNS struct{}

func (noDNS) TXT(context.Context, string) ([]string, error) { return nil, nil }

// safeBuffer is what was logged.
type safeBuffer struct {
	mu   sync.Mutex
	text strings.Builder
}

func (b *safeBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.Write(p)
}

func (b *safeBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.String()
}

func newWorld(t testing.TB) *world {
	w := &world{index: access.New(), vars: map[string]string{}, seen: -1, logged: &safeBuffer{}}
	if tt, ok := t.(*testing.T); ok {
		w.t = tt
	}
	w.clock.Store(time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC).UnixNano())
	now := func() time.Time { return time.Unix(0, w.clock.Add(int64(time.Millisecond))).UTC() }
	w.log = memlog.New(eventlog.Config{Now: now, OnAppend: func(raws []eventlog.Raw) {
		page, err := w.store.DecodeAll(raws)
		if err == nil {
			err = w.index.Apply(page)
		}
		if err != nil {
			panic(err)
		}
	}})
	keys, err := vault.LoadKeys(filepath.Join(t.TempDir(), "keys.json"))
	if err != nil {
		t.Fatal(err)
	}
	v := vault.New(vault.Config{Keys: keys, Source: keysOf{w.log}})
	w.store = &codec.Store{Log: w.log, Vault: v, Catalog: domain.Catalog}
	w.engine = &commands.Engine{
		Store: w.store, Now: now, Resolver: noDNS{}, Authn: commandstest.Authn{},
		Mint: func(purpose, seed string, id uuid.UUID) string {
			return apitoken.New(apitoken.KindFor(purpose), id, v.TokenSecret("api-token", purpose, seed, id.String()))
		},
		Keygen: func(seed string, id uuid.UUID) [32]byte { return v.TokenSecret("signing-key", seed, id.String()) },
		Hash: func(token string) (string, []byte) {
			sum := sha256.Sum256([]byte(token))
			return token[:16], sum[:]
		},
	}
	w.config = transport.Config{
		Commands: w.engine, Access: w.index, AccessAsOf: w.accessAsOf, Queries: tables{w}, Refusals: w, Bootstrap: w.bootstrap,
		Authn: commandstest.Authn{}, SigningKeys: w.engine.SigningKeys, Sightings: sightings{w}, Throttle: w,
		Fresh: func(context.Context) error { return w.stale }, Ready: func(context.Context) []string { return nil },
		Now: now, Log: slog.New(slog.NewTextHandler(w.logged, nil)), Version: "test",
		Metrics: http.HandlerFunc(func(rw http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(rw, "# metrics\n") }),
		Observe: func(method, route string) func(int, time.Duration) {
			return func(status int, _ time.Duration) {
				w.mu.Lock()
				defer w.mu.Unlock()
				w.observe = append(w.observe, fmt.Sprintf("%s %s %d", method, route, status))
			}
		},
	}
	w.restart(t)
	w.install(t)
	return w
}

// restart makes the server anew from the configuration, for tests that change it.
func (w *world) restart(t testing.TB) {
	t.Helper()
	var err error
	if w.server, err = transport.New(w.config); err != nil {
		t.Fatal(err)
	}
}

const bootstrapToken = "chn_boot_test"

func (w *world) install(t testing.TB) {
	var all []domain.PrivilegeRegistered
	for _, s := range commands.Registry {
		if !slices.ContainsFunc(all, func(p domain.PrivilegeRegistered) bool { return p.Privilege == s.Privilege }) {
			all = append(all, domain.PrivilegeRegistered{Privilege: s.Privilege, Description: s.Doc})
		}
	}
	all = append(all, domain.PrivilegeRegistered{Privilege: commands.Export.Privilege})
	for _, c := range readmodels.Collections {
		all = append(all, domain.PrivilegeRegistered{Privilege: c.Privilege()})
	}
	all = append(all, domain.PrivilegeRegistered{Privilege: "core.access.evaluate"}, domain.PrivilegeRegistered{Privilege: "core.history.import"}, domain.PrivilegeRegistered{Privilege: transport.ReadGateway})
	install := commands.SystemOrder("install", commands.Install{Privileges: all}, domain.Root, dcb.Provenance{})
	if _, err := w.engine.Execute(t.Context(), install); err != nil {
		t.Fatal(err)
	}
	w.vars["boot"] = bootstrapToken
}

func (w *world) bootstrap(ctx context.Context, _ transport.Origin, given, email, name string) (token string, user, tenant uuid.UUID, err error) {
	if given != bootstrapToken {
		return "", user, tenant, access.ErrUnauthenticated
	}
	c := commands.Bootstrap{
		User: domain.UserID{UUID: uuid.Must(uuid.NewV7())}, Token: domain.TokenID{UUID: uuid.Must(uuid.NewV7())},
		Assignment: domain.AssignmentID{UUID: uuid.Must(uuid.NewV7())}, Email: email, DisplayName: name,
	}
	result, err := w.engine.Execute(ctx, commands.SystemOrder("bootstrap", c, domain.Root, dcb.Provenance{Actor: c.User.UUID}))
	return result.Reveal[1], c.User.UUID, domain.Root.UUID, err
}

func (w *world) Note(_ commands.Party, command, code, object string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.refused = append(w.refused, fmt.Sprintf("%s %s %s", command, code, object))
}

// sightings are noted among the refusals.
type sightings struct{ w *world }

func (s sightings) Note(_ domain.TenantID, _ domain.UserID, id domain.SessionID) {
	s.w.Note(commands.Party{}, "seen", "", string(id.Tag()))
}

// Take admits whatever is not used up, and notes it.
func (w *world) Take(_ context.Context, _ time.Time, tries ...throttle.Try) (time.Duration, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, try := range tries {
		w.tried = append(w.tried, try.Key)
		if w.usedUp != "" && strings.Contains(try.Key, w.usedUp) {
			return 90 * time.Second, nil
		}
	}
	return 0, nil
}

func (w *world) Forget(_ context.Context, keys ...string) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.forgotten = append(w.forgotten, keys...)
	return nil
}

// accessAsOf folds the log anew.
func (w *world) accessAsOf(ctx context.Context, _ domain.TenantID, m transport.Moment) (transport.Judge, time.Time, error) {
	raws, err := w.log.Page(ctx, 0, 1<<30)
	if err != nil {
		return nil, m.Time, err
	}
	if m.Position > int64(len(raws)) {
		return nil, m.Time, transport.ErrBeyond
	}
	x := access.New()
	for _, raw := range raws {
		if m.Time.IsZero() && raw.Position > m.Position || !m.Time.IsZero() && raw.OccurredAt.After(m.Time) {
			break
		}
		r, err := w.store.Decode(raw)
		if err == nil {
			err = x.Apply([]dcb.Recorded{r})
		}
		if err != nil {
			return nil, m.Time, err
		}
	}
	at := m.Time
	if at.IsZero() && m.Position > 0 {
		at = raws[m.Position-1].OccurredAt
	}
	return x, at, nil
}

// tables shows what the log says of things, as the read models would.
type tables struct{ w *world }

func (q tables) Now(t domain.TenantID) transport.View { return view{q.w, t, 1 << 60} }

func (q tables) AsOf(ctx context.Context, t domain.TenantID, _ string, m transport.Moment) (transport.View, func(), error) {
	head, err := q.w.log.Head(ctx)
	switch {
	case err != nil:
		return nil, nil, err
	case m.Position > head:
		return nil, nil, transport.ErrBeyond
	case !m.Time.IsZero():
		return view{q.w, t, head}, func() {}, nil
	}
	return view{q.w, t, m.Position}, func() {}, nil
}

func (q tables) Wait(ctx context.Context, _ string, position int64) error {
	head, err := q.w.log.Head(ctx)
	if err != nil || head >= position && (q.w.seen < 0 || q.w.seen >= position) {
		return err
	}
	<-ctx.Done()
	return ctx.Err()
}

func (q tables) EventsAt(ctx context.Context, t domain.TenantID, positions []int64) ([]readmodels.EventRef, error) {
	raws, err := q.w.log.Page(ctx, 0, 1<<30)
	var refs []readmodels.EventRef
	for _, r := range raws {
		if slices.Contains(positions, r.Position) && r.Tenant == t.UUID {
			refs = append(refs, readmodels.EventRef{Position: readmodels.Position(r.Position), ID: r.ID, Type: r.Type})
		}
	}
	return refs, err
}

type view struct {
	w      *world
	tenant domain.TenantID
	upTo   int64
}

type row struct {
	ID      string              `json:"id"`
	Version readmodels.Position `json:"version"`
	owner   uuid.UUID
}

func (r *row) OwnedBy(user uuid.UUID) bool { return r.owner == user }

func (v view) rows(ctx context.Context, c readmodels.Collection) (rows []row, seen readmodels.Position, err error) {
	raws, err := v.w.log.Page(ctx, 0, 1<<30)
	for _, r := range raws {
		if r.Position > v.upTo {
			break
		}
		seen = readmodels.Position(r.Position)
		if r.Tenant != v.tenant.UUID || domain.Catalog.KindOf(r.Type) != c.Kind {
			continue
		}
		for _, tag := range r.Tags {
			id, ok := strings.CutPrefix(tag, c.Kind+":")
			if !ok {
				continue
			}
			i := slices.IndexFunc(rows, func(r row) bool { return r.ID == id })
			if i < 0 {
				i, rows = len(rows), append(rows, row{ID: id})
			}
			rows[i].Version = seen
			for _, t := range r.Tags {
				if user, ok := strings.CutPrefix(t, "user:"); ok {
					rows[i].owner = uuid.MustParse(user)
				}
			}
		}
	}
	return rows, seen, err
}

func (v view) List(ctx context.Context, c readmodels.Collection, p readmodels.Params) (readmodels.Page, error) {
	for name := range p.Filter {
		if !slices.ContainsFunc(c.Filters, func(f readmodels.Filter) bool { return f.Name == name }) {
			return readmodels.Page{}, &readmodels.InputError{Parameter: name, Detail: "is no filter of " + c.Name}
		}
	}
	if p.Cursor != "" && p.Cursor != "next" {
		return readmodels.Page{}, readmodels.ErrCursor
	}
	rows, seen, err := v.rows(ctx, c)
	page := readmodels.Page{Position: seen}
	for _, r := range rows {
		if p.Limit > 0 && len(page.Items) == int(p.Limit) {
			page.Next = "next"
			break
		}
		page.Items = append(page.Items, &r)
	}
	return page, err
}

func (v view) One(ctx context.Context, c readmodels.Collection, id string) (readmodels.Item, error) {
	rows, seen, err := v.rows(ctx, c)
	for _, r := range rows {
		if r.ID == id {
			return readmodels.Item{Value: &r, Version: r.Version, Position: seen}, err
		}
	}
	return readmodels.Item{}, readmodels.ErrNotFound
}

func (v view) History(ctx context.Context, c readmodels.Collection, id string, _ readmodels.Params) (readmodels.Page, error) {
	raws, err := v.w.log.Page(ctx, 0, 1<<30)
	page := readmodels.Page{}
	for _, r := range raws {
		if r.Tenant == v.tenant.UUID && slices.Contains(r.Tags, c.Kind+":"+id) {
			page.Items = append(page.Items, map[string]string{"type": r.Type})
		}
	}
	if len(page.Items) == 0 {
		return page, readmodels.ErrNotFound
	}
	return page, err
}

// EndpointStats knows how long the window was, of endpoints that there are. The one that is called busy is asked about too much.
func (v view) EndpointStats(ctx context.Context, id string, window time.Duration, _ time.Time) (readmodels.EndpointStats, error) {
	if id == "busy" {
		return readmodels.EndpointStats{}, fmt.Errorf("ask: %w", readmodels.ErrBusy)
	}
	of := readmodels.Collection{Name: "endpoints", Kind: "endpoint"}
	page, err := v.History(ctx, of, id, readmodels.Params{})
	return readmodels.EndpointStats{Attempts: int64(window.Hours()), Position: page.Position}, err
}

// Export is a file with the user's id, in place of an archive.
func (v view) Export(ctx context.Context, user domain.UserID, position int64, _ time.Time, out io.Writer) error {
	users, _ := readmodels.CollectionOf("users")
	if _, err := v.One(ctx, users, user.String()); err != nil {
		return err
	}
	_, err := fmt.Fprintf(out, "%s at %d", user, position)
	return err
}

// do sends a request as somebody.
func (w *world) do(who, method, target, body string, headers ...string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(method, target, strings.NewReader(body))
	if who != "" {
		r.Header.Set("Authorization", "Bearer "+w.vars[who])
	}
	if body != "" {
		r.Header.Set("Content-Type", "application/json")
	}
	for i := 0; i < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	rec := httptest.NewRecorder()
	w.server.ServeHTTP(rec, r)
	return rec
}

// must posts what succeeds, and returns a part of the answer.
func (w *world) must(t testing.TB, who, target, body, part string) string {
	t.Helper()
	rec := w.do(who, http.MethodPost, target, body)
	if rec.Code != http.StatusOK {
		t.Fatalf("%s %s: %d %s", target, body, rec.Code, rec.Body)
	}
	var answer map[string]any
	if err := json.Unmarshal(rec.Body.Bytes(), &answer); err != nil {
		t.Fatal(err)
	}
	text, _ := answer[part].(string)
	return text
}

// people makes two tenants, acme and beta, with an administrator each (ann, bea), a user without rights in acme (abe),
// and the platform's administrator (root). Their ids are kept as annID and so on, the tenants' as acme and beta.
func (w *world) people(t testing.TB) {
	t.Helper()
	rec := w.do("boot", "POST", "/v1/bootstrap", `{"email":"root@chancery.test","display_name":"Root"}`)
	var admin map[string]string
	if err := json.Unmarshal(rec.Body.Bytes(), &admin); err != nil || rec.Code != 200 {
		t.Fatalf("bootstrap: %d %s", rec.Code, rec.Body)
	}
	w.vars["root"], w.vars["rootID"] = admin["token"], admin["user_id"]
	for _, p := range []struct{ name, slug, admin string }{{"Acme", "acme", "ann"}, {"Beta", "beta", "bea"}} {
		w.vars[p.slug] = w.must(t, "root", "/v1/tenants/root/commands/create-tenant", `{"name":"`+p.name+`","slug":"`+p.slug+`"}`, "id")
		w.user(t, p.slug, p.admin)
		w.must(t, "root", "/v1/tenants/"+p.slug+"/commands/assign-role",
			`{"role_id":"`+domain.TenantAdmin.String()+`","user_id":"`+w.vars[p.admin+"ID"]+`"}`, "id")
	}
	w.user(t, "acme", "abe")
	w.vars["adminRole"] = domain.TenantAdmin.String()
}

func (w *world) user(t testing.TB, tenant, name string) {
	t.Helper()
	at := "/v1/tenants/" + tenant + "/commands/"
	w.vars[name+"ID"] = w.must(t, "root", at+"register-user", `{"display_name":"`+name+`","email":"`+name+`@`+tenant+`.test"}`, "id")
	w.vars[name] = w.must(t, "root", at+"issue-token", `{"user_id":"`+w.vars[name+"ID"]+`","name":"t","expires_at":"2026-06-01T00:00:00Z"}`, "token")
}
