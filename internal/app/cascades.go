package app

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"

	"chancery/commands"
	"chancery/domain"
	"chancery/internal/dcb"
	"chancery/internal/ledger"
	"chancery/internal/reactions"
	"chancery/readmodels"
)

// cascades put on record that things have ended which rested on something else: on a user, on a tenant, on the session or token
// that they began with. Rights never wait for it: whoever asks is answered by the cause itself. Each end names its cause.
//
// What is to end the tables tell, once they have seen the cause; whether it still stands, the log does. So a cascade that was
// cut off is done again and ends nothing twice, and what began after the cause is left alone.
type cascades struct {
	engine *commands.Engine
	order  func(context.Context, []commands.Order) []error
	find   readmodels.Cascades
	settle func(ctx context.Context, projector string, position int64) error
}

func (a *App) cascades() *reactions.Reaction {
	c := &cascades{engine: a.engine, order: a.orderAll, find: readmodels.Cascades{DB: a.ledger.Pool(ledger.Project)}}
	c.settle = func(ctx context.Context, projector string, position int64) error {
		return a.feed.Wait(ctx, projector, position)
	}
	return reactions.New(reactions.Config{
		Name: "cascades", Do: c.react, Passing: passing, Log: a.log, GaveUp: a.metrics.gaveUp("cascades"),
		Types: []string{
			domain.UserDeactivated{}.EventType(), domain.UserErased{}.EventType(),
			domain.TenantSuspended{}.EventType(), domain.TenantClosed{}.EventType(),
			domain.LicenseRevoked{}.EventType(), domain.SigningKeyRevoked{}.EventType(),
			domain.SessionEnded{}.EventType(), domain.TokenRevoked{}.EventType(), domain.TokenExpired{}.EventType(),
		},
	})
}

// passing tells trouble that has nothing to do with the event in hand.
func passing(err error) bool { return unavailable(err) || errors.Is(err, dcb.ErrConflict) }

func (c *cascades) react(ctx context.Context, cause dcb.Recorded) error {
	of := readmodels.Whose{Tenant: cause.Tenant, At: cause.At}
	switch e := cause.Event.(type) {
	case domain.UserDeactivated:
		of.User = e.User.UUID
		return c.endAll(ctx, cause, of, append(c.kinds(domain.EndedWithUser), c.approvals(domain.EndedWithUser), c.seats(c.find.Seats, domain.EndedWithUser)))
	case domain.UserErased:
		of.User = e.User.UUID
		return c.endAll(ctx, cause, of, append(c.everything(domain.EndedWithErasure), c.seats(c.find.Seats, domain.EndedWithErasure)))
	case domain.LicenseRevoked: // the vendor's copy of it too; there are no seats in that tenant
		return c.endAll(ctx, cause, of, []kind{c.seats(c.find.SeatsOf(e.License.UUID), domain.EndedWithLicense)})
	case domain.SigningKeyRevoked: // what was issued here is on record as the vendor's, whatever becomes of its file
		return c.endAll(ctx, cause, of, []kind{c.imported(e.Key, domain.EndedWithKey)})
	case domain.TenantSuspended:
		return c.endAll(ctx, cause, of, c.kinds(domain.EndedWithSuspension))
	case domain.TenantClosed:
		return c.endAll(ctx, cause, of, c.everything(domain.EndedWithTenant))
	case domain.SessionEnded:
		if wholesale[e.Reason] {
			return nil
		}
		return c.endBegunBy(ctx, cause, e.Session, domain.EndedWithSession)
	case domain.TokenRevoked:
		if wholesale[e.Reason] {
			return nil
		}
		return c.endBegunBy(ctx, cause, e.Token, domain.EndedWithToken)
	case domain.TokenExpired:
		return c.endBegunBy(ctx, cause, e.Token, domain.EndedWithExpiredToken)
	}
	return fmt.Errorf("nothing is known to end with %s", cause.Event.EventType())
}

// wholesale are the reasons of ends whose own cause ends all that rests on them.
var wholesale = map[string]bool{
	domain.EndedWithUser: true, domain.EndedWithErasure: true, domain.EndedWithSuspension: true, domain.EndedWithTenant: true,
}

// kind is a kind of things that end: how those that stand are found, and how one of them ends.
type kind struct {
	command string
	list    func(context.Context, readmodels.Whose, uuid.UUID, int32) ([]readmodels.Standing, error)
	end     func(uuid.UUID) commands.Command
	portion int32 // how many end in one commit
}

