package commands_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"chancery/commands"
	"chancery/domain"
	"chancery/internal/dcb"
)

func delegation(name string) domain.DelegationID {
	return domain.DelegationID{UUID: named("delegation " + name)}
}

// person is the acting user or another one.
func person(name string) domain.UserID {
	if name == "chief" {
		return chief
	}
	return user(name)
}

// staffed is acme with the acting user and colleagues, and globex with its own people, each letting delegations cross.
func staffed() history {
	h := given(domain.TenantCreated{Tenant: acme, Name: "Acme", Slug: "acme"}, domain.TenantCreated{Tenant: globex, Name: "Globex", Slug: "globex"},
		roleMade("reader"), roleMade("writer"), policyIn(acme, domain.DelegateOut, "true"))
	for _, name := range []string{"chief", "ann", "bob", "carl", "dora", "emil", "fred", "gert", "hans"} {
		h = h.and(domain.UserRegistered{User: person(name), DisplayName: dcb.Plain(name), Status: domain.UserActive})
	}
	return h.elsewhere(globex, policyIn(globex, domain.DelegateIn, "true"), registered("gus"), registered("gina"))
}

func policyIn(t domain.TenantID, s domain.Setting, value string) domain.PolicySet {
	return domain.PolicySet{Policy: s.ID(t), Key: s.Key, Value: value, Version: 1}
}

func grant(e commands.Env, changes ...func(*commands.GrantDelegation)) dcb.Decision {
	c := commands.GrantDelegation{ID: delegation("new"), Delegate: user("ann"), Until: now.Add(10 * day)}
	for _, change := range changes {
		change(&c)
	}
	return c.Decide(e)
}

// terms are those of a delegation that the acting user grants to ann.
func terms(changes ...func(*domain.DelegationGranted)) domain.DelegationGranted {
	e := domain.DelegationGranted{
		Delegation: delegation("new"), Tenant: domain.HomeIn(acme), Grantor: chief, GrantorTenant: domain.HomeIn(acme),
		Delegate: user("ann"), DelegateTenant: domain.HomeIn(acme), Window: domain.Window{From: now, Until: now.Add(10 * day)},
	}
	for _, change := range changes {
		change(&e)
	}
	return e
}

// placed is an event in the logs of tenants.
func placed(e dcb.Event, tenants ...domain.TenantID) (all []dcb.Event) {
	for _, t := range tenants {
		all = append(all, dcb.In(t.UUID, e))
	}
	return all
}

// copied is an event in each tenant that the delegation concerns.
func copied(of domain.DelegationGranted, e dcb.Event) []dcb.Event {
	return placed(e, of.Tenants()...)
}

func agreed(of domain.DelegationGranted) domain.DelegationAccepted {
	return domain.DelegationAccepted{Delegation: of.Delegation, Tenant: of.Tenant, Grantor: of.Grantor, Delegate: of.Delegate}
}

func takenBack(of domain.DelegationGranted, reason string) domain.DelegationRevoked {
	return domain.DelegationRevoked{Delegation: of.Delegation, Tenant: of.Tenant, Grantor: of.Grantor, Delegate: of.Delegate, Reason: reason}
}

// standing is history with accepted delegations.
func (h history) standing(all ...domain.DelegationGranted) history {
	for _, d := range all {
		h = h.and(copied(d, d)...).and(copied(d, agreed(d))...)
	}
	return h
}

// chain hands a right on from each to the next, all within acme; the last may hand it on once more.
func chain(people ...string) (all []domain.DelegationGranted) {
	for i := range people[1:] {
		d := terms(func(e *domain.DelegationGranted) {
			e.Delegation, e.Grantor, e.Delegate = delegation(people[i]+" to "+people[i+1]), person(people[i]), person(people[i+1])
			e.Redelegations, e.Window.From = len(people)-1-i, now.Add(-time.Hour)
		})
		for _, above := range all {
			d.Parent, d.Chain = above.Delegation, append(slices.Clone(d.Chain), above.Delegation)
		}
		all = append(all, d)
	}
	return all
}

func newest[T any](all []T) T { return all[len(all)-1] }

// handOn is a command that hands a delegation on to dora.
func handOn(parent domain.DelegationID, changes ...func(*commands.GrantDelegation)) dcb.Decision {
	return grant(env(), append([]func(*commands.GrantDelegation){func(c *commands.GrantDelegation) {
		c.Parent, c.Delegate, c.Until = parent, user("dora"), time.Time{}
	}}, changes...)...)
}

