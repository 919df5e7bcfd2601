package commands_test

import (
	"errors"
	"testing"

	"chancery/commands"
	"chancery/domain"
	"chancery/internal/dcb"
	"chancery/internal/dcb/dcbtest"
)

// falling are rights that are lost between the beginning of a decision and its rule.
type falling struct {
	commands.System
	asked *int
}

func (f falling) HoldsEverything() bool { *f.asked++; return *f.asked == 1 }

func (falling) Holds(domain.Pattern, domain.Scope) bool { return false }

func TestADecisionStartsOverWhenTheRightsThatSparedItAreLost(t *testing.T) {
	h := dcbtest.Given(
		domain.UserRegistered{User: user("ann"), DisplayName: dcb.Plain("Ann"), Status: domain.UserActive},
		domain.GroupCreated{Group: group("g"), Name: "g", Key: domain.GroupKey(env().Tenant, "g")},
		domain.MemberAdded{Membership: membership("m"), Group: group("g"), User: user("ann"), Role: domain.Member},
	)
	for name, c := range map[string]commands.Command{
		"remove-group-member": commands.RemoveGroupMember{Group: group("g"), User: user("ann")},
		"delete-group":        commands.DeleteGroup{ID: group("g")},
		"add-group-member":    commands.AddGroupMember{ID: membership("n"), Group: group("g"), User: user("ben")},
	} {
		history := h.And(domain.UserRegistered{User: user("ben"), DisplayName: dcb.Plain("Ben"), Status: domain.UserActive})
		e := env()
		e.Rights = falling{asked: new(int)}
		if err := history.When(c.Decide(e)).Err(); !errors.Is(err, dcb.ErrConflict) {
			t.Errorf("%s: got %v, want a conflict", name, err)
		}
	}
}
