package readmodels

import (
	"context"

	"chancery/readmodels/internal/decimal"
	"chancery/readmodels/internal/rows"
)

// GroupMembership is a user's place in a group, as long as it lasts.
type GroupMembership rows.GroupMembershipsRow

func (i *GroupMembership) key() (string, decimal.Int64) { return i.ID.String(), i.Version }

var groupMemberships = collection(
	Collection{
		Name: "group-memberships", Kind: "membership", Projector: core,
		Filters: []Filter{id("group_id"), id("user_id"), text("role", "member", "maintainer", "owner")},
	},
	func(ctx context.Context, db *rows.Queries, q query) ([]GroupMembership, error) {
		found, err := db.GroupMemberships(ctx, rows.GroupMembershipsParams{
			TenantID: q.tenant, After: q.afterID(), RowLimit: q.limit, ID: q.onlyID(),
			GroupID: q.id("group_id"), UserID: q.id("user_id"), Role: q.text("role"),
		})
		return each(found, func(r rows.GroupMembershipsRow) GroupMembership { return GroupMembership(r) }), err
	})
