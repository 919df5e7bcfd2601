package ledger

import (
	"context"
	"fmt"
	"io/fs"
	"strconv"
	"strings"

	migrations "chancery/sql"
)

// Ready lists why the database cannot take requests: it is read-only, as after a failover, or its schema is older than
// the program. None if it can. An error means that it cannot be asked.
func (l *Ledger) Ready(ctx context.Context) ([]string, error) {
	var readOnly bool
	var version int64
	err := l.Pool(Owner).QueryRow(ctx, `
		SELECT pg_catalog.pg_is_in_recovery() OR current_setting('transaction_read_only')::boolean,
		       (SELECT max(version_id) FROM core.goose_db_version WHERE is_applied)`).Scan(&readOnly, &version)
	if err != nil {
		return nil, fmt.Errorf("ledger: readiness: %w", err)
	}
	newest, err := newestMigration()
	if err != nil {
		return nil, err
	}
	var reasons []string
	if readOnly {
		reasons = append(reasons, "the database is read-only")
	}
	if version < newest {
		reasons = append(reasons, fmt.Sprintf("the schema is at version %d of %d: run chancery migrate", version, newest))
	}
	return reasons, nil
}

func newestMigration() (newest int64, err error) {
	names, err := fs.Glob(migrations.Migrations, "migrations/*.sql")
	if err != nil {
		return 0, fmt.Errorf("ledger: migrations: %w", err)
	}
	for _, name := range names {
		number, _, _ := strings.Cut(strings.TrimPrefix(name, "migrations/"), "_")
		n, err := strconv.ParseInt(number, 10, 64)
		if err != nil {
			return 0, fmt.Errorf("ledger: migration %s has no number: %w", name, err)
		}
		newest = max(newest, n)
	}
	return newest, nil
}