func TestADelegationIsOfferedInEveryTenantThatItConcerns(t *testing.T) {
	staffed().When(grant(env())).Then(t, placed(terms(), acme)...)
	staffed().When(grant(env(), func(c *commands.GrantDelegation) {
		c.Privileges, c.Roles, c.Apps, c.Resources = []domain.Pattern{"repo.read", "repo.read"}, []domain.RoleID{role("reader")}, []domain.App{"repo"}, []domain.Scope{"repo:web"}
		c.From, c.Redelegations, c.Reason = now.Add(time.Hour), 2, "leave"
	})).Then(t, placed(terms(func(e *domain.DelegationGranted) {
		e.Bounds = domain.Bounds{Privileges: []domain.Pattern{"repo.read"}, Roles: []domain.RoleID{role("reader")}, Apps: []domain.App{"repo"}, Resources: []domain.Scope{"repo:web"}}
		e.Window.From, e.Redelegations, e.Reason = now.Add(time.Hour), 2, "leave"
	}), acme)...)
	abroad := terms(func(e *domain.DelegationGranted) { e.Delegate, e.DelegateTenant = user("gus"), domain.HomeIn(globex) })
	for _, name := range []string{globex.String(), "globex"} {
		staffed().When(grant(env(), func(c *commands.GrantDelegation) { c.Delegate, c.DelegateTenant = user("gus"), name })).
			Then(t, placed(abroad, acme, globex)...)
	}
	for _, name := range []string{acme.String(), "acme"} {
		staffed().When(grant(env(), func(c *commands.GrantDelegation) { c.DelegateTenant = name })).Then(t, placed(terms(), acme)...)
	}
}

func TestWhoGrantsNeedsNoPrivilegeForIt(t *testing.T) {
	staffed().When(grant(unprivileged(having()))).Then(t, placed(terms(), acme)...)
}

func TestTheIDOfADelegationIsNeverUsedAgain(t *testing.T) {
	theirs := chain("bob", "carl")[0]
	theirs.Delegation = delegation("new")
	for name, h := range map[string]history{
		"offered":   staffed().and(copied(theirs, theirs)...),
		"accepted":  staffed().standing(theirs),
		"revoked":   staffed().standing(theirs).and(copied(theirs, takenBack(theirs, ""))...),
		"declined":  staffed().and(theirs, domain.DelegationDeclined{Delegation: theirs.Delegation}),
		"expired":   staffed().standing(theirs).and(domain.DelegationExpired{Delegation: theirs.Delegation}),
		"elsewhere": staffed().elsewhere(globex, theirs),
		"requested": staffed().and(domain.ApprovalRequested{Approval: domain.ApprovalID{UUID: theirs.Delegation.UUID}, Delegation: theirs}),
		"cancelled": staffed().and(domain.ApprovalRequested{Approval: domain.ApprovalID{UUID: theirs.Delegation.UUID}}, domain.ApprovalCancelled{Approval: domain.ApprovalID{UUID: theirs.Delegation.UUID}}),
	} {
		t.Run(name, func(t *testing.T) { h.When(grant(env())).ThenRefused(t, domain.ErrIDTaken) })
	}
}

