package main

import (
	"context"
	"fmt"
	"sync/atomic"

	"github.com/google/uuid"

	"chancery/internal/eventlog"
	"chancery/internal/imports"
)

const clients = 64

// commands measures commands over HTTP: users with addresses of their own, then a role for each of them, once per thing.
func (b *bench) commands(ctx context.Context) error {
	s, err := b.serve(ctx)
	if err != nil {
		return err
	}
	defer s.stop()
	tenant := "acme"
	err = s.bulk().Send(ctx, "root", []imports.Line{
		{Command: "create-tenant", Body: map[string]any{"name": "Acme", "slug": tenant}},
		{Command: "register-privilege", Body: map[string]any{"name": "repo.read"}},
	})
	if err != nil {
		return err
	}
	role := numbered('r', 1)
	body := map[string]any{"id": role, "name": "reader", "privileges": []string{"repo.read"}}
	if err := s.bulk().Send(ctx, tenant, []imports.Line{{Command: "create-role", Body: body}}); err != nil {
		return err
	}

	in, err := open(ctx, s.url, s.data, eventlog.Config{})
	if err != nil {
		return err
	}
	defer in.close(ctx)
	plain, err := openBare(ctx, in.ledger, clients)
	if err != nil {
		return err
	}
	defer plain.close()

	var users, things atomic.Int64
	register := func() string {
		n := users.Add(1)
		return fmt.Sprintf(`{"id":"%s","email":"user-%d@example.org","display_name":"User %d"}`, numbered('u', n), n, n)
	}
	assign := func() string {
		n := things.Add(1)
		return fmt.Sprintf(`{"user_id":"%s","role_id":"%s","scope":"repo:%d"}`, numbered('u', 1+n%users.Load()), role, n)
	}
	for _, c := range []struct {
		name string
		body func() string
	}{{"register-user", register}, {"assign-role", assign}} {
		before := b.usage()
		measured, err := b.send(ctx, s, "/v1/tenants/"+tenant+"/commands/"+c.name, c.body)
		if err != nil {
			return fmt.Errorf("%s: %w", c.name, err)
		}
		b.spent(before, measured.rate*b.span.Seconds()*1.1) // the warm-up costs too
		single, err := plain.inserts(ctx, clients, b.span)
		if err != nil {
			return err
		}
		b.add(versus(fmt.Sprintf("HTTP %s, %d connections (bare INSERT + COMMIT)", c.name, clients), measured, single, 5000))
	}
	return nil
}

// send posts bodies to a path from all clients.
func (b *bench) send(ctx context.Context, s *server, path string, body func() string) (driven, error) {
	conns, closeAll, err := dial(ctx, s.address, clients)
	if err != nil {
		return driven{}, err
	}
	defer closeAll()
	return drive(clients, b.span, func(i int) error { return conns[i].ok(request(path, s.token, body())) })
}

// numbered is an id made of a kind and a number.
func numbered(kind byte, n int64) string {
	id := uuid.UUID{0: kind, 6: 0x80, 8: 0x80}
	for i := range 7 {
		id[15-i] = byte(n >> (8 * i))
	}
	return id.String()
}
