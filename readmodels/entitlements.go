package readmodels

import (
	"context"
	"time"

	"github.com/google/uuid"

	"chancery/readmodels/internal/decimal"
	"chancery/readmodels/internal/rows"
)

// Entitlement is what one licence allows, while it is in force. Used is of the period UsedPeriod; in any later one nothing is used yet.
// What changes its licence changes it, too.
type Entitlement struct {
	TenantID      uuid.UUID     `json:"tenant_id"`
	ID            uuid.UUID     `json:"id"`
	LicenseID     uuid.UUID     `json:"license_id"`
	App           string        `json:"app"`
	Name          string        `json:"name"`
	Kind          string        `json:"kind"`
	Allowance     *int64        `json:"allowance"`
	Period        *string       `json:"period"`
	Soft          bool          `json:"soft"`
	Used          int64         `json:"used"`
	UsedPeriod    *string       `json:"used_period"`
	StartsAt      time.Time     `json:"starts_at"`
	EndsAt        *time.Time    `json:"ends_at"`
	Revision      decimal.Int64 `json:"revision"`
	LicenseStatus string        `json:"license_status"`
	CreatedAt     time.Time     `json:"created_at"`
	UpdatedAt     time.Time     `json:"updated_at"`
	Version       decimal.Int64 `json:"version"`
}

func (i *Entitlement) key() (string, decimal.Int64) { return i.ID.String(), i.Version }

var entitlements = collection(
	Collection{
		Name: "entitlements", Kind: "", Projector: core,
		Filters: []Filter{
			id("license_id"), text("app"), text("name"), text("kind", "feature", "limit", "meter"),
		},
	},
	func(ctx context.Context, db *rows.Queries, q query) ([]Entitlement, error) {
		found, err := db.Entitlements(ctx, rows.EntitlementsParams{
			TenantID: q.tenant, After: q.afterID(), RowLimit: q.limit, ID: q.onlyID(), LicenseID: q.id("license_id"),
			App: q.text("app"), Name: q.text("name"), Kind: q.text("kind"),
		})
		return each(found, entitlementOf), err
	})

func entitlementOf(r rows.EntitlementsRow) Entitlement {
	return Entitlement{
		TenantID:      r.TenantID,
		ID:            r.ID,
		LicenseID:     r.LicenseID,
		App:           r.App,
		Name:          r.Name,
		Kind:          r.Kind,
		Allowance:     r.Allowance,
		Period:        r.Period,
		Soft:          r.Soft,
		Used:          r.Used,
		UsedPeriod:    r.UsedPeriod,
		StartsAt:      r.StartsAt,
		EndsAt:        r.EndsAt,
		Revision:      r.Revision,
		LicenseStatus: r.LicenseStatus,
		CreatedAt:     r.CreatedAt,
		UpdatedAt:     r.UpdatedAt,
		Version:       decimal.Int64(r.Version),
	}
}

// Usage is a consumption of something metered.
type Usage rows.LicenseUsage

func (i *Usage) key() (string, decimal.Int64) { return i.ID.String(), i.Version }

var usage = collection(
	Collection{
		Name: "usage", Kind: "usage", Projector: core,
		Filters: []Filter{
			id("license_id"), text("app"), text("name"), text("period"), text("status", "recorded", "reversed"),
		},
	},
	func(ctx context.Context, db *rows.Queries, q query) ([]Usage, error) {
		found, err := db.Usage(ctx, rows.UsageParams{
			TenantID: q.tenant, After: q.afterID(), RowLimit: q.limit, ID: q.onlyID(), LicenseID: q.id("license_id"),
			App: q.text("app"), Name: q.text("name"), Period: q.text("period"), Status: q.text("status"),
		})
		return each(found, func(r rows.LicenseUsage) Usage { return Usage(r) }), err
	})
