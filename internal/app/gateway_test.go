package app

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// caddyBinary finds Caddy, or builds it from the module in tools/caddy, once: Go keeps the program in its cache.
func caddyBinary(t *testing.T) string {
	t.Helper()
	if path, err := exec.LookPath("caddy"); err == nil {
		return path
	}
	mod, err := filepath.Abs("../../tools/caddy/go.mod")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 8*time.Minute)
	defer cancel()
	build := exec.CommandContext(ctx, "go", "tool", "-modfile="+mod, "-n", "caddy")
	build.Env = append(os.Environ(), "CGO_ENABLED=0", "GOFLAGS=")
	var why strings.Builder
	build.Stderr = &why
	out, err := build.Output()
	if err != nil {
		t.Skipf("there is no Caddy here, and none could be built: %v\n%s", err, why.String())
	}
	return strings.TrimSpace(string(out))
}

// startCaddy runs one without any configuration; its own API is at the address.
func startCaddy(t *testing.T) (admin string) {
	t.Helper()
	admin = freeAddress(t)
	dir := t.TempDir()
	cmd := exec.CommandContext(t.Context(), caddyBinary(t), "run")
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "CADDY_ADMIN="+admin, "HOME="+dir, "XDG_DATA_HOME="+dir, "XDG_CONFIG_HOME="+dir)
	stderr, err := cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	started, done := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		once := sync.OnceFunc(func() { close(started) })
		for lines := bufio.NewScanner(stderr); lines.Scan(); {
			if strings.Contains(lines.Text(), "serving initial configuration") {
				once()
			}
		}
	}()
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		<-done
		_ = cmd.Wait()
	})
	select {
	case <-started:
	case <-done:
		t.Fatal("Caddy did not start")
	}
	return admin
}

// freeAddress is one at which nobody listens, a moment ago.
func freeAddress(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	return l.Addr().String()
}

// toy is a version of an app that tells how it was asked. It would have browsers take another session, and takes part in any protocol.
func toy(t *testing.T, name string) (upstream string) {
	t.Helper()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		for _, c := range []string{
			"chancery=evil; Path=/", "__Host-chancery=evil; Path=/; Secure", " Chancery-Device = evil", "=chancery=evil", "mine=chancery; Path=/", "chancery-mine=1",
		} {
			w.Header().Add("Set-Cookie", c)
		}
		if protocol := r.Header.Get("Upgrade"); protocol != "" {
			w.Header().Set("Connection", "Upgrade")
			w.Header().Set("Upgrade", protocol)
			w.WriteHeader(http.StatusSwitchingProtocols)
			c, both, _ := http.NewResponseController(w).Hijack()
			line, _ := both.ReadString('\n')
			_, _ = io.WriteString(c, r.Header.Get("Chancery-User")+" says "+line)
			_ = c.Close()
			return
		}
		body, _ := io.ReadAll(r.Body)
		_ = json.NewEncoder(w).Encode(echoed{name, r.Method + " " + r.RequestURI, string(body), r.Header})
	}))
	t.Cleanup(s.Close)
	return s.Listener.Addr().String()
}

type echoed struct {
	Name   string      `json:"name"`
	Line   string      `json:"line"`
	Body   string      `json:"body"`
	Header http.Header `json:"header"`
}

// gated is a platform with a Caddy in front of toys.
type gated struct {
	t     *testing.T
	root  caller
	at    string      // of Caddy
	synch chan string // what the synchronisation logs
}

func newGated(t *testing.T) *gated {
	t.Helper()
	a, root := platform(t)
	server := httptest.NewServer(a.handlerForTest(t))
	t.Cleanup(server.Close)
	g := &gated{t: t, root: root, at: freeAddress(t)}
	admin := startCaddy(t)
	gate := root.must(t, "root", "register-user", `{"display_name":"Gate","email":"gate@root.test"}`)
	role := root.must(t, "root", "create-role", `{"name":"Gateway","privileges":["core.gateway.read"]}`)
	root.must(t, "root", "assign-role", `{"role_id":"`+role+`","user_id":"`+gate+`"}`)
	file := filepath.Join(t.TempDir(), "token")
	if err := os.WriteFile(file, []byte(root.issue(t, "root", gate)), 0o600); err != nil {
		t.Fatal(err)
	}
	read, write := io.Pipe()
	g.synch = make(chan string, 100)
	go func() {
		for lines := bufio.NewScanner(read); lines.Scan(); {
			g.synch <- lines.Text()
		}
	}()
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = SyncGateway(ctx, server.URL, file, "http://"+admin, []string{"listen=" + g.at, "auth=" + server.URL}, 20*time.Millisecond, write)
	}()
	t.Cleanup(func() { stop(); _ = read.Close(); <-done })
	g.synced()
	return g
}

