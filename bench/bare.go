package main

import (
	"bytes"
	"context"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"chancery/internal/eventlog"
	"chancery/internal/ledger"
)

// bare is what PostgreSQL does alone: the same row as an event's, with the same indexes, one transaction each.
type bare struct{ pool *pgxpool.Pool }

func openBare(ctx context.Context, l *ledger.Ledger, conns int) (*bare, error) {
	owner := l.Pool(ledger.Owner)
	_, err := owner.Exec(ctx, `CREATE SCHEMA bare; CREATE SEQUENCE bare.seq; CREATE TABLE bare.events (LIKE core.events INCLUDING ALL)`)
	if err != nil {
		return nil, fmt.Errorf("bare table: %w", err)
	}
	cfg := owner.Config()
	cfg.MaxConns = int32(conns)
	pool, err := pgxpool.NewWithConfig(ctx, cfg)
	if err != nil {
		return nil, err
	}
	return &bare{pool}, nil
}

func (b *bare) close() { b.pool.Close() }

const bareInsert = `INSERT INTO bare.events
	(position, id, tenant_id, tenant_seq, source_app_id, type, payload, metadata, tags, request_id, occurred_at, created_at)
	VALUES (nextval('bare.seq'), $1, $2, 1, $3, $4, $5, $6, $7, $8, now(), now()) RETURNING position`

// insert commits one event.
func (b *bare) insert(ctx context.Context) (position int64, err error) {
	e, user := someEvent()
	err = b.pool.QueryRow(ctx, bareInsert, e.ID, e.Tenant, e.SourceApp, e.Type, e.Payload, e.Metadata, e.Tags, user).Scan(&position)
	return position, err
}

// inserts is the rate of single inserts from n connections.
func (b *bare) inserts(ctx context.Context, n int, span time.Duration) (driven, error) {
	return drive(n, span, func(int) error { _, err := b.insert(ctx); return err })
}

// someEvent is an event of usual size that nothing else is about.
func someEvent() (eventlog.Raw, uuid.UUID) {
	tenant, user := uuid.New(), uuid.New()
	return eventlog.Raw{
		ID: uuid.Must(uuid.NewV7()), Tenant: tenant, SourceApp: "core", Type: "role.assigned",
		Payload: []byte(`{"assignment_id":"` + user.String() + `","user_id":"` + user.String() + `","role_id":"` + tenant.String() +
			`","scope":"repo:chancery","from":"2027-01-01T00:00:00Z"}`),
		Metadata: []byte(`{"actor":"` + user.String() + `","effective":"` + user.String() + `","correlation_id":"` + tenant.String() + `"}`),
		Tags:     []string{"user:" + user.String(), "role:" + tenant.String(), "assignment:" + user.String()},
	}, user
}

// copied is how long COPY takes for the rows of tables of core, into tables with the same indexes.
func copied(ctx context.Context, l *ledger.Ledger, tables ...string) (time.Duration, error) {
	var took time.Duration
	err := l.Pool(ledger.Owner).AcquireFunc(ctx, func(c *pgxpool.Conn) error {
		if _, err := c.Exec(ctx, "DROP SCHEMA IF EXISTS copied CASCADE; CREATE SCHEMA copied"); err != nil {
			return err
		}
		for _, t := range tables {
			name := pgx.Identifier{t}.Sanitize()
			if _, err := c.Exec(ctx, "CREATE TABLE copied."+name+" (LIKE core."+name+" INCLUDING ALL)"); err != nil {
				return err
			}
			var rows bytes.Buffer
			if _, err := c.Conn().PgConn().CopyTo(ctx, &rows, "COPY core."+name+" TO STDOUT (FORMAT binary)"); err != nil {
				return err
			}
			began := time.Now()
			if _, err := c.Conn().PgConn().CopyFrom(ctx, &rows, "COPY copied."+name+" FROM STDIN (FORMAT binary)"); err != nil {
				return err
			}
			took += time.Since(began)
		}
		return nil
	})
	if err != nil {
		return 0, fmt.Errorf("copy: %w", err)
	}
	return took, nil
}
