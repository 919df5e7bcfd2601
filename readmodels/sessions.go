package readmodels

import (
	"context"

	"github.com/google/uuid"

	"chancery/readmodels/internal/decimal"
	"chancery/readmodels/internal/rows"
)

// Session is somebody's having signed in, personal columns opened.
type Session rows.SessionsRow

func (i *Session) key() (string, decimal.Int64) { return i.ID.String(), i.Version }

// OwnedBy reports whether it is the user's.
func (i *Session) OwnedBy(user uuid.UUID) bool { return i.UserID == user }

func (i *Session) personal() (uuid.UUID, []column) {
	return i.UserID, []column{{"ip", i.Ip}, {"user_agent", i.UserAgent}}
}

var sessions = collection(
	Collection{
		Name: "sessions", Kind: "session", Projector: core,
		Filters: []Filter{id("user_id"), id("issuer_id"), text("status", "active", "ended")},
	},
	func(ctx context.Context, db *rows.Queries, q query) ([]Session, error) {
		found, err := db.Sessions(ctx, rows.SessionsParams{
			TenantID: q.tenant, After: q.afterID(), RowLimit: q.limit, ID: q.onlyID(),
			UserID: q.id("user_id"), IssuerID: q.id("issuer_id"), Status: q.text("status"),
		})
		return each(found, func(r rows.SessionsRow) Session { return Session(r) }), err
	})
