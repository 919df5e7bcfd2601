package domain

import (
	"slices"
	"time"

	"chancery/internal/dcb"
)

// DelegationGranted offers a user to act with some of the rights of another one, visibly, once they accept. It is recorded in
// each tenant that it concerns; it gives rights in Tenant alone, and only the copy there does.
type DelegationGranted struct {
	Delegation     DelegationID   `json:"delegation"`
	Tenant         HomeID         `json:"tenant"` // in which it gives rights: that of the first grantor of the chain
	Grantor        UserID         `json:"grantor"`
	GrantorTenant  HomeID         `json:"grantor_tenant"`
	Delegate       UserID         `json:"delegate"`
	DelegateTenant HomeID         `json:"delegate_tenant"`
	Parent         DelegationID   `json:"parent,omitzero"` // the delegation that this one hands on; its delegate is the grantor here
	Chain          []DelegationID `json:"chain,omitzero"`  // all above this one, the first of them first, Parent last
	Bounds         Bounds         `json:"scope,omitzero"`
	Window         Window         `json:"window"`
	Redelegations  int            `json:"redelegations,omitzero"` // how many more times it may be handed on; 0: not at all
	Reason         string         `json:"reason,omitzero"`
}

// DelegationAccepted puts a delegation into force.
type DelegationAccepted struct {
	Delegation DelegationID `json:"delegation"`
	Tenant     HomeID       `json:"tenant"`
	Grantor    UserID       `json:"grantor"`
	Delegate   UserID       `json:"delegate"`

	Judged []ConstraintID `json:"judged,omitzero"` // the constraints of Tenant that it had to satisfy; on the copy there alone
}

// DelegationDeclined says that the delegate does not want it.
type DelegationDeclined struct {
	Delegation DelegationID `json:"delegation"`
	Tenant     HomeID       `json:"tenant"`
	Grantor    UserID       `json:"grantor"`
	Delegate   UserID       `json:"delegate"`
	Reason     string       `json:"reason,omitzero"`
}

// DelegationRevoked ends a delegation: the grantor, the delegate or an administrator did, or what it rests on ended.
type DelegationRevoked struct {
	Delegation DelegationID `json:"delegation"`
	Tenant     HomeID       `json:"tenant"`
	Grantor    UserID       `json:"grantor"`
	Delegate   UserID       `json:"delegate"`
	Reason     string       `json:"reason,omitzero"`
}

// DelegationExpired says that the window of a delegation is over.
type DelegationExpired struct {
	Delegation DelegationID `json:"delegation"`
	Tenant     HomeID       `json:"tenant"`
	Grantor    UserID       `json:"grantor"`
	Delegate   UserID       `json:"delegate"`
}

func (DelegationGranted) EventType() string  { return "delegation.granted" }
func (DelegationAccepted) EventType() string { return "delegation.accepted" }
func (DelegationDeclined) EventType() string { return "delegation.declined" }
func (DelegationRevoked) EventType() string  { return "delegation.revoked" }
func (DelegationExpired) EventType() string  { return "delegation.expired" }

var delegationEvents = dcb.Kind("delegation",
	dcb.Of[DelegationGranted](), dcb.Of[DelegationAccepted](), dcb.Of[DelegationDeclined](), dcb.Of[DelegationRevoked](),
	dcb.Of[DelegationExpired]())

var (
	ErrDelegationUnknown  = &Refusal{Missing, "not-found", "there is no such delegation here"}
	ErrDelegationsOff     = refuse("delegations-off", "the tenant does not let its users delegate")
	ErrDelegationsOut     = refuse("delegations-outgoing-off", "the tenant does not let its users delegate to other tenants")
	ErrDelegateAbroad     = refuse("delegate-unavailable", "there is nobody in that tenant who could be this delegate")
	ErrDelegateAway       = refuse("not-at-home", "a delegation is granted in the grantor's own tenant")
	ErrNeverDelegated     = refuse("never-delegated", "these privileges are nobody's to use for somebody else")
	ErrDelegationWider    = refuse("wider-than-parent", "it would be worth more than the delegation that it hands on")
	ErrDelegationDepth    = refuse("delegation-depth", "so many delegations may not rest on one another")
	ErrDelegationFinal    = refuse("delegation-final", "the delegation may not be handed on")
	ErrDelegationCycle    = refuse("delegation-cycle", "nobody stands twice in a chain of delegations")
	ErrDelegationLoose    = refuse("delegation-not-in-force", "what it rests on does not hold: a delegation above it, a user or a tenant of it, or a policy of theirs")
	ErrDelegationOver     = refuse("delegation-over", "the delegation is over: declined, revoked or expired")
	ErrDelegationAccepted = refuse("delegation-accepted", "the delegation is accepted already; revoke it to end it")
)

