package replay

import (
	"context"
	"errors"
	"fmt"
	"sort"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"chancery/internal/dcb"
	"chancery/internal/eventlog"
)

// stretch is one tenant's events from its first to the one numbered end; or, with types, the first end events of those
// types of all other tenants.
type stretch struct {
	tenant   uuid.UUID
	end      int64 // tenant_seq of the last event; with types, their number; 0: none
	position int64 // of the last one
	types    []string
	at       time.Time // with types: those that had occurred by then; zero: all up to position
}

// stretches decides which events a question about the past concerns. It relies on positions and
// occurred_at never going back within a tenant.
func (p *Past) stretches(ctx context.Context, q Question) ([]stretch, error) {
	others := make([]stretch, 0, len(q.Shared))
	if q.At.IsZero() {
		until := func(e instant) bool { return e.position <= q.Position }
		own, err := p.end(ctx, q.Tenant, until)
		if err != nil {
			return nil, err
		}
		for _, t := range q.Shared {
			s, err := p.end(ctx, t, until)
			if err != nil {
				return nil, err
			}
			others = append(others, s)
		}
		return append(others, own), nil
	}
	own, err := p.end(ctx, q.Tenant, func(e instant) bool { return !e.occurred.After(q.At) })
	if err != nil {
		return nil, err
	}
	next, err := p.event(ctx, q.Tenant, own.end+1)
	if err != nil {
		return nil, err
	}
	for _, t := range q.Shared {
		// What stood in the log before the tenant's last event counts, also where an imported history is
		// older than the platform that it was imported into.
		s, err := p.end(ctx, t, func(e instant) bool {
			return e.position <= own.position || !e.occurred.After(q.At) && (next.position == 0 || e.position < next.position)
		})
		if err != nil {
			return nil, err
		}
		others = append(others, s)
	}
	return append(others, own), nil
}

// instant is when and where an event stands.
type instant struct {
	position int64
	occurred time.Time
}

const (
	selectLast    = `SELECT coalesce(max(tenant_seq), 0) FROM core.events WHERE tenant_id = $1`
	selectInstant = `SELECT position, occurred_at FROM core.events WHERE tenant_id = $1 AND tenant_seq = $2`
	selectEvents  = `SELECT ` + eventlog.BareColumns + ` FROM core.events`
	ofStretch     = ` WHERE tenant_id = $1 AND tenant_seq > $2 AND tenant_seq <= $3`
	selectStretch = selectEvents + ofStretch + ` ORDER BY tenant_seq LIMIT $4`
	selectOwn     = selectEvents + ofStretch + ` AND source_app_id = 'core' ORDER BY tenant_seq LIMIT $4`
)

// end finds a tenant's last event that satisfies in, which MUST hold for a beginning of its events and no
// more. It looks at few of them, through the index on (tenant_id, tenant_seq).
func (p *Past) end(ctx context.Context, tenant uuid.UUID, in func(instant) bool) (stretch, error) {
	var n int64
	if err := p.cfg.Project.QueryRow(ctx, selectLast, tenant).Scan(&n); err != nil {
		return stretch{}, fmt.Errorf("read the tenant's last event: %w", err)
	}
	var failed error
	end := int64(sort.Search(int(n), func(i int) bool {
		e, err := p.event(ctx, tenant, int64(i)+1)
		if err != nil {
			failed = err
		}
		return failed != nil || !in(e)
	}))
	if failed != nil || end == 0 {
		return stretch{tenant: tenant}, failed
	}
	last, err := p.event(ctx, tenant, end)
	return stretch{tenant: tenant, end: end, position: last.position}, err
}

// event returns zero for a number beyond the last one.
func (p *Past) event(ctx context.Context, tenant uuid.UUID, seq int64) (e instant, err error) {
	err = p.cfg.Project.QueryRow(ctx, selectInstant, tenant, seq).Scan(&e.position, &e.occurred)
	if errors.Is(err, pgx.ErrNoRows) {
		return instant{}, nil
	}
	if err != nil {
		return e, fmt.Errorf("read event %d of the tenant: %w", seq, err)
	}
	return e, nil
}

// merged is a Source over stretches of several tenants, in the order of the log. It is read once, onward.
type merged struct {
	pool  *pgxpool.Pool
	parts []*part
}

type part struct {
	stretch
	own    bool  // without the events of apps
	seq    int64 // read up to here
	last   int64 // its position
	buffer []eventlog.Raw
}

