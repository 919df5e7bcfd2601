package readmodels

import (
	"context"

	"github.com/google/uuid"

	"chancery/readmodels/internal/decimal"
	"chancery/readmodels/internal/rows"
)

// Seat is one of a licence. A floating one is free from ExpiresAt on, whether or not its status says so already.
type Seat rows.LicenseSeat

func (i *Seat) key() (string, decimal.Int64) { return i.ID.String(), i.Version }

// OwnedBy reports whether it is the user's seat: they may read it.
func (i *Seat) OwnedBy(user uuid.UUID) bool { return i.UserID != nil && *i.UserID == user }

var seats = collection(
	Collection{
		Name: "seats", Kind: "seat", Projector: core,
		Filters: []Filter{
			id("license_id"), id("user_id"), text("app"), text("holder"),
			text("seating", "named", "floating"), text("status", "taken", "released", "lapsed"),
		},
	},
	func(ctx context.Context, db *rows.Queries, q query) ([]Seat, error) {
		found, err := db.Seats(ctx, rows.SeatsParams{
			TenantID: q.tenant, After: q.afterID(), RowLimit: q.limit, ID: q.onlyID(), LicenseID: q.id("license_id"), UserID: q.id("user_id"),
			App: q.text("app"), Holder: q.text("holder"), Seating: q.text("seating"), Status: q.text("status"),
		})
		return each(found, func(r rows.LicenseSeat) Seat { return Seat(r) }), err
	})

// Seats are those of the users.
func (c Cascades) Seats(ctx context.Context, w Whose, after uuid.UUID, most int32) ([]Standing, error) {
	ids, err := c.queries().StandingSeats(ctx, rows.StandingSeatsParams{TenantID: w.Tenant, UserID: w.user(), At: w.At, After: after, RowLimit: most})
	return w.standing(ids), err
}

// SeatsOf are those of a licence.
func (c Cascades) SeatsOf(license uuid.UUID) func(context.Context, Whose, uuid.UUID, int32) ([]Standing, error) {
	return func(ctx context.Context, w Whose, after uuid.UUID, most int32) ([]Standing, error) {
		ids, err := c.queries().StandingSeats(ctx, rows.StandingSeatsParams{TenantID: w.Tenant, LicenseID: &license, At: w.At, After: after, RowLimit: most})
		return w.standing(ids), err
	}
}
