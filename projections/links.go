package projections

import (
	"context"

	"chancery/domain"
	"chancery/internal/dcb"
	"chancery/projections/internal/rows"
)

// links: every link keeps its row. One that is over by its time is so before the event says it.
var links = feature{
	tables: []string{"links"},
	writes: []handler{
		on(func(ctx context.Context, q *rows.Queries, m dcb.Meta, e domain.LinkIssued) error {
			return q.IssueLink(ctx, rows.IssueLinkParams{
				TenantID: m.Tenant, ID: e.Link.UUID, UserID: e.User.UUID, Purpose: string(e.Purpose),
				ExpiresAt: e.ExpiresAt, At: m.At, Version: m.Position,
			})
		}),
		on(func(ctx context.Context, q *rows.Queries, m dcb.Meta, e domain.LinkMailed) error {
			return q.MailLink(ctx, rows.MailLinkParams{TenantID: m.Tenant, ID: e.Link.UUID, At: &m.At, Version: m.Position})
		}),
		on(func(ctx context.Context, q *rows.Queries, m dcb.Meta, e domain.LinkUndeliverable) error {
			return q.GiveUpLink(ctx, rows.GiveUpLinkParams{TenantID: m.Tenant, ID: e.Link.UUID, Reason: e.Reason, Version: m.Position})
		}),
		on(func(ctx context.Context, q *rows.Queries, m dcb.Meta, e domain.LinkUsed) error {
			return endLink(ctx, q, m, e.Link, "used")
		}),
		on(func(ctx context.Context, q *rows.Queries, m dcb.Meta, e domain.LinkRevoked) error {
			return endLink(ctx, q, m, e.Link, "revoked")
		}),
		on(func(ctx context.Context, q *rows.Queries, m dcb.Meta, e domain.LinkExpired) error {
			return endLink(ctx, q, m, e.Link, "expired")
		}),
	},
	objects: []object{
		about(func(e domain.LinkIssued) dcb.Tagger { return e.Link }),
		about(func(e domain.LinkMailed) dcb.Tagger { return e.Link }),
		about(func(e domain.LinkUndeliverable) dcb.Tagger { return e.Link }),
		about(func(e domain.LinkUsed) dcb.Tagger { return e.Link }),
		about(func(e domain.LinkRevoked) dcb.Tagger { return e.Link }),
		about(func(e domain.LinkExpired) dcb.Tagger { return e.Link }),
	},
}

func endLink(ctx context.Context, q *rows.Queries, m dcb.Meta, id domain.LinkID, status string) error {
	return q.EndLink(ctx, rows.EndLinkParams{TenantID: m.Tenant, ID: id.UUID, Status: status, At: &m.At, Version: m.Position})
}
