package projections

import (
	"context"

	"chancery/domain"
	"chancery/internal/dcb"
	"chancery/projections/internal/rows"
)

// identities: an unlinked identity keeps its row; the subject stays sealed.
var identities = feature{
	tables: []string{"user_identities"},
	writes: []handler{
		on(func(ctx context.Context, q *rows.Queries, m dcb.Meta, e domain.IdentityLinked) error {
			key, err := stored(e.Key)
			if err != nil {
				return err
			}
			return q.LinkIdentity(ctx, rows.LinkIdentityParams{
				TenantID: m.Tenant, ID: e.Identity.UUID, UserID: e.User.UUID, Issuer: e.Issuer,
				Subject: e.Subject.Ciphertext(), SubjectKey: key, At: m.At, Version: m.Position,
			})
		}),
		on(func(ctx context.Context, q *rows.Queries, m dcb.Meta, e domain.IdentityUnlinked) error {
			return q.UnlinkIdentity(ctx, rows.UnlinkIdentityParams{
				TenantID: m.Tenant, ID: e.Identity.UUID, At: &m.At, Version: m.Position,
			})
		}),
	},
	objects: []object{
		about(func(e domain.IdentityLinked) dcb.Tagger { return e.Identity }),
		about(func(e domain.IdentityUnlinked) dcb.Tagger { return e.Identity }),
	},
}
