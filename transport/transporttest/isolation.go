package transporttest

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/labstack/echo/v4"

	"chancery/commands"
)

// Isolation asks for another tenant's things on every route there is, and demands the answer that a thing that does not
// exist gets: the same status, headers and bytes.
type Isolation struct {
	Handler http.Handler
	Routes  []*echo.Route // of the handler; a new route is tried without anybody's thinking of it
	Token   string        // of a caller who may do everything in their own tenant
	Own     string        // the caller's tenant
	Other   []string      // the other tenant, by id and by slug
	Things  []string      // ids of things in the other tenant, of as many kinds as there are
	State   func() string // of the other tenant; it must stay the same
}

// Check tries all of it.
func (i Isolation) Check(t *testing.T) {
	t.Helper()
	before := i.State()
	tried := 0
	for _, r := range i.Routes {
		if !strings.Contains(r.Path, ":tenant") || strings.HasPrefix(r.Path, "/.well-known") || strings.HasSuffix(r.Path, "/jwks.json") {
			continue // what is open to everybody tells of nobody, and the keys of vendors are there to be known
		}
		for _, body := range i.bodies(r) {
			for _, path := range i.paths(r.Path) {
				tried++
				i.foreignTenant(t, r.Method, path, body)
				i.foreignThing(t, r.Method, path, body)
			}
		}
	}
	for _, spec := range commands.Registry {
		i.foreignCommand(t, spec)
	}
	if tried == 0 {
		t.Error("there was no route to try")
	}
	if after := i.State(); after != before {
		t.Errorf("the other tenant changed from %s to %s", before, after)
	}
}

// paths fills in what a route leaves open, but for the tenant and the id.
func (i Isolation) paths(path string) []string {
	if !strings.Contains(path, ":command") {
		return []string{path}
	}
	var all []string
	for _, spec := range commands.Registry {
		all = append(all, strings.ReplaceAll(path, ":command", spec.Name))
	}
	return append(all, strings.ReplaceAll(path, ":command", "no-such-command"))
}

func (i Isolation) bodies(r *echo.Route) []string {
	if r.Method == http.MethodGet || r.Method == http.MethodHead {
		return []string{""}
	}
	switch {
	case strings.HasSuffix(r.Path, "/password-resets"):
		return []string{`{}`, `{"email":"` + uuid.NewString() + `@isolation.test"}`} // asked for too often it is not answered
	case strings.HasSuffix(r.Path, "/links/redeem"):
		return []string{`{}`, `{"token":"chn_lnk_x","password":"correct horse battery"}`}
	}
	return []string{`{}`, `{`, `{"command":"create-group","body":{"name":"x"}}`,
		`{"subject":{"type":"user","id":"` + i.Things[0] + `"},"action":{"name":"core.users.read"},"resource":{"type":"tenant","id":"` + i.Other[0] + `"}}`}
}

func (i Isolation) foreignTenant(t *testing.T, method, path, body string) {
	t.Helper()
	things := []string{""}
	if strings.Contains(path, ":id") {
		things = i.Things
	}
	for _, thing := range things {
		path := strings.ReplaceAll(path, ":id", thing)
		for _, other := range i.Other {
			unknown := uuid.NewString()
			if _, err := uuid.Parse(other); err != nil {
				unknown = "nobody-" + unknown[:8]
			}
			i.equal(t, method, path, ":tenant", other, unknown, body)
		}
	}
}

// foreignThing asks for another tenant's thing in the caller's own tenant.
func (i Isolation) foreignThing(t *testing.T, method, path, body string) {
	t.Helper()
	if !strings.Contains(path, ":id") {
		return
	}
	for _, thing := range i.Things {
		i.equal(t, method, strings.ReplaceAll(path, ":tenant", i.Own), ":id", thing, uuid.NewString(), body)
	}
}

