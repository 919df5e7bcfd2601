package projections

import (
	"context"
	"slices"

	"chancery/domain"
	"chancery/internal/dcb"
	"chancery/projections/internal/rows"
)

// sessions: an ended one keeps its row. One that is over by its time is so before the event says it, and one that was not used for
// too long stays as it is until its longest life is over. No hash of a token is kept here.
var sessions = feature{
	tables: []string{"sessions"},
	writes: []handler{
		on(func(ctx context.Context, q *rows.Queries, m dcb.Meta, e domain.SessionStarted) error {
			var scopes []string
			if e.Scopes != nil {
				scopes = texts(e.Scopes)
			}
			proven := m.At
			if !e.ProvenAt.IsZero() && e.ProvenAt.Before(m.At) {
				proven = e.ProvenAt
			}
			return q.StartSession(ctx, rows.StartSessionParams{
				TenantID: m.Tenant, ID: e.Session.UUID, UserID: e.User.UUID, Methods: e.Methods, IssuerID: orNull(e.Issuer.UUID),
				Scopes: scopes, Ip: orNull(e.IP.Ciphertext()), UserAgent: orNull(e.Agent.Ciphertext()),
				IdleSeconds: int32(e.Idle), At: m.At, AuthenticatedAt: proven, ExpiresAt: e.ExpiresAt, Version: m.Position,
			})
		}),
		on(func(ctx context.Context, q *rows.Queries, m dcb.Meta, e domain.SessionSeen) error {
			return q.SeeSession(ctx, rows.SeeSessionParams{TenantID: m.Tenant, ID: e.Session.UUID, At: m.At, Version: m.Position})
		}),
		on(func(ctx context.Context, q *rows.Queries, m dcb.Meta, e domain.SessionElevated) error {
			raised := rows.ElevateSessionParams{TenantID: m.Tenant, ID: e.Session.UUID, Methods: e.Methods, At: m.At, Version: m.Position}
			if slices.Contains(e.Methods, domain.ByMany) {
				return q.UnboundSession(ctx, rows.UnboundSessionParams(raised))
			}
			return q.ElevateSession(ctx, raised)
		}),
		on(func(ctx context.Context, q *rows.Queries, m dcb.Meta, e domain.SessionEnded) error {
			return q.EndSession(ctx, rows.EndSessionParams{
				TenantID: m.Tenant, ID: e.Session.UUID, Reason: orNull(e.Reason), At: &m.At, Version: m.Position,
			})
		}),
	},
	objects: []object{
		about(func(e domain.SessionStarted) dcb.Tagger { return e.Session }),
		about(func(e domain.SessionSeen) dcb.Tagger { return e.Session }),
		about(func(e domain.SessionElevated) dcb.Tagger { return e.Session }),
		about(func(e domain.SessionEnded) dcb.Tagger { return e.Session }),
	},
}
