package projections

import (
	"context"

	"chancery/domain"
	"chancery/internal/dcb"
	"chancery/projections/internal/rows"
)

// users: personal values stay sealed in the table.
var users = feature{
	tables: []string{"users"},
	writes: []handler{
		on(func(ctx context.Context, q *rows.Queries, m dcb.Meta, e domain.UserRegistered) error {
			key, err := stored(e.EmailKey)
			if err != nil {
				return err
			}
			return q.RegisterUser(ctx, rows.RegisterUserParams{
				TenantID: m.Tenant, ID: e.User.UUID, Email: orNull(e.Email.Ciphertext()), EmailKey: orNull(key),
				DisplayName: e.DisplayName.Ciphertext(), DepartmentID: orNull(e.Department.UUID),
				Status: string(e.Status), At: m.At, Version: m.Position,
			})
		}),
		on(func(ctx context.Context, q *rows.Queries, m dcb.Meta, e domain.UserUpdated) error {
			return q.UpdateUser(ctx, rows.UpdateUserParams{
				TenantID: m.Tenant, ID: e.User.UUID, DisplayName: e.DisplayName.Ciphertext(), At: m.At, Version: m.Position,
			})
		}),
		on(func(ctx context.Context, q *rows.Queries, m dcb.Meta, e domain.UserEmailChanged) error {
			key, err := stored(e.EmailKey)
			if err != nil {
				return err
			}
			return q.ChangeUserEmail(ctx, rows.ChangeUserEmailParams{
				TenantID: m.Tenant, ID: e.User.UUID, Email: orNull(e.Email.Ciphertext()), EmailKey: orNull(key),
				At: m.At, Version: m.Position,
			})
		}),
		on(func(ctx context.Context, q *rows.Queries, m dcb.Meta, e domain.UserContactChanged) error {
			return q.ChangeUserContact(ctx, rows.ChangeUserContactParams{
				TenantID: m.Tenant, ID: e.User.UUID, Phone: orNull(e.Phone.Ciphertext()), Address: orNull(e.Address.Ciphertext()),
				At: m.At, Version: m.Position,
			})
		}),
		on(func(ctx context.Context, q *rows.Queries, m dcb.Meta, e domain.UserMoved) error {
			return q.MoveUser(ctx, rows.MoveUserParams{
				TenantID: m.Tenant, ID: e.User.UUID, DepartmentID: orNull(e.Department.UUID), At: m.At, Version: m.Position,
			})
		}),
		on(func(ctx context.Context, q *rows.Queries, m dcb.Meta, e domain.UserDeactivated) error {
			return q.DeactivateUser(ctx, rows.DeactivateUserParams{TenantID: m.Tenant, ID: e.User.UUID, At: m.At, Version: m.Position})
		}),
		on(func(ctx context.Context, q *rows.Queries, m dcb.Meta, e domain.UserReactivated) error {
			return q.ReactivateUser(ctx, rows.ReactivateUserParams{TenantID: m.Tenant, ID: e.User.UUID, At: m.At, Version: m.Position})
		}),
		ignoring[domain.UserExported](),
	},
	objects: []object{
		about(func(e domain.UserRegistered) dcb.Tagger { return e.User }),
		about(func(e domain.UserUpdated) dcb.Tagger { return e.User }),
		about(func(e domain.UserEmailChanged) dcb.Tagger { return e.User }),
		about(func(e domain.UserMoved) dcb.Tagger { return e.User }),
		about(func(e domain.UserDeactivated) dcb.Tagger { return e.User }),
		about(func(e domain.UserReactivated) dcb.Tagger { return e.User }),
		about(func(e domain.UserContactChanged) dcb.Tagger { return e.User }),
		about(func(e domain.UserExported) dcb.Tagger { return e.User }),
	},
}
