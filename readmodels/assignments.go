package readmodels

import (
	"context"

	"chancery/readmodels/internal/decimal"
	"chancery/readmodels/internal/rows"
)

// Assignment is a role given to a user, a department or a group. An empty scope is the whole tenant.
type Assignment rows.Assignment

func (i *Assignment) key() (string, decimal.Int64) { return i.ID.String(), i.Version }

var assignments = collection(
	Collection{
		Name: "assignments", Kind: "assignment", Projector: core,
		Filters: []Filter{id("role_id"), id("user_id"), id("department_id"), id("group_id"), text("scope"), text("status", "active", "ended", "expired")},
	},
	func(ctx context.Context, db *rows.Queries, q query) ([]Assignment, error) {
		found, err := db.Assignments(ctx, rows.AssignmentsParams{
			TenantID: q.tenant, After: q.afterID(), RowLimit: q.limit, ID: q.onlyID(),
			RoleID: q.id("role_id"), UserID: q.id("user_id"), DepartmentID: q.id("department_id"), GroupID: q.id("group_id"),
			Scope: q.text("scope"), Status: q.text("status"),
		})
		return each(found, func(r rows.Assignment) Assignment { return Assignment(r) }), err
	})
