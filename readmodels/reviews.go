package readmodels

import (
	"context"

	"chancery/readmodels/internal/decimal"
	"chancery/readmodels/internal/rows"
)

// Review is a campaign over who has access: over the assignments of a role, the members of a group, or, without both, all assignments.
type Review rows.Review

func (i *Review) key() (string, decimal.Int64) { return i.ID.String(), i.Version }

// ReviewItem is an assignment or a membership under review; without a role it is a membership.
type ReviewItem rows.ReviewItem

func (i *ReviewItem) key() (string, decimal.Int64) { return i.ID.String(), i.Version }

var reviews = collection(
	Collection{
		Name: "reviews", Kind: "review", Projector: core,
		Filters: []Filter{text("status", "open", "closed"), id("role_id"), id("group_id")},
	},
	func(ctx context.Context, db *rows.Queries, q query) ([]Review, error) {
		found, err := db.Reviews(ctx, rows.ReviewsParams{
			TenantID: q.tenant, After: q.afterID(), RowLimit: q.limit, ID: q.onlyID(),
			Status: q.text("status"), RoleID: q.id("role_id"), GroupID: q.id("group_id"),
		})
		return each(found, func(r rows.Review) Review { return Review(r) }), err
	})

var reviewItems = collection(
	Collection{
		Name: "review-items", Projector: core,
		Filters: []Filter{id("review_id"), text("status", "undecided", "kept", "revoked"), id("user_id")},
	},
	func(ctx context.Context, db *rows.Queries, q query) ([]ReviewItem, error) {
		found, err := db.ReviewItems(ctx, rows.ReviewItemsParams{
			TenantID: q.tenant, After: q.afterID(), RowLimit: q.limit, ID: q.onlyID(),
			ReviewID: q.id("review_id"), Status: q.text("status"), UserID: q.id("user_id"),
		})
		return each(found, func(r rows.ReviewItem) ReviewItem { return ReviewItem(r) }), err
	})
