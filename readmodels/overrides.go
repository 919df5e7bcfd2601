package readmodels

import (
	"context"

	"chancery/readmodels/internal/decimal"
	"chancery/readmodels/internal/rows"
)

// Override allows or denies privileges past all roles; without a user, department and group to the whole tenant.
type Override rows.PolicyOverride

func (i *Override) key() (string, decimal.Int64) { return i.ID.String(), i.Version }

var overrides = collection(
	Collection{
		Name: "overrides", Kind: "override", Projector: core,
		Filters: []Filter{text("effect", "allow", "deny"), text("privilege"), id("user_id"), id("department_id"), id("group_id"), text("scope"), text("status", "active", "revoked", "expired")},
	},
	func(ctx context.Context, db *rows.Queries, q query) ([]Override, error) {
		found, err := db.Overrides(ctx, rows.OverridesParams{
			TenantID: q.tenant, After: q.afterID(), RowLimit: q.limit, ID: q.onlyID(),
			Effect: q.text("effect"), Privilege: q.text("privilege"),
			UserID: q.id("user_id"), DepartmentID: q.id("department_id"), GroupID: q.id("group_id"),
			Scope: q.text("scope"), Status: q.text("status"),
		})
		return each(found, func(r rows.PolicyOverride) Override { return Override(r) }), err
	})