// DelegationParentEnded is why a delegation ends with the one that it hands on.
const DelegationParentEnded = "parent-ended"

// Bounds are the most that a delegation may be used for; each that is given narrows, none narrows nothing.
type Bounds struct {
	Privileges []Pattern `json:"privileges,omitzero"` // these alone
	Roles      []RoleID  `json:"roles,omitzero"`      // only what the grantor has by one of these roles, and that role gives
	Apps       []App     `json:"apps,omitzero"`       // only privileges of these apps: <app>.*
	Resources  []Scope   `json:"resources,omitzero"`  // only on these resources, so nothing on the whole tenant
}

// MostBounds is how many of each kind a delegation may name.
const MostBounds = 100

// NeverDelegated are privileges that nobody uses for somebody else: what proves who they are, and what they alone may decide.
var NeverDelegated = []Pattern{
	"core.credentials.*", "core.sessions.*", "core.tokens.*", "core.identities.*", "core.issuers.*", "core.links.*", "core.signing-keys.*",
	"core.delegations.*", "core.impersonations.*", "core.approvals.*", "core.reviews.*", "core.erasures.approve",
	"core.group-invitations.accept", "core.group-invitations.decline", "core.history.import",
}

// Patterns are the privileges that the bounds let through at most; nil for all.
func (b Bounds) Patterns() []Pattern {
	if len(b.Privileges) > 0 {
		return b.Privileges
	}
	var all []Pattern
	for _, a := range b.Apps {
		all = append(all, a.Pattern())
	}
	return all
}

// Pattern is that of the app's privileges.
func (a App) Pattern() Pattern { return Pattern(a + ".*") }

// Check refuses bounds that are not well formed, that let nothing through, or only what nobody delegates. Whether the roles exist it
// does not know.
func (b Bounds) Check() error {
	err := FirstError(few("/privileges", len(b.Privileges)), few("/roles", len(b.Roles)), few("/apps", len(b.Apps)), few("/resources", len(b.Resources)))
	if err != nil {
		return err
	}
	for _, a := range b.Apps {
		if err := a.Check("/apps"); err != nil {
			return err
		}
	}
	for _, r := range b.Resources {
		if r == "" {
			return Invalid("/resources", "must be type:id, such as repo:website")
		}
		if err := r.Check("/resources"); err != nil {
			return err
		}
	}
	for _, p := range b.Privileges {
		if err := b.checkPattern(p); err != nil {
			return err
		}
	}
	return nil
}

func few(pointer string, n int) error {
	if n > MostBounds {
		return Invalid(pointer, "must not name more than %d", MostBounds)
	}
	return nil
}

func (b Bounds) checkPattern(p Pattern) error {
	if err := p.Check("/privileges"); err != nil {
		return err
	}
	if slices.ContainsFunc(NeverDelegated, func(n Pattern) bool { return n.Covers(p) }) {
		return At("/privileges", ErrNeverDelegated)
	}
	if len(b.Apps) > 0 && !slices.ContainsFunc(b.Apps, func(a App) bool { return a.Pattern().Meets(p) }) {
		return Invalid("/privileges", "%s is of none of the apps", p)
	}
	return nil
}

// within refuses bounds of which some let through what those of the parent do not.
func (b Bounds) within(parent Bounds) error {
	switch {
	case !subset(b.Privileges, parent.Privileges, func(p, of Pattern) bool { return of.Covers(p) }):
		return At("/privileges", ErrDelegationWider)
	case !subset(b.Roles, parent.Roles, func(r, of RoleID) bool { return r == of }):
		return At("/roles", ErrDelegationWider)
	case !subset(b.Apps, parent.Apps, func(a, of App) bool { return a == of }):
		return At("/apps", ErrDelegationWider)
	case !subset(b.Resources, parent.Resources, func(s, of Scope) bool { return s == of }):
		return At("/resources", ErrDelegationWider)
	}
	return nil
}

// subset reports whether each of some lies within one of all. None are everything, on either side.
func subset[T any](some, all []T, within func(T, T) bool) bool {
	return len(all) == 0 || len(some) > 0 && !slices.ContainsFunc(some, func(s T) bool {
		return !slices.ContainsFunc(all, func(a T) bool { return within(s, a) })
	})
}

