package readmodels

import (
	"context"

	"github.com/google/uuid"

	"chancery/readmodels/internal/decimal"
	"chancery/readmodels/internal/rows"
)

// AuditEntry is who did what to what, for whom, and from where. Its id is that of the event.
type AuditEntry rows.AuditLog

func (i *AuditEntry) key() (string, decimal.Int64) { return i.Position.String(), i.Position }

func (i *AuditEntry) personal() (uuid.UUID, []column) {
	if i.ActorUserID == nil {
		return uuid.Nil, nil
	}
	return *i.ActorUserID, []column{{"ip", i.Ip}, {"user_agent", i.UserAgent}}
}

// OwnedBy lets users read what was done with their rights, by whomever.
func (i *AuditEntry) OwnedBy(user uuid.UUID) bool {
	return i.EffectiveUserID != nil && *i.EffectiveUserID == user
}

// Guard hides from where somebody else came.
func (i *AuditEntry) Guard(owner uuid.UUID) {
	if i.ActorUserID == nil || *i.ActorUserID != owner {
		i.Ip, i.UserAgent = nil, nil
	}
}

// entryOf is what a tenant sees of a row: of those who act in it and belong to another, such as the platform's staff, it does not
// see from where.
func entryOf(r rows.AuditLog) AuditEntry {
	if r.Ip != nil || r.UserAgent != nil {
		if actorIn(r.Metadata).Tenant != r.TenantID {
			r.Ip, r.UserAgent = nil, nil
		}
	}
	return AuditEntry(r)
}

var audit = collection(
	Collection{
		Name: "audit", Projector: auditing, place: byNumber, Owns: "effective_user_id",
		Filters: []Filter{
			id("actor_user_id"), id("effective_user_id"), id("delegation_id"), id("impersonation_id"), text("action"), text("object_ref"), order,
		},
	},
	func(ctx context.Context, db *rows.Queries, q query) ([]AuditEntry, error) {
		asked := rows.AuditParams{
			TenantID: q.tenant, After: q.afterNumber(), RowLimit: q.limit, ID: q.onlyID(),
			ActorUserID: q.id("actor_user_id"), EffectiveUserID: q.id("effective_user_id"),
			DelegationID: q.id("delegation_id"), ImpersonationID: q.id("impersonation_id"),
			Action: q.text("action"), ObjectRef: q.text("object_ref"),
		}
		list := db.Audit
		if q.newestFirst {
			list = func(ctx context.Context, p rows.AuditParams) ([]rows.AuditLog, error) {
				return db.AuditNewestFirst(ctx, rows.AuditNewestFirstParams(p))
			}
		}
		found, err := list(ctx, asked)
		return each(found, entryOf), err
	})