// synced returns when Caddy has another configuration.
func (g *gated) synced() {
	g.t.Helper()
	select {
	case line := <-g.synch:
		if !strings.Contains(line, "has another configuration") {
			g.t.Fatalf("the gateway is not in step: %s", line)
		}
	case <-time.After(30 * time.Second):
		g.t.Fatal("the gateway got no other configuration")
	}
}

func (g *gated) deploy(app, version string, upstreams ...string) {
	g.t.Helper()
	list, _ := json.Marshal(append([]string{}, upstreams...))
	g.root.must(g.t, "root", "deploy-app-version", fmt.Sprintf(`{"app":%q,"version":%q,"upstreams":%s}`, app, version, list))
	g.synced()
}

// ask sends a request as it is written, through Caddy.
func (g *gated) ask(method, host, address, token string, headers ...string) (status int, code string, app echoed) {
	g.t.Helper()
	c, err := net.Dial("tcp", g.at)
	if err != nil {
		g.t.Fatal(err)
	}
	defer func() { _ = c.Close() }()
	var text strings.Builder
	fmt.Fprintf(&text, "%s %s HTTP/1.1\r\nHost: %s\r\nConnection: close\r\n", method, address, host)
	if token != "" {
		fmt.Fprintf(&text, "Authorization: Bearer %s\r\n", token)
	}
	for i := 0; i < len(headers); i += 2 {
		fmt.Fprintf(&text, "%s: %s\r\n", headers[i], headers[i+1])
	}
	if method == "POST" {
		text.WriteString("Content-Length: 5\r\n\r\nhello")
	}
	text.WriteString("\r\n")
	if _, err := io.WriteString(c, text.String()); err != nil {
		g.t.Fatal(err)
	}
	res, err := http.ReadResponse(bufio.NewReader(c), nil)
	if err != nil {
		g.t.Fatal(err)
	}
	defer func() { _ = res.Body.Close() }()
	g.ownCookies(res)
	body, err := io.ReadAll(res.Body)
	if err != nil {
		g.t.Fatal(err)
	}
	if err := json.Unmarshal(body, &app); err != nil {
		g.t.Fatalf("%s %s: %d %q", method, address, res.StatusCode, body)
	}
	return res.StatusCode, reply{body: string(body)}.code(), app
}

// ownCookies holds that an app sets none that is Chancery's.
func (g *gated) ownCookies(res *http.Response) {
	g.t.Helper()
	all := strings.Join(res.Header.Values("Set-Cookie"), "\n")
	if own := strings.Contains(all, "mine=chancery; Path=/") && strings.Contains(all, "chancery-mine=1"); strings.Contains(all, "evil") || all != "" && !own {
		g.t.Errorf("an app sets %q", all)
	}
}

// upgraded holds that another protocol can be spoken through Caddy, and that the app is told with whom.
func (g *gated) upgraded(address string, who caller, user string) {
	g.t.Helper()
	c, err := net.Dial("tcp", g.at)
	if err != nil {
		g.t.Fatal(err)
	}
	defer func() { _ = c.Close() }()
	fmt.Fprintf(c, "GET %s HTTP/1.1\r\nHost: a.test\r\nConnection: Chancery-Tenant, Upgrade,chancery-user\r\nUpgrade: websocket\r\nAuthorization: Bearer %s\r\n\r\n", address, who.token)
	answer := bufio.NewReader(c)
	res, err := http.ReadResponse(answer, nil)
	if err != nil {
		g.t.Fatal(err)
	}
	_ = res.Body.Close()
	if res.StatusCode != http.StatusSwitchingProtocols || res.Header.Get("Upgrade") != "websocket" {
		g.t.Fatalf("no other protocol: %d %v", res.StatusCode, res.Header)
	}
	g.ownCookies(res)
	_, _ = io.WriteString(c, "hello\n")
	if line, err := answer.ReadString('\n'); line != user+" says hello\n" {
		g.t.Errorf("in the other protocol: %q %v, want %s", line, err, user)
	}
}

func (g *gated) reaches(name, host, address, token string) echoed {
	g.t.Helper()
	status, code, app := g.ask("GET", host, address, token)
	if status != 200 || app.Name != name || app.Line != "GET "+address {
		g.t.Errorf("%s%s reaches %d %s %q as %q, want %q", host, address, status, code, app.Name, app.Line, name)
	}
	return app
}

func (g *gated) stops(status int, code, host, address, token string) {
	g.t.Helper()
	if gotStatus, got, app := g.ask("GET", host, address, token); gotStatus != status || got != code || app.Name != "" {
		g.t.Errorf("%s%s: %d %s %s, want %d %s", host, address, gotStatus, got, app.Name, status, code)
	}
}

