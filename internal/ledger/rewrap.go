package ledger

import (
	"context"
	"errors"
	"fmt"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
)

// Usage is how many data keys lie under which key-encryption key.
type Usage struct {
	Keys    map[uint32]int64
	Strange int64 // not of the form of a wrapped key
	Erased  int64 // destroyed
}

// KeyUsage counts the data keys of all tenants.
func (l *Ledger) KeyUsage(ctx context.Context) (Usage, error) {
	u := Usage{Keys: map[uint32]int64{}}
	rows, err := l.Pool(Owner).Query(ctx, `
		SELECT core.kek_of(wrapped), wrapped = ''::bytea, count(*) FROM core.subject_keys GROUP BY 1, 2 ORDER BY 1, 2`)
	if err != nil {
		return u, fmt.Errorf("ledger: count data keys: %w", err)
	}
	var kek *int64
	var erased bool
	var n int64
	_, err = pgx.ForEachRow(rows, []any{&kek, &erased, &n}, func() error {
		switch {
		case erased:
			u.Erased += n
		case kek == nil:
			u.Strange += n
		default:
			u.Keys[uint32(*kek)] += n // kek_of makes it of four bytes
		}
		return nil
	})
	if err != nil {
		return u, fmt.Errorf("ledger: count data keys: %w", err)
	}
	return u, nil
}

// SubjectKey names a data key.
type SubjectKey struct{ Tenant, Subject uuid.UUID }

// Rewrapping is one data key, as it was found and as it is to be.
type Rewrapping struct {
	SubjectKey
	Old, New []byte
}

// KeysNotUnder returns, in the order of names and after a name, at most limit data keys that lie under another key-encryption
// key than this one. Erased ones lie under none.
func (l *Ledger) KeysNotUnder(ctx context.Context, kek uint32, after SubjectKey, limit int) ([]Rewrapping, error) {
	rows, err := l.Pool(Owner).Query(ctx, `
		SELECT tenant_id, subject_id, wrapped FROM core.subject_keys
		WHERE (tenant_id, subject_id) > ($1, $2) AND wrapped <> ''::bytea AND core.kek_of(wrapped) IS DISTINCT FROM $3
		ORDER BY tenant_id, subject_id LIMIT $4`, after.Tenant, after.Subject, int64(kek), limit)
	if err != nil {
		return nil, fmt.Errorf("ledger: data keys to wrap anew: %w", err)
	}
	found, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (Rewrapping, error) {
		var r Rewrapping
		err := row.Scan(&r.Tenant, &r.Subject, &r.Old)
		return r, err
	})
	if err != nil {
		return nil, fmt.Errorf("ledger: data keys to wrap anew: %w", err)
	}
	return found, nil
}

// Rewrap replaces data keys that are still as they were found, and returns how many. One that was erased since stays erased.
//
// It locks the rows until it commits, but waits for none: who holds one is erasing it, or wrapping it anew. So it cannot be in a
// deadlock with an append, which locks rows in an order of its own.
func (l *Ledger) Rewrap(ctx context.Context, keys []Rewrapping) (int64, error) {
	var tenants, subjects []uuid.UUID
	var olds, news [][]byte
	for _, k := range keys {
		tenants, subjects, olds, news = append(tenants, k.Tenant), append(subjects, k.Subject), append(olds, k.Old), append(news, k.New)
	}
	tag, err := l.Pool(Owner).Exec(ctx, `
		WITH found AS (
			SELECT s.tenant_id, s.subject_id, k.new FROM core.subject_keys s
			JOIN unnest($1::uuid[], $2::uuid[], $3::bytea[], $4::bytea[]) k(tenant, subject, old, new)
				ON s.tenant_id = k.tenant AND s.subject_id = k.subject AND s.wrapped = k.old
			FOR NO KEY UPDATE OF s SKIP LOCKED)
		UPDATE core.subject_keys s SET wrapped = f.new FROM found f WHERE s.tenant_id = f.tenant_id AND s.subject_id = f.subject_id`,
		tenants, subjects, olds, news)
	if err != nil {
		return 0, fmt.Errorf("ledger: wrap %d data keys anew: %w", len(keys), err)
	}
	return tag.RowsAffected(), nil
}

// AloneWithKeys runs fn while nobody else does, in whatever process: wrapping anew and retiring exclude each other.
func (l *Ledger) AloneWithKeys(ctx context.Context, fn func() error) error {
	conn, err := l.Pool(Owner).Acquire(ctx)
	if err != nil {
		return fmt.Errorf("ledger: acquire: %w", err)
	}
	defer conn.Release()
	if _, err := conn.Exec(ctx, `SELECT pg_advisory_lock(hashtextextended('chancery keys', 0))`); err != nil {
		return fmt.Errorf("ledger: another process works on the keys: %w", err)
	}
	err = fn()
	_, unlocked := conn.Exec(context.WithoutCancel(ctx), `SELECT pg_advisory_unlock(hashtextextended('chancery keys', 0))`)
	return errors.Join(err, unlocked)
}

// InUse says that data keys lie under a key-encryption key that was to be retired.
type InUse struct{ Usage Usage }

// Error counts them.
func (*InUse) Error() string { return "ledger: data keys lie under the key-encryption keys" }

// RetireKEKs forbids for good that anything is wrapped under these key-encryption keys, and returns when nothing is or will be.
// If something is (*InUse), they are not retired. Appends wait for a moment, for those before them to end.
func (l *Ledger) RetireKEKs(ctx context.Context, keks []uint32) error {
	ids := make([]int64, len(keks))
	for i, k := range keks {
		ids[i] = int64(k)
	}
	if err := l.unused(ctx, keks); err != nil {
		return err
	}
	pool := l.Pool(Owner)
	_, err := pool.Exec(ctx, `INSERT INTO core.retired_keks (kek) SELECT unnest($1::bigint[]) ON CONFLICT DO NOTHING`, ids)
	if err != nil {
		return fmt.Errorf("ledger: retire keys: %w", err)
	}
	// Whoever passed the trigger before that has stored something by now, or never will.
	err = pgx.BeginFunc(ctx, pool, func(tx pgx.Tx) error {
		_, err := tx.Exec(ctx, `LOCK TABLE core.subject_keys IN SHARE MODE`)
		return err
	})
	if err == nil {
		err = l.unused(ctx, keks)
	}
	if err == nil {
		return nil
	}
	_, undone := pool.Exec(context.WithoutCancel(ctx), `DELETE FROM core.retired_keks WHERE kek = ANY ($1)`, ids)
	return errors.Join(err, undone)
}

func (l *Ledger) unused(ctx context.Context, keks []uint32) error {
	usage, err := l.KeyUsage(ctx)
	if err != nil {
		return err
	}
	for _, k := range keks {
		if usage.Keys[k] > 0 {
			return &InUse{Usage: usage}
		}
	}
	return nil
}