func TestADelegationIsWellFormed(t *testing.T) {
	for name, c := range map[string]struct {
		pointer string
		change  func(*commands.GrantDelegation)
	}{
		"a privilege of one word": {"/privileges", func(c *commands.GrantDelegation) { c.Privileges = []domain.Pattern{"repo"} }},
		"an app with a capital":   {"/apps", func(c *commands.GrantDelegation) { c.Apps = []domain.App{"Repo"} }},
		"a privilege of no app": {"/privileges", func(c *commands.GrantDelegation) {
			c.Apps, c.Privileges = []domain.App{"repo"}, []domain.Pattern{"repos.read"}
		}},
		"a resource without id": {"/resources", func(c *commands.GrantDelegation) { c.Resources = []domain.Scope{"repo"} }},
		"the whole tenant":      {"/resources", func(c *commands.GrantDelegation) { c.Resources = []domain.Scope{""} }},
		"too many resources": {"/resources", func(c *commands.GrantDelegation) {
			for i := range domain.MostBounds + 1 {
				c.Resources = append(c.Resources, domain.Scope(fmt.Sprintf("repo:%d", i)))
			}
		}},
		"a slug that is none":      {"/delegate_tenant", func(c *commands.GrantDelegation) { c.DelegateTenant = "Glob ex" }},
		"less than no handing on":  {"/redelegations", func(c *commands.GrantDelegation) { c.Redelegations = -1 }},
		"no end":                   {"/until", func(c *commands.GrantDelegation) { c.Until = time.Time{} }},
		"an end in the past":       {"/until", func(c *commands.GrantDelegation) { c.From, c.Until = now.Add(-day), now }},
		"an end before the start":  {"/until", func(c *commands.GrantDelegation) { c.From, c.Until = now.Add(day), now.Add(day) }},
		"a reason with a bell":     {"/reason", func(c *commands.GrantDelegation) { c.Reason = "\a" }},
		"handed on without bounds": {"/redelegations", func(c *commands.GrantDelegation) { c.Redelegations = domain.MaxChain }},
	} {
		t.Run(name, func(t *testing.T) { staffed().When(grant(env(), c.change)).ThenInvalid(t, c.pointer) })
	}
	staffed().When(grant(env(), func(c *commands.GrantDelegation) {
		c.Apps, c.Privileges = []domain.App{"repo"}, []domain.Pattern{"*", "repo.*", "repo.read"}
	})).Events(t)
}

func TestWhatProvesAPersonIsNeverDelegated(t *testing.T) {
	only := func(p domain.Pattern) outcome {
		return staffed().When(grant(env(), func(c *commands.GrantDelegation) { c.Privileges = []domain.Pattern{"repo.read", p} }))
	}
	for _, p := range domain.NeverDelegated {
		only(p).ThenRefused(t, domain.ErrNeverDelegated)
		only(domain.Pattern(strings.TrimSuffix(string(p), "*"))+"x").ThenRefusedOr(t, domain.ErrNeverDelegated, !p.Wild())
	}
	for _, p := range []domain.Pattern{"*", "core.*", "core.users.*", "core.erasures.*", "core.group-invitations.*"} {
		only(p).Events(t)
	}
}

// ThenRefusedOr is ThenRefused unless the case has no meaning.
func (o outcome) ThenRefusedOr(t testing.TB, want *domain.Refusal, meaningless bool) {
	t.Helper()
	if !meaningless {
		o.ThenRefused(t, want)
	}
}

func TestRolesOfADelegationAreThoseOfWhereItGivesRights(t *testing.T) {
	only := func(h history, id domain.RoleID) outcome {
		return h.When(grant(env(), func(c *commands.GrantDelegation) { c.Roles = []domain.RoleID{role("reader"), id} }))
	}
	only(staffed(), role("writer")).Events(t)
	only(staffed(), role("none")).ThenRefused(t, domain.ErrRoleUnknown)
	only(staffed().and(domain.RoleDeleted{Role: role("writer")}), role("writer")).ThenRefused(t, domain.ErrRoleUnknown)
	theirs := domain.RoleCreated{Role: role("theirs"), Name: "theirs"}
	only(staffed().elsewhere(globex, theirs), role("theirs")).ThenRefused(t, domain.ErrRoleUnknown)
	only(staffed().elsewhere(domain.Root, theirs), role("theirs")).Events(t)
}

func TestADelegationIsNoLongerThanTheTenantAllows(t *testing.T) {
	until := func(h history, from, until time.Time) outcome {
		return h.When(grant(env(), func(c *commands.GrantDelegation) { c.From, c.Until = from, until }))
	}
	until(staffed(), time.Time{}, now.Add(90*day)).Events(t)
	until(staffed(), time.Time{}, now.Add(90*day+time.Microsecond)).ThenRefused(t, domain.ErrTooLong)
	until(staffed(), now.Add(day), now.Add(91*day)).Events(t)
	until(staffed().and(policy(domain.DelegationDays, "1")), time.Time{}, now.Add(2*day)).ThenRefused(t, domain.ErrTooLong)
}

func TestTheTimesOfADelegationAreThoseThatTheTablesKeep(t *testing.T) {
	east := time.FixedZone("east", 3600)
	staffed().When(grant(env(), func(c *commands.GrantDelegation) { c.Until = now.Add(10*day + 999*time.Nanosecond).In(east) })).
		Then(t, placed(terms(), acme)...)
}

