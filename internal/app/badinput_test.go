package app

import (
	"bytes"
	"fmt"
	"log/slog"
	"net/url"
	"strconv"
	"strings"
	"testing"

	"github.com/google/uuid"
)

// What transport refuses before anybody is asked, it tests itself; here bad input meets the real log and tables.
func TestBadInputIsAnsweredWithItsProblemAndStoresNothing(t *testing.T) {
	var logged bytes.Buffer
	a, root := platformWith(t, Config{Log: slog.New(slog.NewTextHandler(&logged, nil))})
	root.must(t, "root", "create-tenant", `{"name":"Acme","slug":"acme"}`)
	ann := root.user(t, "acme", "ann", true)
	group := ann.must(t, "acme", "create-group", `{"name":"Team"}`)
	made := strconv.FormatInt(a.headForTest(t), 10)
	ann.must(t, "acme", "rename-group", fmt.Sprintf(`{"id":%q,"name":"Crew"}`, group))
	ann.command("acme", "create-group", `{"name":"Keyed"}`, "Idempotency-Key", "k")
	a.settled(t)
	before := a.headForTest(t)
	const post, get = "POST /v1/tenants/acme/commands/", "GET /v1/tenants/acme/"
	email := func(s string) string { return `{"display_name":"N","email":"` + s + `"}` }
	for _, c := range []struct {
		ask, body string
		headers   []string
		status    int
		code      string
	}{
		{post + "register-user", email(`a@b\u0000.test`), nil, 400, "malformed"},
		{post + "register-user", email("a@b.test\xff"), nil, 400, "malformed"},
		{post + "register-user", email("a@b.test") + email("c@d.test"), nil, 400, "malformed"},
		{post + "register-user", `{"display_name":"N","display_name":"M"}`, nil, 400, "malformed"},
		{post + "register-user", `{"display_name":"N","is_admin":true}`, nil, 400, "malformed"},
		{post + "register-user", `{"display_name":["N"]}`, nil, 400, "malformed"},
		{post + "register-user", `{"display_name":"` + strings.Repeat("x", 2<<20) + `"}`, nil, 413, "too-large"},
		{post + "register-user", `{"display_name":"` + strings.Repeat("x", 1000) + `"}`, nil, 422, "invalid-value"},
		{post + "register-user", `{"display_name":"a\u001fb"}`, nil, 422, "invalid-value"},
		{post + "register-user", email("no address"), nil, 422, "invalid-value"},
		{post + "create-group", `{"name":"a\u001fb"}`, nil, 422, "invalid-value"},
		{post + "create-group", `{"name":"x","id":"` + group + `"}`, nil, 422, "id-taken"},
		{post + "rename-group", `{"id":"` + uuid.NewString() + `","name":"x"}`, nil, 404, "not-found"},
		{post + "rename-group", `{"id":"` + group + `","name":"Late"}`, []string{"If-Match", `"` + made + `"`}, 412, "stale"},
		{post + "rename-group", `{"id":"` + group + `","name":"Late"}`, []string{"If-Match", `"99999999999999999999"`}, 400, "malformed"},
		{post + "create-group", `{"name":"Other"}`, []string{"Idempotency-Key", "k"}, 422, "idempotency-key-reused"},
		{post + "create-group", `{"name":"Other"}`, []string{"Content-Type", "application/xml"}, 415, "unsupported-media-type"},
		{post + "create-group", `{"name":"Other"}`, []string{"Chancery-Delegation", group}, 400, "malformed"},
		{post + "assign-role", `{"role_id":"` + uuid.NewString() + `","user_id":"` + group + `"}`, nil, 404, "not-found"},
		{post + "no-such-command", `{}`, nil, 404, "not-found"},

		{get + "users?cursor=AAAA", "", nil, 400, "malformed"},
		{get + "users?cursor=%00", "", nil, 400, "malformed"},
		{get + "users?limit=1001", "", nil, 400, "malformed"},
		{get + "users?as_of=yesterday", "", nil, 400, "malformed"},
		{get + "users?as_of=-1", "", nil, 400, "malformed"},
		{get + "users?as_of=9223372036854775807", "", nil, 400, "malformed"},
		{get + "users?as_of=9223372036854775808", "", nil, 400, "malformed"},
		{get + "users?as_of=2999-01-01T00:00:00Z", "", nil, 400, "malformed"},
		{get + "users?status=%00", "", nil, 400, "malformed"},
		{get + "users?status=%ff", "", nil, 400, "malformed"},
		{get + "users?department_id=x", "", nil, 400, "malformed"},
		{get + "users?nonsense=x", "", nil, 400, "malformed"},
		{get + "users?email=%zz", "", nil, 400, "malformed"},
		{get + "users/%00", "", nil, 404, "not-found"},
		{get + "users/%ff", "", nil, 404, "not-found"},
		{get + "users/x", "", nil, 404, "not-found"},
		{get + "users/x/history", "", nil, 404, "not-found"},
		{get + "users/%00/history", "", nil, 404, "not-found"},
		{get + "privileges/%00", "", nil, 404, "not-found"},
		{get + "privileges/%ff/history", "", nil, 404, "not-found"},
		{get + "events/0", "", nil, 404, "not-found"},
		{get + "events/-1", "", nil, 404, "not-found"},
		{get + "events/9223372036854775808", "", nil, 404, "not-found"},
		{get + "audit/99999999999999999999", "", nil, 404, "not-found"},
		{get + "users", "", []string{"Chancery-Min-Position", "soon"}, 400, "malformed"},
		{"GET /v1/tenants/%00/users", "", nil, 404, "not-found"},
		{"GET /v1/tenants/%ff", "", nil, 404, "not-found"},
		{"GET /v1/tenants/" + strings.Repeat("a", 5000), "", nil, 404, "not-found"},
		{"GET /v1/tenants/%2e%2e/users", "", nil, 404, "not-found"},
		{"POST /access/v1/evaluation", `{"subject":{"type":"user","id":"\u0000"},"action":{"name":"core.users.read"},"resource":{"type":"tenant","id":"acme"}}`, nil, 400, "malformed"},
		{"POST /access/v1/evaluation", `{"subject":{"type":"user","id":"x"},"action":{"name":"core.users.read"},"resource":{"type":"tenant","id":"acme"},"context":{"as_of":"9223372036854775807"}}`, nil, 400, "malformed"},
		{"POST /v1/bootstrap", `{"email":"x@y.test","display_name":"X"}`, nil, 401, "unauthenticated"},
	} {
		method, target, _ := strings.Cut(c.ask, " ")
		r := ann.do(method, target, c.body, c.headers...)
		if r.status != c.status || r.code() != c.code || r.header.Get("Content-Type") != "application/problem+json" {
			t.Errorf("%.120s %.200s %q: %d %s, want %d %s", c.ask, c.body, c.headers, r.status, r.body, c.status, c.code)
		}
		if text := foreignText(r.body); text != "" {
			t.Errorf("%.120s: the answer holds %q: %s", c.ask, text, r.body)
		}
	}
	a.settled(t)
	stored := a.column(t, `SELECT type FROM core.events WHERE position > $1 AND type <> 'command.refused'`, before)
	if len(stored) > 0 {
		t.Errorf("bad input was stored as %v", stored)
	}
	if strings.Contains(logged.String(), "level=ERROR") {
		t.Errorf("a caller's mistake is logged as a fault of ours: %s", logged.String())
	}
}

