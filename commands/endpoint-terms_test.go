package commands_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"chancery/commands"
	"chancery/domain"
)

func TestTermsOfAnEndpointAreChecked(t *testing.T) {
	for pointer, changes := range map[string][]func(*commands.CreateEndpoint){
		"/app":     {func(c *commands.CreateEndpoint) { c.App = "" }, func(c *commands.CreateEndpoint) { c.App = "CRM" }},
		"/kind":    {func(c *commands.CreateEndpoint) { c.Kind = "" }, func(c *commands.CreateEndpoint) { c.Kind = "mail" }},
		"/types":   {func(c *commands.CreateEndpoint) { c.Types = nil }, func(c *commands.CreateEndpoint) { c.Types = numberedTypes(51) }},
		"/types/0": {func(c *commands.CreateEndpoint) { c.Types = []domain.EventPattern{"core.*.x"} }},
		"/types/2": {func(c *commands.CreateEndpoint) {
			c.Types = []domain.EventPattern{"shop.order.placed", "shop.order.placed", "Bad", "core.user.*"}
		}},
		"/filter": {
			func(c *commands.CreateEndpoint) { c.Filter = "data.x >" }, func(c *commands.CreateEndpoint) { c.Filter = "data.x" },
			func(c *commands.CreateEndpoint) { c.Filter = strings.Repeat("x", 1001) },
		},
		"/body":     {func(c *commands.CreateEndpoint) { c.Body = "fat" }},
		"/order_by": {func(c *commands.CreateEndpoint) { c.OrderBy = "id" }, func(c *commands.CreateEndpoint) { c.OrderBy = "/a~2" }},
		"/concurrency": {
			func(c *commands.CreateEndpoint) { c.Concurrency = new(0) }, func(c *commands.CreateEndpoint) { c.Concurrency = new(-1) }, func(c *commands.CreateEndpoint) { c.Concurrency = new(101) },
			func(c *commands.CreateEndpoint) { toPull(c).Concurrency = new(1) },
		},
		"/per_second":    {func(c *commands.CreateEndpoint) { c.PerSecond = new(-1) }, func(c *commands.CreateEndpoint) { toPull(c).PerSecond = new(1) }},
		"/lease_seconds": {func(c *commands.CreateEndpoint) { c.Lease = new(30) }, func(c *commands.CreateEndpoint) { toPull(c).Lease = new(43201) }, func(c *commands.CreateEndpoint) { toPull(c).Lease = new(0) }},
		"/max_attempts":  {func(c *commands.CreateEndpoint) { c.Attempts = new(3) }, func(c *commands.CreateEndpoint) { toPull(c).Attempts = new(-1) }, func(c *commands.CreateEndpoint) { toPull(c).Attempts = new(0) }},
		"/from":          {func(c *commands.CreateEndpoint) { c.From = now.Add(time.Second) }},
		"/description":   {func(c *commands.CreateEndpoint) { c.Description = strings.Repeat("x", 3000) }},
		"/secret": {
			func(c *commands.CreateEndpoint) { c.Secret = "hunter2" }, func(c *commands.CreateEndpoint) { c.Secret = "whsec_c2hvcnQ=" },
			func(c *commands.CreateEndpoint) { toPull(c).Secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw" },
		},
		"/url": {
			func(c *commands.CreateEndpoint) { c.URL = "" }, func(c *commands.CreateEndpoint) { toPull(c).URL = "https://x.example" },
			sentTo("http://crm.example/"), sentTo("https://u@crm.example/"), sentTo("https://u:p@crm.example/"), sentTo("https://crm.example/#x"), sentTo("/hook"), sentTo("crm.example"),
			sentTo("https:crm.example"), sentTo("https://"), sentTo("https://:443/"), sentTo("ftp://crm.example"), sentTo("https://crm.example:8443/"), sentTo("https://crm.example/ x"),
			sentTo("https://crm.example\\@evil.example/"), sentTo("https://crm.example/" + strings.Repeat("x", 2000)), sentTo("https://crm.example:99999999/"),
		},
	} {
		for _, change := range changes {
			c := createHook()
			change(&c)
			atCRM(t).When(c.Decide(env())).ThenInvalid(t, pointer)
		}
	}
	private := env()
	private.PrivateWebhooks = true
	for _, url := range []string{"http://10.0.0.7:8080/hook", "https://crm.example:8443/", "http://[::1]:65535/", "http://stock1/"} {
		c := createHook()
		c.URL = url
		if err := atCRM(t).When(c.Decide(private)).Err(); err != nil {
			t.Errorf("%s, where receivers may be in private networks: %v", url, err)
		}
	}
	for _, url := range []string{"http://10.0.0.7:0/", "http://crm.example:65536/", "http://0x7f000001/"} {
		c := createHook()
		c.URL = url
		atCRM(t).When(c.Decide(private)).ThenInvalid(t, "/url")
	}
}

func TestAURLThatLeadsNowhereIsRefusedForWhatIsWrongWithIt(t *testing.T) {
	for url, why := range map[string]string{
		"": "required", "https://x.example/" + strings.Repeat("x", 2000): "bytes", "https://bücher.example/": "ASCII",
		"https://10.0.0.1/": "not public", "https://127.0.0.1": "not public", "https://127.0.0.1.": "not public", "https://100.64.0.1/": "not public", "https://[::1]/": "not public",
		"https://[fe80::1%25eth0]/": "not public", "https://[::ffff:10.0.0.1]/": "not public", "https://169.254.169.254/": "not public", "https://0.0.0.0/": "not public",
		"https://2130706433/": "name", "https://0x7f000001/": "name", "https://127.1/": "name", "https://0177.0.0.1/": "name", "https://10.0.0.0x1/": "name",
	} {
		c := createHook()
		c.URL = url
		refusal := atCRM(t).When(c.Decide(env()))
		refusal.ThenInvalid(t, "/url")
		var told *domain.InputError
		if !errors.As(refusal.Err(), &told) || !strings.Contains(told.Detail, why) {
			t.Errorf("of %q is told: %v", url, refusal.Err())
		}
	}
	for _, url := range []string{"https://8.8.8.8/", "https://[2606:4700::1111]/", "https://xn--bcher-kva.example/", "https://crm.example./", "https://1.example/"} {
		c := createHook()
		c.URL = url
		if err := atCRM(t).When(c.Decide(env())).Err(); err != nil {
			t.Errorf("%s: %v", url, err)
		}
	}
}

func sentTo(url string) func(*commands.CreateEndpoint) {
	return func(c *commands.CreateEndpoint) { c.URL = url }
}

func toPull(c *commands.CreateEndpoint) *commands.CreateEndpoint {
	c.Kind, c.URL = domain.Pull, ""
	return c
}

func numberedTypes(n int) (all []domain.EventPattern) {
	for i := range n {
		all = append(all, domain.EventPattern("core.user.t"+string(rune('a'+i%26))+string(rune('a'+i/26))))
	}
	return all
}
