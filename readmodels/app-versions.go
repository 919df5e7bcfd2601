package readmodels

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/google/uuid"

	"chancery/readmodels/internal/decimal"
	"chancery/readmodels/internal/rows"
)

// AppVersion is a published version of an app. Its manifest is shown where one version is asked for; the hash is of its canonical form.
type AppVersion struct {
	TenantID        uuid.UUID       `json:"tenant_id"`
	ID              uuid.UUID       `json:"id"`
	AppID           uuid.UUID       `json:"app_id"`
	App             string          `json:"app"`
	AppVersion      string          `json:"app_version"`
	Prerelease      bool            `json:"prerelease"`
	ManifestJSON    json.RawMessage `json:"manifest_json"`
	ManifestHash    string          `json:"manifest_hash"`
	CoreRange       *string         `json:"core_range"`
	Requires        []Requirement   `json:"requires"`
	LicenseRequired bool            `json:"license_required"`
	Grows           bool            `json:"grows"`
	Status          string          `json:"status"`
	Message         string          `json:"message"`
	PublishedAt     time.Time       `json:"published_at"`
	UpdatedAt       time.Time       `json:"updated_at"`
	Version         decimal.Int64   `json:"version"`
}

// Requirement is another app that a version needs.
type Requirement struct {
	App   string `json:"app"`
	Range string `json:"range"`
}

func (i *AppVersion) key() (string, decimal.Int64) { return i.ID.String(), i.Version }

var appVersions = collection(
	Collection{
		Name: "app-versions", Kind: "app-version", Projector: core,
		Filters: []Filter{id("app_id"), text("app"), text("app_version"), text("status", "published", "deprecated", "yanked")},
	},
	func(ctx context.Context, db *rows.Queries, q query) ([]AppVersion, error) {
		found, err := db.AppVersions(ctx, rows.AppVersionsParams{
			TenantID: q.tenant, After: q.afterID(), RowLimit: q.limit, ID: q.onlyID(),
			AppID: q.id("app_id"), App: q.text("app"), AppVersion: q.text("app_version"), Status: q.text("status"),
		})
		if err != nil {
			return nil, err
		}
		all := make([]AppVersion, len(found))
		for i, r := range found {
			all[i] = AppVersion{
				TenantID: r.TenantID, ID: r.ID, AppID: r.AppID, App: r.App, AppVersion: r.AppVersion, Prerelease: r.Prerelease,
				ManifestJSON: r.ManifestJson, ManifestHash: r.ManifestHash, CoreRange: r.CoreRange, LicenseRequired: r.LicenseRequired,
				Grows: r.Grows, Status: r.Status, Message: r.Message, PublishedAt: r.PublishedAt, UpdatedAt: r.UpdatedAt, Version: r.Version,
			}
			if err := json.Unmarshal(r.Requires, &all[i].Requires); err != nil {
				return nil, fmt.Errorf("what version %s requires: %w", r.ID, err)
			}
		}
		return all, nil
	})
