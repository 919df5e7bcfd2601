package projections

import (
	"context"
	"fmt"

	"github.com/go-json-experiment/json"
	"github.com/google/uuid"

	"chancery/domain"
	"chancery/internal/dcb"
	"chancery/projections/internal/rows"
)

// approvals: a request keeps its row, with what was asked for as it would have been recorded.
var approvals = feature{
	tables: []string{"approvals"},
	writes: []handler{
		on(func(ctx context.Context, q *rows.Queries, m dcb.Meta, e domain.ApprovalRequested) error {
			kind, request, err := requestOf(e)
			if err != nil {
				return err
			}
			return q.RequestApproval(ctx, rows.RequestApprovalParams{
				TenantID: m.Tenant, ID: e.Approval.UUID, Kind: kind, RequestedBy: e.By.UUID, RequestedFor: orNull(e.For.UUID),
				UserID: orNull(e.User.UUID), RoleID: orNull(e.Assignment.Role.UUID), Request: request, Reason: e.Reason,
				At: m.At, ExpiresAt: e.ExpiresAt, Version: m.Position,
			})
		}),
		on(func(ctx context.Context, q *rows.Queries, m dcb.Meta, e domain.ApprovalGiven) error {
			return answer(ctx, q, m, e.Approval, domain.ApprovalIsGiven, e.By.UUID, e.Reason)
		}),
		on(func(ctx context.Context, q *rows.Queries, m dcb.Meta, e domain.ApprovalDenied) error {
			return answer(ctx, q, m, e.Approval, domain.ApprovalIsDenied, e.By.UUID, e.Reason)
		}),
		on(func(ctx context.Context, q *rows.Queries, m dcb.Meta, e domain.ApprovalCancelled) error {
			return answer(ctx, q, m, e.Approval, domain.ApprovalWithdrawn, m.Actor, e.Reason)
		}),
		on(func(ctx context.Context, q *rows.Queries, m dcb.Meta, e domain.ApprovalExpired) error {
			return answer(ctx, q, m, e.Approval, domain.ApprovalRunOut, uuid.Nil, "")
		}),
	},
	objects: []object{
		about(func(e domain.ApprovalRequested) dcb.Tagger { return e.Approval }),
		about(func(e domain.ApprovalGiven) dcb.Tagger { return e.Approval }),
		about(func(e domain.ApprovalDenied) dcb.Tagger { return e.Approval }),
		about(func(e domain.ApprovalCancelled) dcb.Tagger { return e.Approval }),
		about(func(e domain.ApprovalExpired) dcb.Tagger { return e.Approval }),
	},
}

// requestOf is what was asked for.
func requestOf(e domain.ApprovalRequested) (kind string, request []byte, err error) {
	kind = "assignment"
	var of dcb.Event = e.Assignment
	if !e.Delegation.Delegation.IsZero() {
		kind, of = "delegation", e.Delegation
	}
	if request, err = json.Marshal(of); err != nil {
		return "", nil, fmt.Errorf("encode the request: %w", err)
	}
	return kind, request, nil
}

func answer(ctx context.Context, q *rows.Queries, m dcb.Meta, id domain.ApprovalID, is domain.ApprovalStatus, by uuid.UUID, reason string) error {
	return q.AnswerApproval(ctx, rows.AnswerApprovalParams{
		TenantID: m.Tenant, ID: id.UUID, Status: string(is), DecidedBy: orNull(by), At: &m.At, Reason: reason, Version: m.Position,
	})
}