func (c *cascades) kinds(reason string) []kind {
	return []kind{
		{"end-impersonation", c.find.Impersonations, func(id uuid.UUID) commands.Command {
			return commands.EndImpersonation{ID: domain.ImpersonationID{UUID: id}, Reason: reason}
		}, 100},
		{"end-delegation", c.find.Delegations, func(id uuid.UUID) commands.Command {
			return commands.EndDelegation{ID: domain.DelegationID{UUID: id}, Reason: reason}
		}, 50},
		{"close-session", c.find.Sessions, func(id uuid.UUID) commands.Command {
			return commands.CloseSession{ID: domain.SessionID{UUID: id}, Reason: reason}
		}, 500},
		{"revoke-token", c.find.Tokens, func(id uuid.UUID) commands.Command {
			return commands.RevokeToken{ID: domain.TokenID{UUID: id}, Reason: reason}
		}, 500},
	}
}

// everything ends with what will never be again.
func (c *cascades) everything(reason string) []kind {
	return append(c.kinds(reason), c.approvals(reason), c.invitations(reason))
}

func (c *cascades) approvals(reason string) kind {
	return kind{"drop-approval", c.find.Approvals, func(id uuid.UUID) commands.Command {
		return commands.DropApproval{ID: domain.ApprovalID{UUID: id}, Reason: reason}
	}, 100}
}

func (c *cascades) seats(list func(context.Context, readmodels.Whose, uuid.UUID, int32) ([]readmodels.Standing, error), reason string) kind {
	return kind{"release-seat", list, func(id uuid.UUID) commands.Command {
		return commands.ReleaseSeat{ID: domain.SeatID{UUID: id}, Reason: reason}
	}, 500}
}

func (c *cascades) imported(by domain.SigningKeyID, reason string) kind {
	return kind{"revoke-license", c.find.ImportedBy(by.UUID), func(id uuid.UUID) commands.Command {
		return commands.RevokeLicense{ID: domain.LicenseID{UUID: id}, Reason: reason}
	}, 100}
}

func (c *cascades) invitations(reason string) kind {
	return kind{"end-outside-membership", c.find.Invitations, func(id uuid.UUID) commands.Command {
		return commands.EndOutsideMembership{ID: domain.InvitationID{UUID: id}, Reason: reason}
	}, 50}
}

// cascadeSettle is how long the tables may take to see a cause before it is tried again.
const cascadeSettle = 30 * time.Second

// endAll ends what stands of whom it concerns, portion by portion. What cannot end keeps nothing else from ending.
func (c *cascades) endAll(ctx context.Context, cause dcb.Recorded, of readmodels.Whose, kinds []kind) error {
	seen, cancel := context.WithTimeout(ctx, cascadeSettle)
	err := c.settle(seen, "core", cause.Position)
	cancel()
	if err != nil {
		return err
	}
	var failed []error
	for _, k := range kinds {
		for after := (uuid.UUID{}); ; {
			found, err := k.list(ctx, of, after, k.portion)
			if err != nil {
				return err
			}
			failed = append(failed, c.end(ctx, cause, k, found))
			if len(found) < int(k.portion) {
				break
			}
			after = found[len(found)-1].ID
		}
	}
	return errors.Join(failed...)
}

// end orders the ends of some things.
func (c *cascades) end(ctx context.Context, cause dcb.Recorded, k kind, found []readmodels.Standing) error {
	orders := make([]commands.Order, len(found))
	for i, s := range found {
		orders[i] = ending(cause, domain.TenantID{UUID: s.Tenant}, k.command, k.end(s.ID))
	}
	var first error
	missed := 0
	for _, err := range c.order(ctx, orders) {
		if err == nil {
			continue
		}
		if missed++; first == nil {
			first = err
		}
	}
	if missed > 0 {
		return fmt.Errorf("%s failed %d times, the first because: %w", k.command, missed, first)
	}
	return nil
}

// endBegunBy ends the impersonations that began with a session or a token.
func (c *cascades) endBegunBy(ctx context.Context, cause dcb.Recorded, by dcb.Tagger, reason string) error {
	begun := domain.ImpersonationsBy(by)
	if err := c.engine.Ask(ctx, domain.TenantID{UUID: cause.Tenant}, dcb.From(begun)); err != nil {
		return err
	}
	for _, i := range begun.Value {
		end := commands.EndImpersonation{ID: i.ID, Reason: reason}
		if _, err := c.engine.Execute(ctx, ending(cause, i.Tenant, "end-impersonation", end)); err != nil {
			return fmt.Errorf("end-impersonation: %w", err)
		}
	}
	return nil
}

// ending is an order because of a cause.
func ending(cause dcb.Recorded, t domain.TenantID, name string, c commands.Command) commands.Order {
	return commands.SystemOrder(name, c, t, dcb.Provenance{Causation: cause.ID, Correlation: cause.Correlation})
}
