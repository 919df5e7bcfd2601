package readmodels

import (
	"context"

	"github.com/google/uuid"

	"chancery/readmodels/internal/decimal"
	"chancery/readmodels/internal/rows"
)

// SecretReading is who read which version of a secret, when and why. Its id is that of the event.
type SecretReading rows.SecretAccessLog

func (i *SecretReading) key() (string, decimal.Int64) { return i.Position.String(), i.Position }

func (i *SecretReading) personal() (subject uuid.UUID, columns []column) {
	if i.UserID != nil {
		subject = *i.UserID
	}
	return subject, []column{{"ip", i.Ip}, {"user_agent", i.UserAgent}}
}

var secretAccess = collection(
	Collection{
		Name: "secret-access", Projector: core, place: byNumber,
		Filters: []Filter{id("secret_id"), id("user_id"), text("app_id"), order},
	},
	func(ctx context.Context, db *rows.Queries, q query) ([]SecretReading, error) {
		asked := rows.SecretAccessParams{
			TenantID: q.tenant, After: q.afterNumber(), RowLimit: q.limit, ID: q.onlyID(),
			SecretID: q.id("secret_id"), UserID: q.id("user_id"), AppID: q.text("app_id"),
		}
		list := db.SecretAccess
		if q.newestFirst {
			list = func(ctx context.Context, p rows.SecretAccessParams) ([]rows.SecretAccessLog, error) {
				return db.SecretAccessNewestFirst(ctx, rows.SecretAccessNewestFirstParams(p))
			}
		}
		found, err := list(ctx, asked)
		return each(found, func(r rows.SecretAccessLog) SecretReading { return SecretReading(r) }), err
	})
