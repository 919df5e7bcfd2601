package readmodels

import (
	"context"

	"github.com/google/uuid"

	"chancery/readmodels/internal/decimal"
	"chancery/readmodels/internal/rows"
)

// User is a user, personal columns opened.
type User rows.UsersRow

func (i *User) key() (string, decimal.Int64) { return i.ID.String(), i.Version }

func (i *User) personal() (uuid.UUID, []column) {
	return i.ID, []column{{"email", i.Email}, {"display_name", &i.DisplayName}, {"phone", i.Phone}, {"address", i.Address}}
}

var users = collection(
	Collection{
		Name: "users", Kind: "user", Projector: core,
		Filters: []Filter{{Name: "email", Kind: Email}, id("department_id"), text("status", "invited", "active", "inactive", "erased")},
	},
	func(ctx context.Context, db *rows.Queries, q query) ([]User, error) {
		found, err := db.Users(ctx, rows.UsersParams{
			TenantID: q.tenant, After: q.afterID(), RowLimit: q.limit, ID: q.onlyID(),
			EmailKey: q.text("email"), DepartmentID: q.id("department_id"), Status: q.text("status"),
		})
		return each(found, func(r rows.UsersRow) User { return User(r) }), err
	})
