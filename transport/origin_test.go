package transport_test

import (
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"

	"github.com/google/uuid"

	"chancery/domain"
)

// origins are where the newest event came from, opened as of the tenant of its actor: address and program.
func (w *world) origin(t *testing.T, home string) (ip, agent string) {
	t.Helper()
	head, err := w.log.Head(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	page, err := w.store.Range(t.Context(), head, head)
	if err != nil {
		t.Fatal(err)
	}
	open := func(field, text string) string {
		if text == "" {
			return ""
		}
		plain, err := w.store.Vault.Open(t.Context(), uuid.MustParse(home), field, text)
		if err != nil {
			t.Fatalf("%s: %v", field, err)
		}
		return plain
	}
	return open("ip", page[0].IP.Ciphertext()), open("user_agent", page[0].Agent.Ciphertext())
}

// arrive sends a command from an address, by way of what X-Forwarded-For says.
func (w *world) arrive(t *testing.T, from, forwarded, agent string) {
	t.Helper()
	r := httptest.NewRequest(http.MethodPost, "/v1/tenants/acme/commands/create-group", strings.NewReader(`{"name":"`+uuid.NewString()+`"}`))
	r.RemoteAddr = from
	r.Header.Set("Authorization", "Bearer "+w.vars["ann"])
	r.Header.Set("User-Agent", agent)
	if forwarded != "" {
		r.Header.Set("X-Forwarded-For", forwarded)
	}
	rec := httptest.NewRecorder()
	if w.server.ServeHTTP(rec, r); rec.Code != 200 {
		t.Fatalf("%d %s", rec.Code, rec.Body)
	}
}

func TestTheAddressIsThatOfTheConnectionUnlessAProxyIsTrusted(t *testing.T) {
	w := newWorld(t)
	w.people(t)
	for _, c := range []struct{ trusted, from, forwarded, want string }{
		{"", "203.0.113.9:1", "", "203.0.113.9"},
		{"", "203.0.113.9:1", "198.51.100.1", "203.0.113.9"},
		{"", "127.0.0.1:1", "198.51.100.1", "127.0.0.1"},
		{"", "[2001:db8::0001]:1", "", "2001:db8::1"},
		{"", "[::ffff:203.0.113.9]:1", "", "203.0.113.9"},
		{"", "[fe80::1%eth0]:1", "", "fe80::1"},
		{"", "@", "", ""},
		{"10.0.0.0/8", "10.1.2.3:1", "198.51.100.1", "198.51.100.1"},
		{"10.0.0.0/8", "10.1.2.3:1", "", "10.1.2.3"},
		{"10.0.0.0/8", "10.1.2.3:1", "6.6.6.6, 198.51.100.1, 10.9.9.9", "198.51.100.1"},
		{"10.0.0.0/8", "10.1.2.3:1", "6.6.6.6, 127.0.0.1", "127.0.0.1"}, // what is private is not trusted for that
		{"10.0.0.0/8", "10.1.2.3:1", "6.6.6.6, 192.168.0.1", "192.168.0.1"},
		{"10.0.0.0/8", "10.1.2.3:1", "6.6.6.6, fe80::9", "fe80::9"},
		{"10.0.0.0/8", "192.168.0.1:1", "6.6.6.6", "192.168.0.1"},
		{"10.0.0.0/8", "203.0.113.9:1", "198.51.100.1", "203.0.113.9"},
		{"10.0.0.0/8", "10.1.2.3:1", "nonsense", "10.1.2.3"},
		{"10.0.0.0/8", "10.1.2.3:1", "2001:db8::7", "2001:db8::7"},
		{"10.1.2.3/8 2001:db8::/32", "[2001:db8::9]:1", "198.51.100.1, 10.200.0.1", "198.51.100.1"},
	} {
		w.config.TrustedProxies = nil
		for text := range strings.FieldsSeq(c.trusted) {
			w.config.TrustedProxies = append(w.config.TrustedProxies, netip.MustParsePrefix(text))
		}
		w.restart(t)
		w.arrive(t, c.from, c.forwarded, "test")
		if got, _ := w.origin(t, w.vars["acme"]); got != c.want {
			t.Errorf("trusting %q, from %s for %q: %q, want %q", c.trusted, c.from, c.forwarded, got, c.want)
		}
	}
}

func TestAProgramsNameIsCutToWhatCanBePrinted(t *testing.T) {
	w := newWorld(t)
	w.people(t)
	for given, want := range map[string]string{
		"": "", "curl/8.5.0": "curl/8.5.0", "  a\tb\x01\x7f  ": "ab", "\xff\xfeé\u200b": "é",
		strings.Repeat("x", 3000): strings.Repeat("x", 256), "x" + strings.Repeat("é", 200): "x" + strings.Repeat("é", 127), strings.Repeat("\x01", 5000): "",
	} {
		w.arrive(t, "192.0.2.1:1", "", given)
		if _, got := w.origin(t, w.vars["acme"]); got != want {
			t.Errorf("%.20q is kept as %q", given, got)
		}
	}
}

func TestEveryWayOfSendingCommandsTellsFromWhere(t *testing.T) {
	w := newWorld(t)
	w.people(t)
	line := `{"command":"create-group","body":{"name":"` + `%"}}`
	for name, send := range map[string]func(){
		"bulk": func() {
			w.do("ann", "POST", "/v1/tenants/acme/commands", strings.ReplaceAll(line, "%", "a"), "Content-Type", "application/x-ndjson")
		},
		"atomic": func() {
			w.do("ann", "POST", "/v1/tenants/acme/commands?atomic=true", strings.ReplaceAll(line, "%", "b"), "Content-Type", "application/x-ndjson")
		},
		"imported": func() {
			w.do("ann", "POST", "/v1/tenants/acme/commands", strings.ReplaceAll(strings.Replace(line, "{", `{"at":"2026-03-01T12:00:05Z",`, 1), "%", "c"), "Content-Type", "application/x-ndjson")
		},
	} {
		before, _ := w.log.Head(t.Context())
		if send(); func() int64 { head, _ := w.log.Head(t.Context()); return head }() == before {
			if name != "imported" { // the clock of the test may be before that time
				t.Errorf("%s: nothing happened", name)
			}
			continue
		}
		if ip, _ := w.origin(t, w.vars["acme"]); ip != "192.0.2.1" {
			t.Errorf("%s: from %q", name, ip)
		}
	}
	w.do("root", "POST", "/v1/tenants/acme/commands/create-group", `{"name":"staff"}`)
	if ip, _ := w.origin(t, domain.Root.String()); ip != "192.0.2.1" {
		t.Errorf("staff: from %q", ip)
	}
}
