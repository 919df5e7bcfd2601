package readmodels

import (
	"context"

	"chancery/readmodels/internal/decimal"
	"chancery/readmodels/internal/rows"
)

// Group is a group; a deleted one stays, with that status.
type Group rows.Group

func (i *Group) key() (string, decimal.Int64) { return i.ID.String(), i.Version }

var groups = collection(
	Collection{
		Name: "groups", Kind: "group", Projector: core,
		Filters: []Filter{id("parent_id"), text("name"), text("status", "active", "deleted")},
	},
	func(ctx context.Context, db *rows.Queries, q query) ([]Group, error) {
		found, err := db.Groups(ctx, rows.GroupsParams{
			TenantID: q.tenant, After: q.afterID(), RowLimit: q.limit, ID: q.onlyID(),
			ParentID: q.id("parent_id"), Name: q.text("name"), Status: q.text("status"),
		})
		return each(found, func(r rows.Group) Group { return Group(r) }), err
	})
