package commands_test

import (
	"testing"
	"time"

	"chancery/commands"
	"chancery/domain"
	"chancery/internal/dcb"
)

// guardedOffices is a tenant with roles and a delegation on its way, in which something needs approval.
func guardedOffices(s domain.Setting, value string) history {
	return staffed().and(
		holds("reader", "file.read"), holds("writer", "file.write"), roleMade("boss"), inherits("boss", "writer"), holds("boss", "pay.run"), policy(s, value))
}

// wantedDelegation is a request of bob that ann may act for him.
func wantedDelegation(changes ...func(*domain.DelegationGranted)) domain.ApprovalRequested {
	d := terms(append([]func(*domain.DelegationGranted){func(e *domain.DelegationGranted) {
		e.Delegation, e.Grantor = domain.DelegationID(assignment("new")), user("bob")
	}}, changes...)...)
	return domain.ApprovalRequested{Approval: approvalOf(assignment("new")), By: user("bob"), User: user("ann"), Delegation: d, ExpiresAt: now.Add(time.Hour)}
}

func TestADelegationNeedsApprovalWhereItMayGiveWhatDoes(t *testing.T) {
	privileges := func(of ...domain.Pattern) func(*commands.GrantDelegation) {
		return func(c *commands.GrantDelegation) { c.Privileges = of }
	}
	roles := func(names ...string) func(*commands.GrantDelegation) {
		return func(c *commands.GrantDelegation) {
			for _, n := range names {
				c.Roles = append(c.Roles, role(n))
			}
		}
	}
	apps := func(c *commands.GrantDelegation) { c.Apps = []domain.App{"file"} }
	web := func(c *commands.GrantDelegation) { c.Resources = []domain.Scope{"repo:web"} }
	for name, c := range map[string]struct {
		setting domain.Setting
		value   string
		bounds  []func(*commands.GrantDelegation)
		needed  bool
	}{
		"anything, and some privilege needs it":    {domain.ApprovePrivileges, "pay.run", nil, true},
		"anything, and some role needs it":         {domain.ApproveRoles, role("reader").String(), nil, true},
		"anything on a resource":                   {domain.ApproveRoles, role("reader").String(), []func(*commands.GrantDelegation){web}, true},
		"the privilege itself":                     {domain.ApprovePrivileges, "file.read", []func(*commands.GrantDelegation){privileges("file.read")}, true},
		"a pattern of it":                          {domain.ApprovePrivileges, "file.read", []func(*commands.GrantDelegation){privileges("x.y", "file.*")}, true},
		"another privilege":                        {domain.ApprovePrivileges, "file.read", []func(*commands.GrantDelegation){privileges("file.write")}, false},
		"an app of it":                             {domain.ApprovePrivileges, "file.read", []func(*commands.GrantDelegation){apps}, true},
		"another app":                              {domain.ApprovePrivileges, "pay.run", []func(*commands.GrantDelegation){apps}, false},
		"the role itself":                          {domain.ApproveRoles, role("reader").String(), []func(*commands.GrantDelegation){roles("writer", "reader")}, true},
		"a role that inherits from it":             {domain.ApproveRoles, role("writer").String(), []func(*commands.GrantDelegation){roles("boss")}, true},
		"another role":                             {domain.ApproveRoles, role("reader").String(), []func(*commands.GrantDelegation){roles("boss")}, false},
		"a role that gives the privilege":          {domain.ApprovePrivileges, "file.write", []func(*commands.GrantDelegation){roles("boss")}, true},
		"a role that gives it, but not that of it": {domain.ApprovePrivileges, "file.write", []func(*commands.GrantDelegation){roles("boss"), privileges("pay.run")}, false},
		"a role that gives it, and that of it":     {domain.ApprovePrivileges, "file.*", []func(*commands.GrantDelegation){roles("boss"), privileges("pay.run", "file.write")}, true},
		"a role that gives another":                {domain.ApprovePrivileges, "file.read", []func(*commands.GrantDelegation){roles("boss")}, false},
		"a privilege that the role would give":     {domain.ApproveRoles, role("boss").String(), []func(*commands.GrantDelegation){privileges("file.write")}, true},
		"a privilege that the role would not give": {domain.ApproveRoles, role("boss").String(), []func(*commands.GrantDelegation){privileges("file.read")}, false},
	} {
		t.Run(name, func(t *testing.T) {
			event, _ := dcb.Place(guardedOffices(c.setting, c.value).When(grant(env(), c.bounds...)).Events(t)[0], acme.UUID)
			if _, asks := event.(domain.ApprovalRequested); asks != c.needed {
				t.Errorf("decided %+v", event)
			}
		})
	}
	staffed().When(grant(env())).Then(t, placed(terms(), acme)...)
}

