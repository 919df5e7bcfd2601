package ledger

import (
	"context"
	"errors"
	"fmt"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
)

// ErrOtherKeys says that the database was written with another keyring: what is sealed in it would not open,
// and claims such as e-mail addresses would no longer be unique.
var ErrOtherKeys = errors.New("the keyring is not the one this database was made with")

// ErrOldKeys says that the keyring's key-encryption key is retired in this database: it is an old copy.
var ErrOldKeys = errors.New("the keyring is an old copy: its key-encryption key is retired in this database, so that nothing new could be sealed")

// ClaimKeys binds the database to a keyring, the first time; later it refuses any other.
func (l *Ledger) ClaimKeys(ctx context.Context, fingerprint string) error {
	var bound string
	err := l.Pool(Owner).QueryRow(ctx, `
		WITH first AS (INSERT INTO core.vault (fingerprint) VALUES ($1) ON CONFLICT DO NOTHING RETURNING fingerprint)
		SELECT fingerprint FROM first UNION ALL SELECT fingerprint FROM core.vault LIMIT 1`, fingerprint).Scan(&bound)
	if err != nil {
		return fmt.Errorf("ledger: bind the keyring: %w", err)
	}
	if bound != fingerprint {
		return ErrOtherKeys
	}
	return nil
}

// CheckKEK refuses a key-encryption key for new data keys if it is retired.
func (l *Ledger) CheckKEK(ctx context.Context, kek uint32) error {
	var retired bool
	err := l.Pool(Owner).QueryRow(ctx, `SELECT EXISTS (SELECT 1 FROM core.retired_keks WHERE kek = $1)`, int64(kek)).Scan(&retired)
	if err != nil {
		return fmt.Errorf("ledger: retired keys: %w", err)
	}
	if retired {
		return ErrOldKeys
	}
	return nil
}

// SubjectKeys returns the wrapped data keys of a tenant's subjects; those without one are absent.
func (l *Ledger) SubjectKeys(ctx context.Context, tenant uuid.UUID, subjects []uuid.UUID) (map[uuid.UUID][]byte, error) {
	keys := make(map[uuid.UUID][]byte, len(subjects))
	err := l.Query(ctx, tenant, func(tx pgx.Tx) error {
		rows, err := tx.Query(ctx, `
			SELECT subject_id, wrapped FROM core.subject_keys
			WHERE tenant_id = $1 AND subject_id = ANY ($2) ORDER BY subject_id`, tenant, subjects)
		if err != nil {
			return err
		}
		var id uuid.UUID
		var wrapped []byte
		_, err = pgx.ForEachRow(rows, []any{&id, &wrapped}, func() error {
			keys[id] = append([]byte(nil), wrapped...)
			return nil
		})
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("ledger: data keys: %w", err)
	}
	return keys, nil
}
