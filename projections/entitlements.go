package projections

import (
	"context"

	"chancery/domain"
	"chancery/internal/dcb"
	"chancery/projections/internal/rows"
)

// entitlements: what the licences of a holder allow, written by the events of licences (see entitle), and what was consumed of it.
var entitlements = feature{
	tables: []string{"license_entitlements", "license_usage"},
	writes: []handler{on(recordUsage), on(reverseUsage)},
	objects: []object{
		about(func(e domain.UsageRecorded) dcb.Tagger { return e.Usage }),
		about(func(e domain.UsageReversed) dcb.Tagger { return e.Usage }),
	},
}

// entitle writes what a licence allows from now on. In the vendor's tenant, which has a copy of the event, it writes nothing. What it
// does not allow any more keeps a row, of an earlier revision than the licence's.
func entitle(ctx context.Context, q *rows.Queries, m dcb.Meta, e domain.LicenseIssued) error {
	if m.Tenant != e.Holder.UUID {
		return nil
	}
	for _, of := range e.Terms.Entitlements {
		p := rows.GrantEntitlementParams{
			TenantID: m.Tenant, ID: e.License.Entitlement(of.Name), LicenseID: e.License.UUID, App: string(e.Name), Name: of.Name, Kind: string(of.Kind),
			Period: orNull(string(of.Period)), Soft: of.Soft, StartsAt: e.Terms.Window.From, EndsAt: timeOrNull(e.Terms.GraceUntil()),
			Revision: int64(e.Revision), At: m.At, Version: m.Position,
		}
		if of.Kind != domain.Feature {
			p.Allowance = &of.Limit
		}
		if err := q.GrantEntitlement(ctx, p); err != nil {
			return err
		}
	}
	return nil
}

func recordUsage(ctx context.Context, q *rows.Queries, m dcb.Meta, e domain.UsageRecorded) error {
	err := q.RecordUsage(ctx, rows.RecordUsageParams{
		TenantID: m.Tenant, ID: e.Usage.UUID, LicenseID: e.License.UUID, App: string(e.App), Name: e.Name, Amount: e.Amount,
		Period: e.Period, Total: e.Total, Over: e.Over, Note: e.Note, At: m.At, Version: m.Position,
	})
	if err != nil {
		return err
	}
	return setUsed(ctx, q, m, e.License, e.Name, e.Total, e.Period)
}

func reverseUsage(ctx context.Context, q *rows.Queries, m dcb.Meta, e domain.UsageReversed) error {
	err := q.ReverseUsage(ctx, rows.ReverseUsageParams{
		TenantID: m.Tenant, ID: e.Usage.UUID, Reason: orNull(e.Reason), At: &m.At, Version: m.Position,
	})
	if err != nil {
		return err
	}
	return setUsed(ctx, q, m, e.License, e.Name, e.Total, e.Period)
}

func setUsed(ctx context.Context, q *rows.Queries, m dcb.Meta, l domain.OfLicense, name string, total int64, period string) error {
	return q.SetUsed(ctx, rows.SetUsedParams{
		TenantID: m.Tenant, ID: domain.LicenseID(l).Entitlement(name), Used: total, UsedPeriod: &period, At: m.At, Version: m.Position,
	})
}