// upgrade confirms what the version brings.
func (g *gated) upgrade(who caller, tenant, app, version string) {
	g.t.Helper()
	hash := ""
	var page struct {
		Items []struct {
			Number string `json:"app_version"`
			Hash   string `json:"manifest_hash"`
		} `json:"items"`
	}
	_ = json.Unmarshal([]byte(g.root.do("GET", "/v1/tenants/root/app-versions?app="+app, "").body), &page)
	for _, v := range page.Items {
		if v.Number == version {
			hash = v.Hash
		}
	}
	who.must(g.t, tenant, "upgrade-app", fmt.Sprintf(`{"app":%q,"version":%q,"confirm":%q}`, app, version, hash))
}

func TestACaddyInFrontOfAppsFollowsTheirLives(t *testing.T) {
	g := newGated(t)
	root := g.root
	acme := root.must(t, "root", "create-tenant", `{"name":"Acme","slug":"acme"}`)
	ann, eve := root.user(t, "acme", "ann", true), root.user(t, "acme", "eve", false)
	root.must(t, "root", "create-signing-key", `{}`)
	for _, app := range []string{"shop", "desk"} {
		root.must(t, "root", "register-app", fmt.Sprintf(`{"name":%q,"title":%q}`, app, app))
	}
	publish := func(manifest string) {
		root.must(t, "root", "publish-app-version", `{"manifest":`+manifest+`}`)
		g.synced()
	}
	shop := `{"app":"shop","version":"%s","license_required":true,"privileges":[{"name":"shop.buy","description":"Buy."}],"routes":[
		{"path":"/shop","privilege":"shop.buy","api_version":"%s"},{"path":"/shop/any"},{"path":"/shop/open","public":true}%s]}`
	publish(fmt.Sprintf(shop, "1.0.0", "v1", ""))
	publish(fmt.Sprintf(shop, "2.0.0", "v2", `,{"path":"/shop/new"}`))
	publish(`{"app":"desk","version":"1.0.0","routes":[{"host":"desk.test","path":"/"}]}`)
	root.must(t, "root", "publish-app-version", `{"manifest":{"app":"desk","version":"2.0.0","routes":[{"host":"desk.test","path":"/"}]}}`) // at the same place

	g.stops(503, "not-deployed", "a.test", "/shop/open", "")
	g.deploy("shop", "1.0.0", toy(t, "shop 1"))
	g.deploy("shop", "2.0.0", toy(t, "shop 2"))
	g.deploy("desk", "1.0.0", toy(t, "desk 1"))
	g.stops(404, "no-route", "a.test", "/none", ann.token)
	g.stops(404, "no-route", "a.test", "/shops", ann.token)
	g.stops(401, "unauthenticated", "a.test", "/shop/any", "")
	g.stops(403, "app-disabled", "a.test", "/shop/any", ann.token)

	license := root.must(t, "root", "issue-license", `{"tenant_id":"`+acme+`","app":"shop"}`)
	ann.must(t, "acme", "enable-app", `{"app":"shop","version":"1.0.0"}`)
	seen := g.reaches("shop 1", "a.test", "/shop/x?y=%2e", ann.token)
	if h := seen.Header; h.Get("Chancery-Tenant") != acme || h.Get("Chancery-Tenant-Slug") != "acme" || h.Get("Chancery-User") == "" || h.Get("Chancery-App-Version") != "1.0.0" || h.Get("Chancery-Api-Version") != "v1" {
		t.Errorf("the app is told %v", h)
	}
	g.stops(403, "not-allowed", "a.test", "/shop", eve.token)
	g.reaches("shop 1", "a.test", "/shop/any", eve.token)
	if status, _, app := g.ask("POST", "a.test", "/shop/any", eve.token); status != 200 || app.Line != "POST /shop/any" || app.Body != "hello" {
		t.Errorf("a POST comes as %d %q with %q", status, app.Line, app.Body)
	}
	g.spoofed(eve)
	g.tricks(eve)
	g.upgraded("/shop/x", ann, seen.Header.Get("Chancery-User"))

	g.upgrade(ann, "acme", "shop", "2.0.0") // Caddy need not hear of it
	g.reaches("shop 2", "a.test", "/shop/x", ann.token)
	g.reaches("shop 2", "a.test", "/shop/new", eve.token)
	ann.must(t, "acme", "enable-app", `{"app":"desk","version":"1.0.0"}`)
	g.reaches("desk 1", "desk.test", "/other", eve.token)
	g.reaches("shop 2", "desk.test", "/shop/any", eve.token) // a longer prefix of another app
	g.reaches("desk 1", "Desk.Test:80", "/", eve.token)
	g.upgrade(ann, "acme", "desk", "2.0.0")
	g.stops(503, "not-deployed", "desk.test", "/", eve.token)
	g.deploy("desk", "2.0.0", toy(t, "desk 2"), toy(t, "desk 2"))
	g.reaches("desk 2", "desk.test", "/", eve.token)
	g.deploy("desk", "2.0.0")
	g.stops(503, "not-deployed", "desk.test", "/", eve.token)

	root.must(t, "root", "revoke-license", `{"id":"`+license+`","reason":"test"}`)
	if status, code, _ := g.ask("GET", "a.test", "/shop/x", ann.token); status != 403 || code != "license-ended" && code != "app-disabled" { // a reaction may have disabled it already
		t.Errorf("after the licence: %d %s", status, code)
	}
	g.reaches("shop 2", "a.test", "/shop/open", "")
	root.must(t, "acme", "suspend-tenant", `{}`)
	g.stops(401, "unauthenticated", "desk.test", "/", eve.token)
}

