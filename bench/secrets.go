package main

import (
	"context"
	"encoding/json"
	"fmt"
	"sync/atomic"
	"time"

	"chancery/internal/imports"
)

const (
	benchSecrets = 100  // of one app
	secretReads  = 2000 // a second, at least
)

// secrets measures readings of secrets by an app over HTTP, each with its event and its row before the value leaves.
func (b *bench) secrets(ctx context.Context) error {
	s, err := b.serve(ctx)
	if err != nil {
		return err
	}
	defer s.stop()
	lines := []imports.Line{{Command: "register-user", Body: map[string]any{"id": numbered('u', 1), "display_name": "a service"}}}
	for n := range benchSecrets {
		lines = append(lines, imports.Line{Command: "create-secret", Body: map[string]any{
			"id": numbered('s', int64(n)), "app": "billing", "name": fmt.Sprintf("secret-%d", n), "value": fmt.Sprintf("value of secret %d, as long as such are", n),
		}})
	}
	if err := s.bulk().Send(ctx, "root", lines); err != nil {
		return err
	}
	app := *s
	if app.token, err = s.appToken(ctx, numbered('u', 1), "billing"); err != nil {
		return err
	}
	var next atomic.Int64
	read := func(body string) (driven, error) {
		before := b.usage()
		d, err := b.send(ctx, &app, "/v1/tenants/root/commands/read-secret", func() string { return fmt.Sprintf(body, next.Add(1)%benchSecrets) })
		b.spent(before, d.rate*b.span.Seconds()*1.1)
		return d, err
	}
	named, err := read(`{"ref":"secret://billing/secret-%d"}`)
	if err != nil {
		return fmt.Errorf("read by name: %w", err)
	}
	known := func(n int64) string { return fmt.Sprintf(`{"id":%q}`, numbered('s', n)) }
	byID, err := b.send(ctx, &app, "/v1/tenants/root/commands/read-secret", func() string { return known(next.Add(1) % benchSecrets) })
	if err != nil {
		return fmt.Errorf("read by id: %w", err)
	}
	b.add(versus(fmt.Sprintf("HTTP read-secret by name, record included, %d connections (by id)", clients), named, byID, secretReads))
	return nil
}

// appToken issues a token of an app.
func (s *server) appToken(ctx context.Context, user, app string) (string, error) {
	conns, closeAll, err := dial(ctx, s.address, 1)
	if err != nil {
		return "", err
	}
	defer closeAll()
	end := time.Now().Add(time.Hour).UTC().Format(time.RFC3339)
	body := fmt.Sprintf(`{"user_id":%q,"name":"bench","app":%q,"scopes":["core.secrets.read","core.entitlements.*","core.events.publish","core.endpoints.*"],"expires_at":%q}`, user, app, end)
	if err := conns[0].ok(request("/v1/tenants/root/commands/issue-token", s.token, body)); err != nil {
		return "", err
	}
	var answer struct {
		Token string `json:"token"`
	}
	err = json.Unmarshal(conns[0].body, &answer)
	return answer.Token, err
}
