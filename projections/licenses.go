package projections

import (
	"context"
	"fmt"
	"strings"

	"github.com/go-json-experiment/json"

	"chancery/domain"
	"chancery/internal/dcb"
	"chancery/projections/internal/rows"
)

// licenses: the holder's tenant and the vendor's have an event each, and by it a row.
var licenses = feature{
	tables: []string{"licenses"},
	writes: []handler{
		on(issueLicense),
		on(func(ctx context.Context, q *rows.Queries, m dcb.Meta, e domain.LicenseRenewed) error {
			return renewLicense(ctx, q, m, domain.LicenseIssued(e))
		}),
		on(func(ctx context.Context, q *rows.Queries, m dcb.Meta, e domain.LicenseChanged) error {
			return regrantLicense(ctx, q, m, domain.LicenseIssued(e))
		}),
		on(func(ctx context.Context, q *rows.Queries, m dcb.Meta, e domain.LicenseSigned) error {
			return q.SignLicense(ctx, rows.SignLicenseParams{
				TenantID: m.Tenant, ID: e.License.UUID, LicenseBlob: e.File.Blob, Signature: signatureOf(e.File), Kid: e.File.Kid,
				FileExpiresAt: e.File.ExpiresAt, At: m.At, Version: m.Position,
			})
		}),
		on(func(ctx context.Context, q *rows.Queries, m dcb.Meta, e domain.LicenseSuspended) error {
			return stopLicense(ctx, q, m, e.License, "suspended", e.Reason)
		}),
		on(reinstateLicense),
		on(func(ctx context.Context, q *rows.Queries, m dcb.Meta, e domain.LicenseRevoked) error {
			return stopLicense(ctx, q, m, e.License, "revoked", e.Reason)
		}),
		on(func(ctx context.Context, q *rows.Queries, m dcb.Meta, e domain.LicenseExpired) error {
			if err := turnLicense(ctx, q, m, e.License, "active", "expired"); err != nil {
				return err
			}
			return q.ExpireLicense(ctx, rows.ExpireLicenseParams{TenantID: m.Tenant, ID: e.License.UUID, Ended: &e.Ended, At: m.At, Version: m.Position})
		}),
		on(func(ctx context.Context, q *rows.Queries, m dcb.Meta, e domain.LicenseEnded) error {
			if err := turnLicense(ctx, q, m, e.License, "expired", "ended"); err != nil {
				return err
			}
			return q.EndLicense(ctx, rows.EndLicenseParams{TenantID: m.Tenant, ID: e.License.UUID, Ended: &e.Ended, At: m.At, Version: m.Position})
		}),
	},
	objects: []object{
		about(func(e domain.LicenseIssued) dcb.Tagger { return e.License }),
		about(func(e domain.LicenseRenewed) dcb.Tagger { return e.License }),
		about(func(e domain.LicenseChanged) dcb.Tagger { return e.License }),
		about(func(e domain.LicenseSigned) dcb.Tagger { return e.License }),
		about(func(e domain.LicenseSuspended) dcb.Tagger { return e.License }),
		about(func(e domain.LicenseReinstated) dcb.Tagger { return e.License }),
		about(func(e domain.LicenseRevoked) dcb.Tagger { return e.License }),
		about(func(e domain.LicenseExpired) dcb.Tagger { return e.License }),
		about(func(e domain.LicenseEnded) dcb.Tagger { return e.License }),
	},
}

func issueLicense(ctx context.Context, q *rows.Queries, m dcb.Meta, e domain.LicenseIssued) error {
	terms, err := termsOf(e)
	if err != nil {
		return err
	}
	err = q.IssueLicense(ctx, rows.IssueLicenseParams{
		TenantID: m.Tenant, ID: e.License.UUID, AppID: e.App.UUID, App: string(e.Name), HolderTenantID: e.Holder.UUID, VendorTenantID: e.Vendor.UUID,
		Revision: int64(e.Revision), Terms: terms, LicenseBlob: e.File.Blob, Signature: signatureOf(e.File), Kid: e.File.Kid,
		FileExpiresAt: e.File.ExpiresAt, Imported: e.Imported, StartsAt: e.Terms.Window.From,
		ExpiresAt: timeOrNull(e.Terms.Window.Until), GraceUntil: timeOrNull(e.Terms.GraceUntil()), At: m.At, Version: m.Position,
	})
	if err != nil {
		return err
	}
	return entitle(ctx, q, m, e)
}

// renewLicense brings a licence back whose end was said; one that is suspended stays so.
func renewLicense(ctx context.Context, q *rows.Queries, m dcb.Meta, e domain.LicenseIssued) error {
	for _, former := range []string{"expired", "ended"} {
		if err := turnLicense(ctx, q, m, e.License, former, "active"); err != nil {
			return err
		}
	}
	return regrantLicense(ctx, q, m, e)
}

func regrantLicense(ctx context.Context, q *rows.Queries, m dcb.Meta, e domain.LicenseIssued) error {
	terms, err := termsOf(e)
	if err != nil {
		return err
	}
	err = q.RegrantLicense(ctx, rows.RegrantLicenseParams{
		TenantID: m.Tenant, ID: e.License.UUID, Revision: int64(e.Revision), Terms: terms, LicenseBlob: e.File.Blob, Signature: signatureOf(e.File),
		Kid: e.File.Kid, FileExpiresAt: e.File.ExpiresAt, Imported: e.Imported, StartsAt: e.Terms.Window.From,
		ExpiresAt: timeOrNull(e.Terms.Window.Until), GraceUntil: timeOrNull(e.Terms.GraceUntil()), At: m.At, Version: m.Position,
	})
	if err != nil {
		return err
	}
	return entitle(ctx, q, m, e)
}

// reinstateLicense returns a licence to what it would be, had it not been suspended.
func reinstateLicense(ctx context.Context, q *rows.Queries, m dcb.Meta, e domain.LicenseReinstated) error {
	if err := turnLicense(ctx, q, m, e.License, "suspended", "active"); err != nil {
		return err
	}
	expired := rows.TurnLicenseExpiredParams{TenantID: m.Tenant, ID: e.License.UUID, Version: m.Position}
	if err := q.TurnLicenseExpired(ctx, expired); err != nil {
		return err
	}
	if err := q.TurnLicenseEnded(ctx, rows.TurnLicenseEndedParams(expired)); err != nil {
		return err
	}
	return q.TouchLicense(ctx, rows.TouchLicenseParams{TenantID: m.Tenant, ID: e.License.UUID, At: m.At, Version: m.Position})
}

func stopLicense(ctx context.Context, q *rows.Queries, m dcb.Meta, id domain.LicenseID, status, reason string) error {
	return q.StopLicense(ctx, rows.StopLicenseParams{
		TenantID: m.Tenant, ID: id.UUID, Status: status, StatusReason: orNull(reason), At: m.At, Version: m.Position,
	})
}

func turnLicense(ctx context.Context, q *rows.Queries, m dcb.Meta, id domain.LicenseID, former, status string) error {
	return q.TurnLicense(ctx, rows.TurnLicenseParams{TenantID: m.Tenant, ID: id.UUID, Former: former, Status: status, Version: m.Position})
}

func termsOf(e domain.LicenseIssued) ([]byte, error) {
	terms, err := json.Marshal(e.Terms)
	if err != nil {
		return nil, fmt.Errorf("encode the terms: %w", err)
	}
	return terms, nil
}

// signatureOf is the last part of the file.
func signatureOf(f domain.File) string { return f.Blob[strings.LastIndex(f.Blob, ".")+1:] }
