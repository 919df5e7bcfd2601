package readmodels

import (
	"context"

	"github.com/google/uuid"

	"chancery/domain"
	"chancery/readmodels/internal/decimal"
	"chancery/readmodels/internal/rows"
)

// Link is a one-time link, without what makes it work.
type Link rows.Link

func (i *Link) key() (string, decimal.Int64) { return i.ID.String(), i.Version }

var links = collection(
	Collection{
		Name: "links", Kind: "link", Projector: core,
		Filters: []Filter{
			id("user_id"), text("purpose", string(domain.Invitation), string(domain.PasswordReset)),
			text("status", "issued", "mailed", "undeliverable", "used", "revoked", "expired"),
		},
	},
	func(ctx context.Context, db *rows.Queries, q query) ([]Link, error) {
		found, err := db.Links(ctx, rows.LinksParams{
			TenantID: q.tenant, After: q.afterID(), RowLimit: q.limit, ID: q.onlyID(),
			UserID: q.id("user_id"), Purpose: q.text("purpose"), Status: q.text("status"),
		})
		return each(found, func(r rows.Link) Link { return Link(r) }), err
	})

// Unmailed names a link whose mail is still to be sent, as far as the tables know.
type Unmailed struct {
	Tenant, Link uuid.UUID
	Version      int64
}

// UnmailedLinks are those of every tenant that were issued after a position, in order. DB must see all tenants.
func UnmailedLinks(ctx context.Context, db rows.DBTX, after int64, most int32) ([]Unmailed, error) {
	found, err := rows.New(db).UnmailedLinks(ctx, rows.UnmailedLinksParams{After: decimal.Int64(after), RowLimit: most})
	return each(found, func(r rows.UnmailedLinksRow) Unmailed { return Unmailed{r.TenantID, r.ID, int64(r.Version)} }), err
}
