package gateway_test

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"chancery/internal/gateway"
)

func caddy(t *testing.T, c gateway.Config) (text string, server map[string]any) {
	t.Helper()
	if c.Ask == "" {
		c.Ask = "http://core.test:8080"
	}
	b, err := gateway.Caddy(c)
	if err != nil {
		t.Fatal(err)
	}
	var all struct {
		Apps struct {
			HTTP struct {
				Servers map[string]map[string]any `json:"servers"`
			} `json:"http"`
		} `json:"apps"`
	}
	if err := json.Unmarshal(b, &all); err != nil {
		t.Fatal(err)
	}
	return string(b), all.Apps.HTTP.Servers["chancery"]
}

func TestWhereNothingIsRoutedNobodyIsAsked(t *testing.T) {
	text, server := caddy(t, gateway.Config{})
	if routes := server["routes"].([]any); len(routes) != 1 || strings.Contains(text, gateway.AskPath) || !strings.Contains(text, "no-route") {
		t.Errorf("%s", text)
	}
}

func TestPlacesAreMatchedByHostAndPrefix(t *testing.T) {
	_, server := caddy(t, gateway.Config{Places: []gateway.Place{
		{"a.test", "/x"}, {"a.test", "/"}, {"b.test", "/y"}, {"b.test", "/y"}, {"", "/z/w"}, {"", "/{env.HOME}"}, {"{env.X}", "/"}, {"", "/a*"},
	}})
	want := []any{
		map[string]any{"host": []any{"a.test"}},
		map[string]any{"host": []any{"b.test"}, "path": []any{"/y", "/y/*"}},
		map[string]any{"path": []any{"/z/w", "/z/w/*"}},
	}
	if diff := cmp.Diff(want, server["routes"].([]any)[0].(map[string]any)["match"]); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestTheSameConfigurationIsTheSameText(t *testing.T) {
	c := gateway.Config{
		Ask: "https://core.test", Listen: []string{":80"}, Admin: "localhost:2", Pull: time.Second, PullFrom: "https://core.test/x", Hosts: []string{"apps.test"},
		Places: []gateway.Place{{"", "/"}}, Versions: []gateway.Version{{"shop", "1.0.0", []string{"https://a:1", "https://b:1"}}, {"shop", "0.1.0", nil}},
	}
	first, _ := caddy(t, c)
	for range 10 {
		if again, _ := caddy(t, c); again != first {
			t.Fatalf("%s\nand\n%s", first, again)
		}
	}
	for _, part := range []string{`"dial":"core.test:443"`, `"dial":"b:1"`, `"Bearer {env.CHANCERY_GATEWAY_TOKEN}"`} {
		if !strings.Contains(first, part) {
			t.Errorf("%s is missing in %s", part, first)
		}
	}
	if strings.Contains(first, "0.1.0") {
		t.Error("a version that runs nowhere has a place to go to")
	}
	for _, bad := range []string{"", "core.test", "ftp://core.test", "http://"} {
		if _, err := gateway.Caddy(gateway.Config{Ask: bad}); err == nil {
			t.Errorf("%q is a server to ask", bad)
		}
	}
}

func TestCaddyServesHTTPSForHostsThatAreNamed(t *testing.T) {
	for _, c := range []struct {
		config         gateway.Config
		listen, policy any
		certificates   bool
	}{
		{gateway.Config{}, []any{":80"}, nil, false},
		{gateway.Config{Listen: []string{":8080"}}, []any{":8080"}, nil, false},
		{gateway.Config{Hosts: []string{"a.test", "b.test"}}, []any{":443"}, []any{map[string]any{}}, true},
		{gateway.Config{Hosts: []string{"a.test", "b.test"}, Listen: []string{":8443"}}, []any{":8443"}, []any{map[string]any{}}, true},
	} {
		c.config.Places = []gateway.Place{{"vendor.test", "/"}}
		text, server := caddy(t, c.config)
		got := []any{server["listen"], server["tls_connection_policies"], server["automatic_https"]}
		if diff := cmp.Diff([]any{c.listen, c.policy, map[string]any{"disable": true}}, got); diff != "" {
			t.Errorf("%v (-want +got):\n%s", c.config, diff)
		}
		if certified := strings.Contains(text, `"tls":{"certificates":{"automate":["a.test","b.test"]}}`); certified != c.certificates || certified != strings.Contains(text, "certificates") {
			t.Errorf("%v: %s", c.config, text)
		}
	}
}

func TestNoClientSaysWhatAnAppIsNotTold(t *testing.T) {
	text, _ := caddy(t, gateway.Config{Places: []gateway.Place{{"", "/"}}, Versions: []gateway.Version{{"shop", "1.0.0", []string{"a:1"}}}})
	for _, part := range []string{`"Connection":[{`, `"Set-Cookie":[{`, `"X-Forwarded-Uri","X-Forwarded-Method","X-Forwarded-Prefix"`, `"X-Forwarded-Uri":["{http.request.uri}"]`} {
		if !strings.Contains(text, part) {
			t.Errorf("%s is missing in %s", part, text)
		}
	}
}