func TestTheDelegateIsAnActiveColleague(t *testing.T) {
	to := func(h history, u domain.UserID) outcome {
		return h.When(grant(env(), func(c *commands.GrantDelegation) { c.Delegate = u }))
	}
	to(staffed(), chief).ThenRefused(t, domain.ErrSelf)
	to(staffed(), user("none")).ThenRefused(t, domain.ErrUserUnknown)
	to(staffed(), user("gus")).ThenRefused(t, domain.ErrUserUnknown) // of globex
	to(staffed().and(domain.UserDeactivated{User: user("ann")}), user("ann")).ThenRefused(t, domain.ErrUserNotActive)
	to(staffed().and(domain.UserRegistered{User: user("ivo"), Status: domain.UserInvited}), user("ivo")).ThenRefused(t, domain.ErrUserNotActive)
	to(staffed().and(domain.UserErased{User: user("ann")}), user("ann")).ThenRefused(t, domain.ErrUserUnknown)
	to(staffed().and(domain.UserDeactivated{User: user("ann")}, domain.UserReactivated{User: user("ann")}), user("ann")).Events(t)
}

func TestOfAnotherTenantNothingShowsButThatItsUserIsNotToBeHad(t *testing.T) {
	to := func(h history, u domain.UserID, tenant string) outcome {
		return h.When(grant(env(), func(c *commands.GrantDelegation) { c.Delegate, c.DelegateTenant = u, tenant }))
	}
	gus, initech := user("gus"), domain.TenantID{UUID: named("initech")}
	unknown := domain.TenantID{UUID: named("no tenant")}.String()
	for name, o := range map[string]outcome{
		"no such slug":         to(staffed(), gus, "nowhere"),
		"no such tenant":       to(staffed(), gus, unknown),
		"no such user":         to(staffed(), user("none"), "globex"),
		"a colleague, there":   to(staffed(), user("ann"), "globex"),
		"a user of a third":    to(staffed().elsewhere(initech, registered("ingo")), user("ingo"), "globex"),
		"an inactive user":     to(staffed().elsewhere(globex, domain.UserDeactivated{User: gus}), gus, "globex"),
		"an invited user":      to(staffed().elsewhere(globex, domain.UserRegistered{User: user("gabi"), Status: domain.UserInvited}), user("gabi"), "globex"),
		"an erased user":       to(staffed().elsewhere(globex, domain.UserErased{User: gus}), gus, "globex"),
		"a suspended tenant":   to(staffed().and(domain.TenantSuspended{Tenant: globex}), gus, "globex"),
		"a closed tenant":      to(staffed().and(domain.TenantClosed{Tenant: globex, Released: "globex"}), gus, globex.String()),
		"an unwilling tenant":  to(staffed().elsewhere(globex, policyIn(globex, domain.DelegateIn, "false")), gus, "globex"),
		"an unwilling default": to(staffed().elsewhere(globex, domain.PolicyReset{Policy: domain.DelegateIn.ID(globex), Key: domain.DelegateIn.Key}), gus, "globex"),
	} {
		o.ThenRefused(t, domain.ErrDelegateAbroad)
		if want := to(staffed(), gus, "nowhere").Err().Error(); o.Err().Error() != want {
			t.Errorf("%s is told: %v, want %s", name, o.Err(), want)
		}
	}
	shut := staffed().and(policyIn(acme, domain.DelegateOut, "false"))
	for _, tenant := range []string{"globex", globex.String(), "nowhere", unknown} {
		to(shut, gus, tenant).ThenRefused(t, domain.ErrDelegationsOut)
	}
	to(shut, user("ann"), "acme").Events(t)
}

func TestATenantMayForbidDelegations(t *testing.T) {
	staffed().and(policy(domain.Delegable, "false")).When(grant(env())).ThenRefused(t, domain.ErrDelegationsOff)
}

func TestADelegationIsGrantedAtHomeByWhoIsActive(t *testing.T) {
	staffed().and(domain.UserDeactivated{User: chief}).When(grant(env())).ThenRefused(t, domain.ErrDelegateAway)
	guest := given(domain.TenantCreated{Tenant: acme}, registered("ann")).elsewhere(domain.Root, domain.UserRegistered{User: chief, Status: domain.UserActive})
	guest.When(grant(env())).ThenRefused(t, domain.ErrDelegateAway)
}

