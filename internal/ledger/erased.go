package ledger

import (
	"context"
	"fmt"

	"github.com/google/uuid"
)

// BlankKeys destroys the data keys of subjects, each named by tenant and id at the same place, and keeps new ones from being made.
// It returns how many were not blank before.
func (l *Ledger) BlankKeys(ctx context.Context, tenants, subjects []uuid.UUID) (int64, error) {
	// Locks the rows, in an order that is the same for all who do this at once.
	tag, err := l.Pool(Append).Exec(ctx, `
		INSERT INTO core.subject_keys AS k (tenant_id, subject_id, wrapped, created_at)
		SELECT DISTINCT u.tenant, u.subject, ''::bytea, now() FROM unnest($1::uuid[], $2::uuid[]) u(tenant, subject) ORDER BY 1, 2
		ON CONFLICT (tenant_id, subject_id) DO UPDATE SET wrapped = ''::bytea WHERE k.wrapped <> ''::bytea`, tenants, subjects)
	if err != nil {
		return 0, fmt.Errorf("ledger: blank data keys: %w", err)
	}
	return tag.RowsAffected(), nil
}

// VacuumKeys takes the old versions of blanked keys from the table's pages, as far as no transaction may still look at them. It
// leaves it to another process that is at it already.
func (l *Ledger) VacuumKeys(ctx context.Context) error {
	if _, err := l.Pool(Owner).Exec(ctx, `VACUUM (SKIP_LOCKED, TRUNCATE false) core.subject_keys`); err != nil {
		return fmt.Errorf("ledger: vacuum the data keys: %w", err)
	}
	return nil
}
