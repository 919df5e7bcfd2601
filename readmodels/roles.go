package readmodels

import (
	"context"

	"chancery/readmodels/internal/decimal"
	"chancery/readmodels/internal/rows"
)

// Role is a role with what it holds itself and the roles it inherits from. Those of the platform serve every tenant.
type Role rows.RolesRow

func (i *Role) key() (string, decimal.Int64) { return i.ID.String(), i.Version }

var roles = collection(
	Collection{
		Name: "roles", Kind: "role", Projector: core,
		Filters: []Filter{id("tenant_id"), text("name"), boolean("builtin"), text("status", "active", "deleted"), text("privilege"), id("parent_id")},
	},
	func(ctx context.Context, db *rows.Queries, q query) ([]Role, error) {
		found, err := db.Roles(ctx, rows.RolesParams{
			TenantID: q.tenant, After: q.afterID(), RowLimit: q.limit, ID: q.onlyID(),
			OwnerID: q.id("tenant_id"), Name: q.text("name"), Builtin: q.bool("builtin"), Status: q.text("status"),
			Privilege: q.text("privilege"), ParentID: q.id("parent_id"),
		})
		return each(found, func(r rows.RolesRow) Role { return Role(r) }), err
	})
