package readmodels

import (
	"context"

	"chancery/domain"
	"chancery/readmodels/internal/decimal"
	"chancery/readmodels/internal/rows"
)

// Secret is a secret of an app, without its value.
type Secret rows.SecretsRow

func (i *Secret) key() (string, decimal.Int64) { return i.ID.String(), i.Version }

// Who may see which secrets there are may not yet read them.
var secrets = collection(
	Collection{
		Name: "secrets", Kind: "secret", Projector: core, Needs: domain.SecretsList,
		Filters: []Filter{text("app_id"), text("name"), text("status", "active", "disabled", "destroyed")},
	},
	func(ctx context.Context, db *rows.Queries, q query) ([]Secret, error) {
		found, err := db.Secrets(ctx, rows.SecretsParams{
			TenantID: q.tenant, After: q.afterID(), RowLimit: q.limit, ID: q.onlyID(),
			AppID: q.text("app_id"), Name: q.text("name"), Status: q.text("status"),
		})
		return each(found, func(r rows.SecretsRow) Secret { return Secret(r) }), err
	})

// SecretVersion is one value that a secret has or had, without the value.
type SecretVersion rows.SecretVersion

func (i *SecretVersion) key() (string, decimal.Int64) { return i.ID.String(), i.Version }

var secretVersions = collection(
	Collection{
		Name: "secret-versions", Projector: core, Needs: domain.SecretsList,
		Filters: []Filter{id("secret_id"), text("status", "current", "replaced", "destroyed")},
	},
	func(ctx context.Context, db *rows.Queries, q query) ([]SecretVersion, error) {
		found, err := db.SecretVersions(ctx, rows.SecretVersionsParams{
			TenantID: q.tenant, After: q.afterID(), RowLimit: q.limit, ID: q.onlyID(),
			SecretID: q.id("secret_id"), Status: q.text("status"),
		})
		return each(found, func(r rows.SecretVersion) SecretVersion { return SecretVersion(r) }), err
	})