func TestATokenMintedNarrowerGrantsNothingWider(t *testing.T) {
	only := func(r rights, change func(*commands.GrantDelegation)) outcome {
		return staffed().When(grant(by(r), change))
	}
	narrow := rights{all: true, ceiling: []domain.Pattern{"repo.*", "core.delegations.*"}}
	only(narrow, func(*commands.GrantDelegation) {}).ThenRefused(t, domain.ErrMayNotGive)
	only(narrow, func(c *commands.GrantDelegation) { c.Roles = []domain.RoleID{role("reader")} }).ThenRefused(t, domain.ErrMayNotGive)
	only(narrow, func(c *commands.GrantDelegation) { c.Privileges = []domain.Pattern{"repo.read", "file.read"} }).ThenRefused(t, domain.ErrMayNotGive)
	only(narrow, func(c *commands.GrantDelegation) { c.Apps = []domain.App{"repo", "file"} }).ThenRefused(t, domain.ErrMayNotGive)
	only(narrow, func(c *commands.GrantDelegation) { c.Privileges = []domain.Pattern{"repo.read"} }).Events(t)
	only(narrow, func(c *commands.GrantDelegation) { c.Apps = []domain.App{"repo"} }).Events(t)
	short := rights{all: true, until: now.Add(10*day - time.Second)}
	only(short, func(*commands.GrantDelegation) {}).ThenRefused(t, domain.ErrMayNotGive)
	only(short, func(c *commands.GrantDelegation) { c.Until = short.until }).Events(t)
}

func TestNobodyHandlesDelegationsWhileTheyActForSomebody(t *testing.T) {
	d := chain("chief", "ann")[0]
	h := staffed().standing(d)
	delegated, impersonating := by(rights{all: true, acts: user("bob")}), by(rights{all: true, acts: user("bob")})
	delegated.Delegation = delegation("used")
	impersonating.Impersonation = domain.ImpersonationID{UUID: named("session")}
	for _, e := range []commands.Env{delegated, impersonating} {
		h.When(grant(e)).ThenRefused(t, domain.ErrActing)
		h.When(commands.AcceptDelegation{ID: d.Delegation}.Decide(e)).ThenRefused(t, domain.ErrActing)
		h.When(commands.DeclineDelegation{ID: d.Delegation}.Decide(e)).ThenRefused(t, domain.ErrActing)
		h.When(commands.RevokeDelegation{ID: d.Delegation}.Decide(e)).ThenRefused(t, domain.ErrActing)
	}
}

func TestADelegationMayNeedApprovalOfTheTenantInWhichItGivesRights(t *testing.T) {
	h := staffed().and(policy(domain.ApprovePrivileges, "repo.*"))
	asked := domain.ApprovalRequested{
		Approval: domain.ApprovalID{UUID: delegation("new").UUID}, By: chief, User: user("ann"), Delegation: terms(), ExpiresAt: now.Add(day),
	}
	h.When(grant(env())).Then(t, placed(asked, acme)...)
	h.When(grant(env(), func(c *commands.GrantDelegation) { c.Apps = []domain.App{"file"} })).Then(t, placed(terms(func(e *domain.DelegationGranted) {
		e.Bounds.Apps = []domain.App{"file"}
	}), acme)...)
	// One that is handed on abroad is the home tenant's to approve, not that of who hands it on.
	first := chain("ann", "chief")[0]
	first.Tenant, first.GrantorTenant = domain.HomeIn(globex), domain.HomeIn(globex)
	first.Grantor = user("gus")
	abroad := staffed().and(policy(domain.DelegateIn, "true")).elsewhere(globex, policyIn(globex, domain.DelegateOut, "true")).standing(first)
	next := terms(func(e *domain.DelegationGranted) {
		e.Tenant, e.Parent, e.Chain, e.Delegate = domain.HomeIn(globex), first.Delegation, []domain.DelegationID{first.Delegation}, user("dora")
	})
	abroad.and(policy(domain.ApprovePrivileges, "*")).When(handOn(first.Delegation)).Then(t, placed(next, globex, acme)...)
	asked.User, asked.Delegation = user("dora"), next
	abroad.elsewhere(globex, policyIn(globex, domain.ApprovePrivileges, "*")).When(handOn(first.Delegation)).Then(t, placed(asked, globex)...)
}
