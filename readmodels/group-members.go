package readmodels

import (
	"context"

	"github.com/google/uuid"

	"chancery/domain"
	"chancery/readmodels/internal/decimal"
	"chancery/readmodels/internal/rows"
)

// GroupMember is a member of a group, as other members see them. What a user of another tenant is called, that tenant alone knows.
type GroupMember rows.GroupMembersRow

func (i *GroupMember) key() (string, decimal.Int64) { return i.ID.String(), i.Version }

func (i *GroupMember) personal() (uuid.UUID, []column) {
	return i.UserID, []column{{"display_name", i.DisplayName}}
}

// Fellows are the members of a group whom somebody sees: where one of the two is set, only that user, or only the users of that other tenant.
type Fellows struct {
	User domain.UserID
	Home domain.TenantID
}

// GroupMembers is the list of a group's members.
func GroupMembers(g domain.GroupID, of Fellows) Collection {
	return collection(Collection{Name: "groups/" + g.String() + "/members", Projector: core},
		func(ctx context.Context, db *rows.Queries, q query) ([]GroupMember, error) {
			found, err := db.GroupMembers(ctx, rows.GroupMembersParams{
				TenantID: q.tenant, After: q.afterID(), RowLimit: q.limit, GroupID: g.UUID, OnlyUser: someID(of.User.UUID), OnlyHome: someID(of.Home.UUID),
			})
			return each(found, func(r rows.GroupMembersRow) GroupMember { return GroupMember(r) }), err
		})
}

func someID(id uuid.UUID) *uuid.UUID {
	if id == uuid.Nil {
		return nil
	}
	return &id
}
