package readmodels

import (
	"context"

	"github.com/google/uuid"

	"chancery/readmodels/internal/decimal"
	"chancery/readmodels/internal/rows"
)

// Delegation lets its delegate act with rights of its grantor, in the home tenant. It is listed in the tenants of both, too.
type Delegation rows.Delegation

func (i *Delegation) key() (string, decimal.Int64) { return i.ID.String(), i.Version }

// OwnedBy reports whether the user is the grantor or the delegate: they may read it.
func (i *Delegation) OwnedBy(user uuid.UUID) bool {
	return i.GrantorUserID == user || i.DelegateUserID == user
}

var delegations = collection(
	Collection{
		Name: "delegations", Kind: "delegation", Projector: core,
		Filters: []Filter{
			id("user_id"), // the grantor or the delegate
			id("grantor_user_id"), id("delegate_user_id"), id("parent_id"), id("home_tenant_id"),
			text("status", "offered", "accepted", "declined", "revoked", "expired"),
		},
	},
	func(ctx context.Context, db *rows.Queries, q query) ([]Delegation, error) {
		found, err := db.Delegations(ctx, rows.DelegationsParams{
			TenantID: q.tenant, After: q.afterID(), RowLimit: q.limit, ID: q.onlyID(), UserID: q.id("user_id"),
			GrantorUserID: q.id("grantor_user_id"), DelegateUserID: q.id("delegate_user_id"), ParentID: q.id("parent_id"),
			HomeTenantID: q.id("home_tenant_id"), Status: q.text("status"),
		})
		return each(found, func(r rows.Delegation) Delegation { return Delegation(r) }), err
	})