// Inheriting takes from the parent whatever is left open, so that the record of a delegation says all that narrows it.
func (b Bounds) Inheriting(parent Bounds) Bounds {
	if len(b.Privileges) == 0 {
		b.Privileges = parent.Privileges
	}
	if len(b.Roles) == 0 {
		b.Roles = parent.Roles
	}
	if len(b.Apps) == 0 {
		b.Apps = parent.Apps
	}
	if len(b.Resources) == 0 {
		b.Resources = parent.Resources
	}
	return b
}

// Within refuses terms by which a delegation would be worth more than the one that it hands on.
func (e DelegationGranted) Within(parent DelegationGranted) error {
	switch {
	case parent.Redelegations == 0:
		return At("/parent_id", ErrDelegationFinal)
	case e.Redelegations >= parent.Redelegations:
		return At("/redelegations", ErrDelegationWider)
	case e.Window.From.Before(parent.Window.From):
		return At("/from", ErrDelegationWider)
	case !parent.Window.Until.IsZero() && (e.Window.Until.IsZero() || e.Window.Until.After(parent.Window.Until)):
		return At("/until", ErrDelegationWider)
	}
	return e.Bounds.within(parent.Bounds)
}

// Tenants are those that a delegation concerns, and in which it is recorded: first the one in which it gives rights.
func (e DelegationGranted) Tenants() []TenantID {
	all := []TenantID{e.Tenant.Tenant()}
	for _, home := range []HomeID{e.GrantorTenant, e.DelegateTenant} {
		if t := home.Tenant(); !slices.Contains(all, t) {
			all = append(all, t)
		}
	}
	return all
}

// Delegation is what decisions need to know of one.
type Delegation struct {
	Terms    DelegationGranted
	Accepted bool
	Ended    bool // declined, revoked or expired
}

// Known reports whether there ever was one.
func (d Delegation) Known() bool { return !d.Terms.Delegation.IsZero() }

// InForce reports whether it is accepted and its window is open at that time; whether those above it are, it does not know.
func (d Delegation) InForce(at time.Time) bool {
	return d.Accepted && !d.Ended && d.Terms.Window.Contains(at)
}

// DelegationOf is one delegation. It hears every tenant, in each of which it is recorded alike; who may know of it, decisions judge.
func DelegationOf(id DelegationID) *dcb.Fact[Delegation] {
	return dcb.Ask(Delegation{}, tags(id),
		dcb.On(func(d *Delegation, e DelegationGranted) {
			if e.Delegation == id { // it may merely be above e
				d.Terms = e
			}
		}),
		dcb.On(func(d *Delegation, _ DelegationAccepted) { d.Accepted = true }),
		dcb.On(func(d *Delegation, _ DelegationDeclined) { d.Ended = true }),
		dcb.On(func(d *Delegation, _ DelegationRevoked) { d.Ended = true }),
		dcb.On(func(d *Delegation, _ DelegationExpired) { d.Ended = true }),
	).Anywhere()
}

// DelegationsBelow are all that ever rested on one, whatever became of them; what stands above another comes before it. The records of
// one event in several tenants follow one another.
func DelegationsBelow(id DelegationID) *dcb.Fact[[]DelegationID] {
	return dcb.Ask([]DelegationID(nil), tags(id),
		dcb.On(func(ids *[]DelegationID, e DelegationGranted) {
			if last := len(*ids) - 1; e.Delegation != id && (last < 0 || (*ids)[last] != e.Delegation) {
				*ids = append(*ids, e.Delegation)
			}
		}),
	).Anywhere()
}

// Delegations are those that stand: offered or accepted, and not ended. Their windows may be over.
type Delegations map[DelegationID]Delegation

// DelegationsOf are those in which a user is the grantor or the delegate, in whichever tenant they give rights.
func DelegationsOf(u UserID) *dcb.Fact[Delegations] {
	return dcb.Ask(Delegations{}, tags(u),
		dcb.On(func(ds *Delegations, e DelegationGranted) { (*ds)[e.Delegation] = Delegation{Terms: e} }),
		dcb.On(func(ds *Delegations, e DelegationAccepted) {
			if d, stands := (*ds)[e.Delegation]; stands {
				d.Accepted = true
				(*ds)[e.Delegation] = d
			}
		}),
		dcb.On(func(ds *Delegations, e DelegationDeclined) { delete(*ds, e.Delegation) }),
		dcb.On(func(ds *Delegations, e DelegationRevoked) { delete(*ds, e.Delegation) }),
		dcb.On(func(ds *Delegations, e DelegationExpired) { delete(*ds, e.Delegation) }),
	).Anywhere()
}