// spoofed holds that an app is told nothing that a client made up, and not by what its users are known.
func (g *gated) spoofed(eve caller) {
	g.t.Helper()
	made := []string{
		"Chancery-User", "11111111-1111-1111-1111-111111111111", "chancery-effective-user", "x", "Chancery_User", "x", "CHANCERY-IMPERSONATION", "x", "Chancery-Other", "x",
		"X-Http-Method-Override", "DELETE", "X-Original-Url", "/shop/x", "X-Forwarded-Uri", "x", "X-Forwarded-Method", "x", "X-Forwarded-Prefix", "x", "Cookie", "a=b; chancery=chn_ses_x; __Host-chancery=y;c=d; chancery-device=z", "X-Mine", "kept",
	}
	for _, c := range []struct{ address, token string }{{"/shop/any", eve.token}, {"/shop/open", ""}, {"/shop/open", eve.token}} {
		status, code, app := g.ask("GET", "a.test", c.address, c.token, made...)
		if status != 200 {
			g.t.Errorf("%s: %d %s", c.address, status, code)
			continue
		}
		for name, values := range app.Header {
			for _, v := range values {
				if v == made[1] || v == "x" || strings.Contains(v, "chancery") || name == "Authorization" || strings.HasPrefix(name, "X-Original") || strings.Contains(name, "Override") {
					g.t.Errorf("%s: the app is told %s: %s", c.address, name, v)
				}
			}
		}
		if got := app.Header.Get("Cookie"); got != "a=b;c=d" || app.Header.Get("X-Mine") != "kept" {
			g.t.Errorf("%s: what is the app's own comes as %q %q", c.address, got, app.Header.Get("X-Mine"))
		}
		if known := app.Header.Get("Chancery-User") != ""; known != (c.token != "") {
			g.t.Errorf("%s: the user is known: %v", c.address, known)
		}
	}
	told := func(h http.Header) (names []string) {
		for name := range h {
			if strings.HasPrefix(name, "Chancery-") {
				names = append(names, name)
			}
		}
		slices.Sort(names)
		return names
	}
	_, _, plain := g.ask("GET", "a.test", "/shop/any", eve.token)
	all := told(plain.Header)
	_, _, app := g.ask("GET", "a.test", "/shop/any", eve.token, "Connection", "keep-alive, "+strings.Join(all, ", "), "connection", strings.ToLower(strings.Join(all, ",")))
	if got := told(app.Header); len(all) < 6 || !slices.Equal(got, all) {
		g.t.Errorf("a client has the gateway keep silent: %q, want %q", got, all)
	}
	if _, _, app := g.ask("GET", "a.test", "/shop/open", "", "Authorization", "Basic abc"); app.Header.Get("Authorization") != "Basic abc" {
		g.t.Error("what an app has clients show it is taken away")
	}
	if status, code, _ := g.ask("GET", "a.test", "/shop/x", eve.token, "X-Forwarded-Uri", "/shop/open", "X-Forwarded-Method", "GET", "X-Forwarded-Host", "b.test"); status != 403 {
		g.t.Errorf("a client says itself what it asks for: %d %s", status, code)
	}
}

// tricks holds that nothing gets where a privilege is needed by another spelling.
func (g *gated) tricks(eve caller) {
	g.t.Helper()
	for _, address := range []string{
		"/shop/open/../x", "/shop/any/%2e%2e/x", "//shop/x", "/shop//x", "/Shop/x", "/SHOP", "/shop/open/..%2fx", "/shop/open/%2e%2e%2fx", "/shop/open;/../x", "/shop/open/..;/x",
		"/shop./x", "/%73hop/x", "/shop%2fx", "/shop/any/../../shop", `/shop/any\..\x`, "/./shop/x", "/shop/x/%252e%252e/any", "/none/../shop/x", "/shop%00/x",
	} {
		status, code, app := g.ask("GET", "a.test", address, eve.token)
		if app.Name != "" || status >= 500 {
			g.t.Errorf("%s: %d %s reaches %q", address, status, code, app.Name)
		}
	}
}
