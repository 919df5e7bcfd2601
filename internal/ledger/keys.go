package ledger

import (
	"context"
	"errors"
	"fmt"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
)

// ErrOtherKeys says that the database was written with another key file: what is sealed in it would not open,
// and claims such as e-mail addresses would no longer be unique.
var ErrOtherKeys = errors.New("the key file in the data folder is not the one this database was made with")

// ClaimKeys binds the database to a key file, the first time; later it refuses any other.
func (l *Ledger) ClaimKeys(ctx context.Context, fingerprint string) error {
	var bound string
	err := l.Pool(Owner).QueryRow(ctx, `
		WITH first AS (INSERT INTO core.vault (fingerprint) VALUES ($1) ON CONFLICT DO NOTHING RETURNING fingerprint)
		SELECT fingerprint FROM first UNION ALL SELECT fingerprint FROM core.vault LIMIT 1`, fingerprint).Scan(&bound)
	if err != nil {
		return fmt.Errorf("ledger: bind the key file: %w", err)
	}
	if bound != fingerprint {
		return ErrOtherKeys
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
