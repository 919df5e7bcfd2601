package app

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"chancery/domain"
	"chancery/internal/pgtest"
)

// caller is somebody who asks a whole app, without a network in between. Safe for concurrent use.
type caller struct {
	http.Handler
	token string
}

type reply struct {
	status int
	header http.Header
	body   string
}

// code is that of a problem, or empty.
func (r reply) code() string {
	var p struct {
		Code string `json:"code"`
	}
	_ = json.Unmarshal([]byte(r.body), &p)
	return p.Code
}

// part is a text in the answer's object, or empty.
func (r reply) part(name string) string {
	var parts map[string]any
	_ = json.Unmarshal([]byte(r.body), &parts)
	text, _ := parts[name].(string)
	return text
}

func (c caller) as(token string) caller { return caller{c.Handler, token} }

func (c caller) do(method, target, body string, headers ...string) reply {
	r := httptest.NewRequest(method, target, strings.NewReader(body))
	if c.token != "" {
		r.Header.Set("Authorization", "Bearer "+c.token)
	}
	if body != "" {
		r.Header.Set("Content-Type", "application/json")
	}
	for i := 0; i < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	w := httptest.NewRecorder()
	c.ServeHTTP(w, r)
	return reply{w.Code, w.Header(), w.Body.String()}
}

// command sends one.
func (c caller) command(tenant, name, body string, headers ...string) reply {
	return c.do(http.MethodPost, "/v1/tenants/"+tenant+"/commands/"+name, body, headers...)
}

// must sends a command that succeeds, and returns the id of its thing.
func (c caller) must(t testing.TB, tenant, name, body string) string {
	t.Helper()
	r := c.command(tenant, name, body)
	if r.status != http.StatusOK {
		t.Fatalf("%s in %s: %s: %d %s", name, tenant, body, r.status, r.body)
	}
	return r.part("id")
}

// user makes a user with a token; the administrator of the tenant if told so.
func (c caller) user(t testing.TB, tenant, name string, admin bool) caller {
	t.Helper()
	user := c.must(t, tenant, "register-user", fmt.Sprintf(`{"display_name":%q,"email":"%s@%s.test"}`, name, name, tenant))
	if admin {
		c.must(t, tenant, "assign-role", fmt.Sprintf(`{"role_id":%q,"user_id":%q}`, domain.TenantAdmin, user))
	}
	return c.as(c.issue(t, tenant, user))
}

func (c caller) issue(t testing.TB, tenant, user string) string {
	t.Helper()
	end := time.Now().Add(24 * time.Hour).UTC().Format(time.RFC3339)
	r := c.command(tenant, "issue-token", fmt.Sprintf(`{"user_id":%q,"name":"test","expires_at":%q}`, user, end))
	if r.status != http.StatusOK {
		t.Fatalf("issue a token: %d %s", r.status, r.body)
	}
	return r.part("token")
}

// platform is an app on a database of its own with its first administrator.
func platform(t *testing.T) (*App, caller) {
	t.Helper()
	return platformWith(t, Config{})
}

func platformWith(t *testing.T, c Config) (*App, caller) {
	t.Helper()
	c.DatabaseURL, c.Data = pgtest.URL(t), t.TempDir()
	a := openWith(t, c)
	return a, caller{a.handlerForTest(t), a.bootstrapForTest(t)}
}

func openWith(t *testing.T, c Config) *App {
	t.Helper()
	c.AllowUnsafe, c.Migrate = true, true
	a, err := Open(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(a.Close)
	if err := a.Install(t.Context()); err != nil {
		t.Fatal(err)
	}
	return a
}

func (a *App) headForTest(t testing.TB) int64 {
	t.Helper()
	head, err := a.raw.Head(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return head
}

// column reads one column of texts as the owner of all tables.
func (a *App) column(t testing.TB, query string, args ...any) []string {
	t.Helper()
	rows, err := a.ledger.Pool("chancery_owner").Query(t.Context(), query, args...)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	var all []string
	for rows.Next() {
		var text string
		if err := rows.Scan(&text); err != nil {
			t.Fatal(err)
		}
		all = append(all, text)
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	return all
}

// soon is an end that tokens may have.
func soon() string { return time.Now().Add(24 * time.Hour).UTC().Format(time.RFC3339) }

// clock is a time that tests move.
type clock struct{ at atomic.Pointer[time.Time] }

func newClock(at time.Time) *clock {
	c := &clock{}
	c.at.Store(&at)
	return c
}

func (c *clock) now() time.Time { return *c.at.Load() }

func (c *clock) forward(d time.Duration) {
	at := c.now().Add(d)
	c.at.Store(&at)
}
