package projections

import (
	"context"

	"github.com/google/uuid"

	"chancery/domain"
	"chancery/internal/dcb"
	"chancery/projections/internal/rows"
)

// reviews: a review and its items keep their rows.
var reviews = feature{
	tables: []string{"reviews", "review_items"},
	writes: []handler{
		on(func(ctx context.Context, q *rows.Queries, m dcb.Meta, e domain.ReviewStarted) error {
			err := q.StartReview(ctx, rows.StartReviewParams{
				TenantID: m.Tenant, ID: e.Review.UUID, Name: e.Name, RoleID: orNull(e.Role.UUID), GroupID: orNull(e.Group.UUID),
				OnSilence: string(e.Silence), DueAt: e.DueAt, Items: int32(len(e.Items)),
				CreatedBy: orNull(m.Actor), At: m.At, Version: m.Position,
			})
			for _, i := range e.Items {
				if err != nil {
					return err
				}
				err = q.AddReviewItem(ctx, rows.AddReviewItemParams{
					TenantID: m.Tenant, ID: reviewItem(m, e.Review, i.Item), ReviewID: e.Review.UUID, ItemID: i.Item,
					UserID: orNull(i.User.UUID), DepartmentID: orNull(i.Department.UUID), GroupID: orNull(i.Group.UUID), RoleID: orNull(i.Role.UUID),
					Version: m.Position,
				})
			}
			return err
		}),
		on(func(ctx context.Context, q *rows.Queries, m dcb.Meta, e domain.ReviewDecided) error {
			status := "revoked"
			if e.Keep {
				status = "kept"
			}
			err := q.DecideReviewItem(ctx, rows.DecideReviewItemParams{
				TenantID: m.Tenant, ID: reviewItem(m, e.Review, e.Item), Status: status, Already: e.Already,
				DecidedBy: orNull(e.By.UUID), At: &m.At, Reason: e.Reason, Version: m.Position,
			})
			if err != nil {
				return err
			}
			return q.CountReviewItem(ctx, rows.CountReviewItemParams{
				TenantID: m.Tenant, ID: e.Review.UUID, Decided: int32(e.Decided), Version: m.Position,
			})
		}),
		on(func(ctx context.Context, q *rows.Queries, m dcb.Meta, e domain.ReviewClosed) error {
			return q.CloseReview(ctx, rows.CloseReviewParams{TenantID: m.Tenant, ID: e.Review.UUID, At: &m.At, Reason: e.Reason, Version: m.Position})
		}),
	},
	objects: []object{
		about(func(e domain.ReviewStarted) dcb.Tagger { return e.Review }),
		about(func(e domain.ReviewDecided) dcb.Tagger { return e.Review }),
		about(func(e domain.ReviewClosed) dcb.Tagger { return e.Review }),
	},
}

// reviewItem is the id of an item's row.
func reviewItem(m dcb.Meta, r domain.ReviewID, item uuid.UUID) uuid.UUID {
	return domain.NamedID(domain.TenantID{UUID: m.Tenant}, "review-item", r.String()+"/"+item.String())
}
