package projections

import (
	"context"

	"github.com/google/uuid"

	"chancery/domain"
	"chancery/internal/dcb"
	"chancery/projections/internal/rows"
)

// domains: a removed domain keeps its row.
var domains = feature{
	tables: []string{"tenant_domains"},
	writes: []handler{
		on(func(ctx context.Context, q *rows.Queries, m dcb.Meta, e domain.DomainAdded) error {
			return q.AddDomain(ctx, rows.AddDomainParams{
				TenantID: m.Tenant, ID: e.Domain.UUID, Name: string(e.Name), Challenge: e.Challenge, At: m.At, Version: m.Position,
			})
		}),
		on(func(ctx context.Context, q *rows.Queries, m dcb.Meta, e domain.DomainVerified) error {
			return q.VerifyDomain(ctx, rows.VerifyDomainParams{TenantID: m.Tenant, ID: e.Domain.UUID, At: m.At, Version: m.Position})
		}),
		on(func(ctx context.Context, q *rows.Queries, m dcb.Meta, e domain.DomainMadePrimary) error {
			if e.Previous.UUID != uuid.Nil {
				if err := setPrimary(ctx, q, m, e.Previous, false); err != nil {
					return err
				}
			}
			return setPrimary(ctx, q, m, e.Domain, true)
		}),
		on(func(ctx context.Context, q *rows.Queries, m dcb.Meta, e domain.DomainRemoved) error {
			return q.RemoveDomain(ctx, rows.RemoveDomainParams{TenantID: m.Tenant, ID: e.Domain.UUID, At: m.At, Version: m.Position})
		}),
	},
	objects: []object{
		about(func(e domain.DomainAdded) dcb.Tagger { return e.Domain }),
		about(func(e domain.DomainVerified) dcb.Tagger { return e.Domain }),
		about(func(e domain.DomainMadePrimary) dcb.Tagger { return e.Domain }),
		about(func(e domain.DomainRemoved) dcb.Tagger { return e.Domain }),
	},
}

func setPrimary(ctx context.Context, q *rows.Queries, m dcb.Meta, id domain.DomainID, primary bool) error {
	return q.SetDomainPrimary(ctx, rows.SetDomainPrimaryParams{
		TenantID: m.Tenant, ID: id.UUID, IsPrimary: primary, At: m.At, Version: m.Position,
	})
}