// elsewhere is what a question hears of other tenants. Of two such stretches one contains the other; so number and last
// position tell them apart.
func (p *Past) elsewhere(ctx context.Context, q Question) (stretch, error) {
	s := stretch{tenant: q.Tenant, types: q.Everywhere, at: q.At}
	query, until := `SELECT count(*), coalesce(max(position), 0) FROM core.events
WHERE `+ofTypes(q.Everywhere)+` AND tenant_id <> $1 AND `, any(q.Position)
	if q.At.IsZero() {
		query += "position <= $2"
	} else {
		query, until = query+"occurred_at <= $2", q.At
	}
	if err := p.cfg.Project.QueryRow(ctx, query, q.Tenant, until).Scan(&s.end, &s.position); err != nil {
		return s, fmt.Errorf("find the events of other tenants: %w", err)
	}
	return s, nil
}

// ofTypes is the condition as the predicate of a partial index has it, word for word; a parameter would not match it. Beside it stands
// that the event is Chancery's own: what apps call theirs is no matter.
func ofTypes(types []string) string {
	return "type = ANY ('{" + strings.Join(types, ",") + "}'::text[]) AND source_app_id = '" + dcb.Core + "'"
}

// read returns the events of a stretch of other tenants that follow a position.
func (p *part) read(ctx context.Context, pool *pgxpool.Pool, limit int) (pgx.Rows, error) {
	if len(p.types) == 0 {
		query := selectStretch
		if p.own {
			query = selectOwn
		}
		return pool.Query(ctx, query, pgx.QueryResultFormats{pgx.BinaryFormatCode}, p.tenant, p.seq, p.end, limit)
	}
	at := p.at
	if at.IsZero() {
		at = time.Unix(1<<40, 0) // later than anything
	}
	return pool.Query(ctx, selectEvents+` WHERE `+ofTypes(p.types)+`
AND tenant_id <> $1 AND position > $2 AND position <= $3 AND occurred_at <= $4 ORDER BY position LIMIT $5`,
		pgx.QueryResultFormats{pgx.BinaryFormatCode}, p.tenant, p.last, p.position, at, limit)
}

func newMerged(pool *pgxpool.Pool, stretches []stretch) *merged {
	m := &merged{pool: pool}
	for _, s := range stretches {
		m.parts = append(m.parts, &part{stretch: s})
	}
	return m
}

// skipForeign leaves out what apps published. MUST be called before the first page.
func (m *merged) skipForeign() {
	for _, p := range m.parts {
		p.own = true
	}
}

// Page ignores after: it goes on where the last one ended.
func (m *merged) Page(ctx context.Context, _ int64, limit int) ([]eventlog.Raw, error) {
	var out []eventlog.Raw
	for len(out) < limit {
		var first *part
		for _, p := range m.parts {
			if err := p.fill(ctx, m.pool, limit); err != nil {
				return nil, err
			}
			if len(p.buffer) > 0 && (first == nil || p.buffer[0].Position < first.buffer[0].Position) {
				first = p
			}
		}
		if first == nil {
			break
		}
		out = append(out, first.buffer[0])
		first.buffer = first.buffer[1:]
	}
	return out, nil
}

func (p *part) fill(ctx context.Context, pool *pgxpool.Pool, limit int) error {
	if len(p.buffer) > 0 || p.seq >= p.end {
		return nil
	}
	rows, err := p.read(ctx, pool, limit)
	if err != nil {
		return err
	}
	p.buffer, err = pgx.CollectRows(rows, func(row pgx.CollectableRow) (eventlog.Raw, error) { return eventlog.RawOf(row.RawValues()) })
	if err != nil {
		return err
	}
	if p.own && len(p.types) == 0 { // a hole cannot be told from what was left out
		if p.seq = p.end; len(p.buffer) == limit {
			p.seq = p.buffer[limit-1].TenantSeq
		}
		return nil
	}
	for i := range p.buffer {
		p.last = p.buffer[i].Position
		if p.seq++; len(p.types) == 0 && p.buffer[i].TenantSeq != p.seq {
			return fmt.Errorf("hole in the log: event %d of tenant %s is missing: %w", p.seq, p.tenant, eventlog.ErrHole)
		}
	}
	if len(p.buffer) == 0 {
		return fmt.Errorf("hole in the log: tenant %s ends before event %d: %w", p.tenant, p.end, eventlog.ErrHole)
	}
	return nil
}