// foreignText finds what no answer may tell: SQL, stacks, paths.
func foreignText(body string) string {
	for _, word := range []string{"SELECT", "INSERT", "SQLSTATE", "pgx", "core.events", "goroutine", ".go:", "panic", "chancery_"} {
		if strings.Contains(body, word) {
			return word
		}
	}
	return ""
}

func TestCursorsOfOthersOpenNothing(t *testing.T) {
	a, root := platform(t)
	var cursors []string
	for _, slug := range []string{"acme", "beta"} {
		root.must(t, "root", "create-tenant", fmt.Sprintf(`{"name":"T","slug":%q}`, slug))
		for i := range 3 {
			root.must(t, slug, "create-group", fmt.Sprintf(`{"name":"%s %d"}`, slug, i))
		}
		a.settled(t)
		cursors = append(cursors, root.do("GET", "/v1/tenants/"+slug+"/groups?limit=1", "").part("next"))
	}
	r := root.do("GET", "/v1/tenants/acme/groups?cursor="+url.QueryEscape(cursors[1]), "")
	if strings.Contains(r.body, "beta") || r.status != 400 && r.status != 200 {
		t.Errorf("with another tenant's cursor: %d %s", r.status, r.body)
	}
	if r := root.do("GET", "/v1/tenants/acme/users?cursor="+url.QueryEscape(cursors[0]), ""); r.status != 400 {
		t.Errorf("with another collection's cursor: %d %s", r.status, r.body)
	}
}
