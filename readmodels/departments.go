package readmodels

import (
	"context"

	"chancery/readmodels/internal/decimal"
	"chancery/readmodels/internal/rows"
)

// Department is a department; a deleted one stays, with that status.
type Department rows.Department

func (i *Department) key() (string, decimal.Int64) { return i.ID.String(), i.Version }

var departments = collection(
	Collection{
		Name: "departments", Kind: "department", Projector: core,
		Filters: []Filter{id("parent_id"), text("name"), text("status", "active", "deleted")},
	},
	func(ctx context.Context, db *rows.Queries, q query) ([]Department, error) {
		found, err := db.Departments(ctx, rows.DepartmentsParams{
			TenantID: q.tenant, After: q.afterID(), RowLimit: q.limit, ID: q.onlyID(),
			ParentID: q.id("parent_id"), Name: q.text("name"), Status: q.text("status"),
		})
		return each(found, func(r rows.Department) Department { return Department(r) }), err
	})