func TestAnApprovedDelegationIsOfferedInEveryTenantThatItConcerns(t *testing.T) {
	h := guardedOffices(domain.ApprovePrivileges, "*")
	request := wantedDelegation()
	h.and(request).When(approval(having())).Then(t, append([]dcb.Event{requestApproved()}, placed(request.Delegation, acme)...)...)
	abroad := wantedDelegation(func(e *domain.DelegationGranted) { e.Delegate, e.DelegateTenant = user("gus"), domain.HomeIn(globex) })
	abroad.User = user("gus")
	h.and(abroad).When(approval(having())).Then(t, append([]dcb.Event{requestApproved()}, placed(abroad.Delegation, acme, globex)...)...)
	h.and(request).and(requestApproved()).and(request.Delegation).When(approval(env())).ThenNothing(t)
}

func TestADelegationThatCannotBeAnyMoreIsNotApproved(t *testing.T) {
	h := guardedOffices(domain.ApprovePrivileges, "*")
	asked := h.and(wantedDelegation())
	asked.and(domain.UserDeactivated{User: user("ann")}).When(approval(env())).ThenRefused(t, domain.ErrUserNotActive)
	asked.and(domain.UserDeactivated{User: user("bob")}).When(approval(env())).ThenRefused(t, domain.ErrDelegateAway)
	asked.and(erased("ann")).When(approval(env())).ThenRefused(t, domain.ErrApprovalMoot)
	asked.and(policy(domain.Delegable, "false")).When(approval(env())).ThenRefused(t, domain.ErrDelegationsOff)
	over := wantedDelegation(func(e *domain.DelegationGranted) { e.Window = domain.Window{From: now.Add(-day), Until: now} })
	h.and(over).When(approval(env())).ThenRefused(t, domain.ErrDelegationOver)
	parent := chain("ann", "bob")[0]
	handed := wantedDelegation(func(e *domain.DelegationGranted) {
		e.Parent, e.Chain, e.Delegate = parent.Delegation, []domain.DelegationID{parent.Delegation}, user("dora")
	})
	handed.User = user("dora")
	h.standing(parent).and(handed).When(approval(env())).Events(t)
	h.standing(parent).and(takenBack(parent, "")).and(handed).When(approval(env())).ThenRefused(t, domain.ErrDelegationLoose)
}

func TestNobodyApprovesADelegationOfTheirOwnOrToThemselves(t *testing.T) {
	h := guardedOffices(domain.ApprovePrivileges, "*")
	mine := wantedDelegation(func(e *domain.DelegationGranted) { e.Grantor = chief })
	mine.By = chief
	h.and(mine).When(approval(env())).ThenRefused(t, domain.ErrFourEyes)
	toMe := wantedDelegation(func(e *domain.DelegationGranted) { e.Delegate = chief })
	toMe.User = chief
	h.and(toMe).When(approval(env())).ThenRefused(t, domain.ErrFourEyes)
	h.standing(chain("bob", "chief")...).and(wantedDelegation()).When(approval(env())).ThenRefused(t, domain.ErrFourEyesTied)
}