// foreignCommand gives a command in the caller's own tenant about the other tenant's things.
func (i Isolation) foreignCommand(t *testing.T, spec commands.Spec) {
	t.Helper()
	path := "/v1/tenants/" + i.Own + "/commands/" + spec.Name
	for _, thing := range i.Things {
		foreign, ok := body(spec, thing)
		if !ok {
			return
		}
		unknown, _ := body(spec, uuid.NewString())
		a, b := i.ask(http.MethodPost, path, foreign), i.ask(http.MethodPost, path, unknown)
		if a != b {
			t.Errorf("%s %s about another tenant's %s: %s\nand about a thing that does not exist: %s", path, foreign, thing, a, b)
		}
	}
}

// equal puts a known and an unknown name in the place of hole.
func (i Isolation) equal(t *testing.T, method, path, hole, known, unknown, body string) {
	t.Helper()
	a := i.ask(method, strings.ReplaceAll(path, hole, known), body)
	b := i.ask(method, strings.ReplaceAll(path, hole, unknown), body)
	if a != b {
		t.Errorf("%s %s with another tenant's %s: %s\nwith a name that does not exist: %s", method, path, known, a, b)
	}
	if strings.HasPrefix(a, "2") && hole == ":tenant" && !answersAlike(path) {
		t.Errorf("%s %s with another tenant's %s is answered: %s", method, path, known, a)
	}
}

// answersAlike are the addresses at which strangers are answered, whether or not there is such a tenant.
func answersAlike(path string) bool {
	return strings.HasSuffix(path, "/sessions/passkey") || strings.HasSuffix(path, "/password-resets")
}

// ask is the whole answer as text, but for the ids and times of the request itself.
func (i Isolation) ask(method, target, body string) string {
	r := httptest.NewRequestWithContext(context.Background(), method, target, strings.NewReader(body))
	r.Header.Set("Authorization", "Bearer "+i.Token)
	r.Header.Set("X-Request-ID", "isolation")
	r.Header.Set("Content-Type", "application/json")
	if strings.HasSuffix(target, "/commands") {
		r.Header.Set("Content-Type", "application/x-ndjson")
	}
	w := httptest.NewRecorder()
	i.Handler.ServeHTTP(w, r)
	head := w.Header().Clone()
	head.Del("Chancery-Position") // refusals are recorded, so the head moves
	text := w.Body.String()
	if w.Code == http.StatusOK {
		text = "(an answer)" // of an own thing: it may state positions
	}
	return fmt.Sprintf("%d %v %s", w.Code, head, text)
}

// body is a command in which every id is the given one, and the rest is plausible. False if it names no thing.
func body(spec commands.Spec, id string) (text string, things bool) {
	_, creates := spec.New().(commands.Creating)
	var parts []string
	for _, f := range reflect.VisibleFields(reflect.TypeOf(spec.Zero)) {
		name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		switch {
		case name == "" || f.Anonymous:
		case isID(f.Type):
			if name == "id" && creates { // an id is never used twice, anywhere
				continue
			}
			if spec.Name == "assign-role" && (name == "department_id" || name == "group_id") { // exactly one subject
				continue
			}
			things = true
			parts = append(parts, fmt.Sprintf("%q:%q", name, id))
		case f.Tag.Get("required") == "true":
			parts = append(parts, fmt.Sprintf("%q:%q", name, plausible(name, f.Type, f.Tag.Get("enum"))))
		}
	}
	return "{" + strings.Join(parts, ",") + "}", things
}

func isID(t reflect.Type) bool {
	return t == reflect.TypeFor[uuid.UUID]() || t.Kind() == reflect.Struct && t.NumField() > 0 && t.Field(0).Type == reflect.TypeFor[uuid.UUID]()
}

func plausible(name string, t reflect.Type, enum string) string {
	if first, _, ok := strings.Cut(enum, ","); ok {
		return first
	}
	switch {
	case t == reflect.TypeFor[time.Time]():
		return time.Now().Add(24 * time.Hour).UTC().Format(time.RFC3339)
	case name == "email":
		return "somebody@isolation.test"
	case name == "privilege":
		return "core.users.read"
	case name == "issuer":
		return "https://isolation.test"
	}
	return "isolation"
}
