package readmodels

import (
	"context"
	"time"

	"github.com/google/uuid"

	"chancery/readmodels/internal/rows"
)

// Whose names what is of a tenant, or of one of its users, and stood at a time already: what began later is not meant.
type Whose struct {
	Tenant uuid.UUID
	User   uuid.UUID // nil: of the whole tenant
	At     time.Time
}

func (w Whose) user() *uuid.UUID {
	if w.User == uuid.Nil {
		return nil
	}
	return &w.User
}

// Standing is a thing that has not ended, as far as the tables know.
type Standing struct {
	Tenant uuid.UUID // where its end is decided
	ID     uuid.UUID
}

// Cascades finds what rests on something that has ended. DB MUST see all tenants. Each list is in the order of the ids, begins
// after one of them, and holds so many at most.
type Cascades struct{ DB rows.DBTX }

func (c Cascades) queries() *rows.Queries { return rows.New(planned{c.DB}) }

// Sessions are those of the users.
func (c Cascades) Sessions(ctx context.Context, w Whose, after uuid.UUID, most int32) ([]Standing, error) {
	ids, err := c.queries().StandingSessions(ctx, rows.StandingSessionsParams{TenantID: w.Tenant, UserID: w.user(), At: w.At, After: after, RowLimit: most})
	return w.standing(ids), err
}

// Tokens are the API tokens of the users.
func (c Cascades) Tokens(ctx context.Context, w Whose, after uuid.UUID, most int32) ([]Standing, error) {
	ids, err := c.queries().StandingTokens(ctx, rows.StandingTokensParams{TenantID: w.Tenant, UserID: w.user(), At: w.At, After: after, RowLimit: most})
	return w.standing(ids), err
}

// Delegations are those by the users and to them, and of a tenant those that give rights in it, too.
func (c Cascades) Delegations(ctx context.Context, w Whose, after uuid.UUID, most int32) ([]Standing, error) {
	ids, err := c.queries().StandingDelegations(ctx, rows.StandingDelegationsParams{TenantID: w.Tenant, UserID: w.user(), At: w.At, After: after, RowLimit: most})
	return w.standing(ids), err
}

// Impersonations are those by the users, in whichever tenant, and those as them; requests for some, too.
func (c Cascades) Impersonations(ctx context.Context, w Whose, after uuid.UUID, most int32) ([]Standing, error) {
	found, err := c.queries().StandingImpersonations(ctx, rows.StandingImpersonationsParams{OfTenant: w.Tenant, UserID: w.user(), At: &w.At, After: after, RowLimit: most})
	return each(found, func(r rows.StandingImpersonationsRow) Standing { return Standing{r.TenantID, r.ID} }), err
}

// Invitations are those of the users into groups elsewhere, and of a tenant those into its groups, too; whether they wait or the
// user is in the group by them.
func (c Cascades) Invitations(ctx context.Context, w Whose, after uuid.UUID, most int32) ([]Standing, error) {
	ids, err := c.queries().StandingInvitations(ctx, rows.StandingInvitationsParams{TenantID: w.Tenant, UserID: w.user(), At: w.At, After: after, RowLimit: most})
	return w.standing(ids), err
}

// Approvals are the requests for approval that wait, by the users and of what they are to get.
func (c Cascades) Approvals(ctx context.Context, w Whose, after uuid.UUID, most int32) ([]Standing, error) {
	ids, err := c.queries().StandingApprovals(ctx, rows.StandingApprovalsParams{TenantID: w.Tenant, UserID: w.user(), At: w.At, After: after, RowLimit: most})
	return w.standing(ids), err
}

func (w Whose) standing(ids []uuid.UUID) []Standing {
	return each(ids, func(id uuid.UUID) Standing { return Standing{w.Tenant, id} })
}
