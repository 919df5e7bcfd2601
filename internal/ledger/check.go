package ledger

import (
	"context"
	"fmt"
	"strings"
)

// Unsafe lists everything for which Chancery does not start on a database.
type Unsafe struct{ Reasons []string }

// Error puts a reason on each line.
func (u *Unsafe) Error() string {
	return "ledger: this database is not safe to use:\n - " + strings.Join(u.Reasons, "\n - ")
}

func (l *Ledger) check(ctx context.Context, allowUnsafe bool) error {
	var (
		version                  int
		login, super, bypass     string
		fsync, pages, commitMode string
	)
	err := l.pools[Append].QueryRow(ctx, `
		SELECT current_setting('server_version_num')::int, session_user,
		       coalesce((SELECT string_agg(rolname, ', ' ORDER BY rolname) FROM pg_catalog.pg_roles
		                 WHERE rolsuper AND (rolname = session_user OR rolname = ANY ($1))), ''),
		       coalesce((SELECT string_agg(rolname, ', ' ORDER BY rolname) FROM pg_catalog.pg_roles
		                 WHERE rolbypassrls AND (rolname = session_user OR rolname = ANY ($1))), ''),
		       current_setting('fsync'), current_setting('full_page_writes'), current_setting('synchronous_commit')`,
		[]string{string(Owner), string(Append), string(Project), string(Query)},
	).Scan(&version, &login, &super, &bypass, &fsync, &pages, &commitMode)
	if err != nil {
		return fmt.Errorf("ledger: check safety: %w", err)
	}
	var reasons []string
	refuse := func(when bool, format string, args ...any) {
		if when {
			reasons = append(reasons, fmt.Sprintf(format, args...))
		}
	}
	refuse(version < 150000, "PostgreSQL 15 or newer is needed; this is %d.", version/10000)
	refuse(super != "", "The role %s is a superuser, whom row level security does not bind: use an ordinary login with CREATEROLE.", super)
	refuse(bypass != "", "The role %s has BYPASSRLS, so that tenants are not kept apart: ALTER ROLE … NOBYPASSRLS.", bypass)
	if !allowUnsafe {
		refuse(fsync != "on", "fsync is off: a crash of the machine would lose acknowledged events.")
		refuse(pages != "on", "full_page_writes is off: a crash of the machine could tear pages of the log.")
		refuse(commitMode == "off", "synchronous_commit is off for %s: a crash of the server would lose acknowledged events.", login)
	}
	if len(reasons) > 0 {
		return &Unsafe{Reasons: reasons}
	}
	return nil
}
