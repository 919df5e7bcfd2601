package projections

import (
	"context"

	"chancery/domain"
	"chancery/internal/dcb"
	"chancery/projections/internal/rows"
)

// activations: of a machine there is a keyed hash. One that ended keeps its row.
var activations = feature{
	tables: []string{"license_activations"},
	writes: []handler{
		on(func(ctx context.Context, q *rows.Queries, m dcb.Meta, e domain.LicenseActivated) error {
			hash, err := stored(e.Fingerprint)
			if err != nil {
				return err
			}
			return q.ActivateLicense(ctx, rows.ActivateLicenseParams{
				TenantID: m.Tenant, ID: e.Activation.UUID, LicenseID: e.License.UUID, App: string(e.App), Label: e.Label,
				FingerprintHash: hash, At: m.At, Version: m.Position,
			})
		}),
		on(func(ctx context.Context, q *rows.Queries, m dcb.Meta, e domain.ActivationCheckedOut) error {
			return q.CheckOutActivation(ctx, rows.CheckOutActivationParams{
				TenantID: m.Tenant, ID: e.Activation.UUID, Until: &e.Until, Version: m.Position,
			})
		}),
		on(func(ctx context.Context, q *rows.Queries, m dcb.Meta, e domain.ActivationCheckedIn) error {
			err := q.ResumeActivation(ctx, rows.ResumeActivationParams{TenantID: m.Tenant, ID: e.Activation.UUID, Version: m.Position})
			if err != nil {
				return err
			}
			return q.CheckInActivation(ctx, rows.CheckInActivationParams{TenantID: m.Tenant, ID: e.Activation.UUID, Version: m.Position})
		}),
		on(func(ctx context.Context, q *rows.Queries, m dcb.Meta, e domain.LicenseDeactivated) error {
			return q.DeactivateLicense(ctx, rows.DeactivateLicenseParams{
				TenantID: m.Tenant, ID: e.Activation.UUID, EndReason: orNull(e.Reason), At: &m.At, Version: m.Position,
			})
		}),
	},
	objects: []object{
		about(func(e domain.LicenseActivated) dcb.Tagger { return e.Activation }),
		about(func(e domain.ActivationCheckedOut) dcb.Tagger { return e.Activation }),
		about(func(e domain.ActivationCheckedIn) dcb.Tagger { return e.Activation }),
		about(func(e domain.LicenseDeactivated) dcb.Tagger { return e.Activation }),
	},
}
