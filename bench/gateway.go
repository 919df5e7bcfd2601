package main

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"chancery/internal/imports"
)

const (
	gatewayConns  = 32
	forwardAuths  = 8000 // a second, at least
	gatewayUsers  = 50
	gatewayRoutes = 40 // of each of the apps
	gatewayApps   = 10
)

// gateway measures what a gateway asks about each request: who it is, which app and version, may they. The users of a tenant have ten
// apps, of which each route needs a privilege.
func (b *bench) gateway(ctx context.Context) error {
	s, err := b.serve(ctx)
	if err != nil {
		return err
	}
	defer s.stop()
	if err := market(ctx, s.bulk()); err != nil {
		return err
	}
	tokens := make([]string, gatewayUsers)
	for u := range tokens {
		if tokens[u], err = s.tokenIn(ctx, "office", numbered('u', int64(u))); err != nil {
			return err
		}
	}
	conns, closeAll, err := dial(ctx, s.address, gatewayConns)
	if err != nil {
		return err
	}
	defer closeAll()
	asks := make([][]byte, 2048)
	for i := range asks {
		asks[i] = []byte(fmt.Sprintf("GET /v1/gateway/authorize HTTP/1.1\r\nHost: bench\r\nAuthorization: Bearer %s\r\nX-Forwarded-Method: GET\r\nX-Forwarded-Host: apps.test\r\n"+
			"X-Forwarded-Uri: /app%d/part%d/things/%d?page=2\r\nX-Forwarded-For: 192.0.2.7\r\nX-Forwarded-Proto: https\r\nUser-Agent: bench\r\n\r\n",
			tokens[i*7%gatewayUsers], i%gatewayApps, i*3%gatewayRoutes, i))
	}
	next, before := make([]int, gatewayConns), b.usage()
	checks, err := drive(gatewayConns, b.span, func(i int) error {
		next[i]++
		return conns[i].ok(asks[(next[i]*gatewayConns+i)%len(asks)])
	})
	if err != nil {
		return err
	}
	b.spent(before, checks.rate*b.span.Seconds()*1.1)
	user, token := numbered('u', 1), tokens[1]
	evaluation := request("/v1/tenants/office/access/v1/evaluation", token, fmt.Sprintf(
		`{"subject":{"type":"user","id":%q},"action":{"name":"app1.part1.use"},"resource":{"type":"tenant","id":"office"}}`, user))
	plain, err := drive(gatewayConns, b.span, func(i int) error { return conns[i].ok(evaluation) })
	if err != nil {
		return err
	}
	r := versus(fmt.Sprintf("HTTP forward-auth, %d connections (access check)", gatewayConns), checks, plain, forwardAuths)
	r.aim, r.met = r.aim+", p99 ≤ 15 ms", r.met && checks.p99 <= 15*time.Millisecond
	b.add(r)
	return nil
}

// market makes a tenant whose users have apps.
func market(ctx context.Context, c *imports.Client) error {
	root := []imports.Line{{Command: "create-tenant", Body: map[string]any{"name": "Office", "slug": "office"}}}
	var office []imports.Line
	for a := range gatewayApps {
		name := fmt.Sprintf("app%d", a)
		var privileges, routes []map[string]any
		for p := range gatewayRoutes {
			privilege := fmt.Sprintf("%s.part%d.use", name, p)
			privileges = append(privileges, map[string]any{"name": privilege, "description": "Use it."})
			routes = append(routes, map[string]any{"path": fmt.Sprintf("/%s/part%d", name, p), "privilege": privilege})
		}
		root = append(root,
			imports.Line{Command: "register-app", Body: map[string]any{"name": name, "title": name}},
			imports.Line{Command: "publish-app-version", Body: map[string]any{"manifest": map[string]any{
				"app": name, "version": "1.0.0", "privileges": privileges, "routes": routes,
				"roles": []map[string]any{{"key": "user", "title": name, "privileges": []string{name + ".*"}}},
			}}},
			imports.Line{Command: "deploy-app-version", Body: map[string]any{"app": name, "version": "1.0.0", "upstreams": []string{"127.0.0.1:1"}}})
		office = append(office, imports.Line{Command: "enable-app", Body: map[string]any{"app": name}})
	}
	all := make([]string, gatewayApps)
	for a := range all {
		all[a] = fmt.Sprintf("app%d.*", a)
	}
	office = append(office, imports.Line{Command: "create-role", Body: map[string]any{"id": numbered('r', 1), "name": "Everything", "privileges": all}})
	for u := range gatewayUsers {
		office = append(office,
			imports.Line{Command: "register-user", Body: map[string]any{"id": numbered('u', int64(u)), "display_name": fmt.Sprintf("User %d", u)}},
			imports.Line{Command: "assign-role", Body: map[string]any{"role_id": numbered('r', 1), "user_id": numbered('u', int64(u))}})
	}
	if err := c.Send(ctx, "root", root); err != nil {
		return err
	}
	return c.Send(ctx, "office", office)
}

// tokenIn issues a token of a user.
func (s *server) tokenIn(ctx context.Context, tenant, user string) (string, error) {
	conns, closeAll, err := dial(ctx, s.address, 1)
	if err != nil {
		return "", err
	}
	defer closeAll()
	body := fmt.Sprintf(`{"user_id":%q,"name":"bench","expires_at":%q}`, user, time.Now().Add(time.Hour).UTC().Format(time.RFC3339))
	if err := conns[0].ok(request("/v1/tenants/"+tenant+"/commands/issue-token", s.token, body)); err != nil {
		return "", err
	}
	var answer struct {
		Token string `json:"token"`
	}
	err = json.Unmarshal(conns[0].body, &answer)
	return answer.Token, err
}
