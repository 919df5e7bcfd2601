package commands

import (
	"slices"
	"time"

	"github.com/google/uuid"

	"chancery/domain"
	"chancery/internal/dcb"
)

// GrantDelegation offers somebody to act with rights of the caller, or to act on with those that the caller was delegated. It gives
// nothing before it is accepted.
type GrantDelegation struct {
	ID             domain.DelegationID `json:"id,omitzero" description:"id of the new delegation; made if absent"`
	Delegate       domain.UserID       `json:"delegate_user_id" required:"true" description:"who is to act for the caller"`
	DelegateTenant string              `json:"delegate_tenant,omitzero" description:"id or slug of the delegate's tenant; the caller's own if absent"`
	Parent         domain.DelegationID `json:"parent_id,omitzero" description:"the delegation that is handed on, of which the caller is the delegate; absent: the caller's own rights"`
	Privileges     []domain.Pattern    `json:"privileges,omitzero" description:"only these privileges or patterns; all if absent"`
	Roles          []domain.RoleID     `json:"roles,omitzero" description:"only what the grantor has by one of these roles; whatever they may if absent"`
	Apps           []domain.App        `json:"apps,omitzero" description:"only privileges of these apps; of all if absent"`
	Resources      []domain.Scope      `json:"resources,omitzero" description:"only on these resources, each as type:id; everywhere if absent"`
	From           time.Time           `json:"from,omitzero" description:"when it begins; at once if absent"`
	Until          time.Time           `json:"until,omitzero" description:"when it ends; only where one is handed on it may be absent, and is that one's end"`
	Redelegations  int                 `json:"redelegations,omitzero" description:"how many more times it may be handed on; not at all if absent"`
	Reason         string              `json:"reason,omitzero" description:"why, for the record; each tenant that it concerns can read it"`
}

func (c *GrantDelegation) NewID() *uuid.UUID { return &c.ID.UUID }
func (c GrantDelegation) Target() dcb.Tagger { return c.ID }

func (c GrantDelegation) Decide(env Env) dcb.Decision {
	if env.acting() {
		return refused(domain.ErrActing)
	}
	g := &granting{GrantDelegation: c, env: env}
	return dcb.From(g.facts()...).Then(g.next).Decide(func() ([]dcb.Event, error) {
		if err := g.refusal(); err != nil {
			return nil, err
		}
		if g.approval.needed() {
			asked := g.approval.requested(domain.ApprovalRequested{User: c.Delegate, Delegation: g.terms, Reason: c.Reason})
			return dcb.Emit(dcb.In(g.terms.Tenant.UUID, asked))
		}
		return copies(g.terms, g.terms), nil
	})
}

// granting is a delegation before it is offered.
type granting struct {
	GrantDelegation
	env      Env
	used     *dcb.Fact[bool]
	slug     *dcb.Fact[uuid.UUID]         // who has it; nil where none is given
	parent   *dcb.Fact[domain.Delegation] // nil where nothing is handed on
	roles    []*dcb.Fact[domain.Role]
	offer    *offer
	terms    domain.DelegationGranted
	approval *approval
}

func (g *granting) facts() []dcb.AnyFact {
	g.used = domain.Used[domain.DelegationGranted](g.ID)
	facts := []dcb.AnyFact{g.used}
	if _, slug := g.tenant(); slug != "" {
		g.slug = domain.SlugHolder(slug)
		facts = append(facts, g.slug)
	}
	if !g.Parent.IsZero() {
		g.parent = domain.DelegationOf(g.Parent)
		facts = append(facts, g.parent)
	}
	for _, id := range g.Roles {
		f := domain.RoleOf(id).Anywhere()
		g.roles, facts = append(g.roles, f), append(facts, f)
	}
	return facts
}

// tenant is the delegate's as it is named: by its id or by a slug.
func (g *granting) tenant() (domain.TenantID, domain.Slug) {
	id, err := uuid.Parse(g.DelegateTenant)
	switch {
	case g.DelegateTenant == "":
		return g.env.Tenant, ""
	case err == nil:
		return domain.TenantID{UUID: id}, ""
	}
	return domain.TenantID{}, domain.Slug(g.DelegateTenant)
}

// next asks what the terms rest on, once they are known.
func (g *granting) next() []dcb.AnyFact {
	switch {
	case !g.mayHandOn():
		return nil
	case g.offer != nil:
		return append(g.offer.next(), g.approval.next()...)
	}
	g.terms = g.draft()
	g.offer = g.env.offer(g.terms)
	g.approval = g.env.approval(g.terms.Tenant.Tenant(), domain.ApprovalID{UUID: g.ID.UUID}, giving{g.terms.Bounds.Roles, g.terms.Bounds.Patterns()})
	return append(g.offer.facts(), g.approval.facts()...)
}

// mayHandOn reports whether what is handed on was delegated to the caller.
func (g *granting) mayHandOn() bool {
	return g.parent == nil || g.env.Mine(g.parent.Value.Terms.Delegate)
}

func (g *granting) draft() domain.DelegationGranted {
	own, _ := g.tenant()
	if g.slug != nil {
		if own.UUID = g.slug.Value; own.IsZero() { // a tenant that is not, like any other whose delegate is not to be had
			own.UUID = domain.NamedID(domain.Root, "no-tenant", g.DelegateTenant)
		}
	}
	here := domain.HomeIn(g.env.Tenant)
	t := domain.DelegationGranted{
		Delegation: g.ID, Tenant: here, Grantor: g.env.Rights.Actor(), GrantorTenant: here, Delegate: g.Delegate, DelegateTenant: domain.HomeIn(own),
		Bounds: domain.Bounds{Privileges: unique(g.Privileges), Roles: unique(g.Roles), Apps: unique(g.Apps), Resources: unique(g.Resources)},
		Window: domain.Window{From: moment(g.From), Until: moment(g.Until)}, Redelegations: g.Redelegations, Reason: g.Reason,
	}
	if t.Window.From.IsZero() {
		t.Window.From = g.env.Now
	}
	if g.parent != nil {
		above := g.parent.Value.Terms
		t.Parent, t.Tenant, t.Chain = g.Parent, above.Tenant, append(slices.Clone(above.Chain), g.Parent)
		t.Bounds = t.Bounds.Inheriting(above.Bounds)
		if t.Window.Until.IsZero() {
			t.Window.Until = above.Window.Until
		}
	}
	return t
}

// moment is a time as the tables keep it, so that it is over in both at once.
func moment(t time.Time) time.Time {
	if t.IsZero() {
		return t
	}
	return t.UTC().Truncate(time.Microsecond)
}

func (g *granting) refusal() error {
	if err := g.malformed(); err != nil {
		return err
	}
	switch {
	case g.env.Self(g.Delegate):
		return domain.At("/delegate_user_id", domain.ErrSelf)
	case g.used.Value || g.approval.used():
		return domain.At("/id", domain.ErrIDTaken)
	}
	if err := g.offer.refusal(); err != nil {
		return err
	}
	for _, f := range g.roles {
		if home := f.Value.Tenant; !f.Value.Exists || home != g.terms.Tenant.Tenant() && home != domain.Root {
			return domain.At("/roles", domain.ErrRoleUnknown)
		}
	}
	if g.parent != nil {
		if err := g.terms.Within(g.parent.Value.Terms); err != nil {
			return err
		}
	}
	return g.beyond()
}

func (g *granting) malformed() error {
	_, slug := g.tenant()
	switch {
	case slug != "" && slug.Check("/delegate_tenant") != nil:
		return slug.Check("/delegate_tenant")
	case g.Redelegations < 0 || g.Redelegations >= domain.MaxChain:
		return domain.Invalid("/redelegations", "must be a number from 0 to %d", domain.MaxChain-1)
	case !g.mayHandOn():
		return domain.At("/parent_id", domain.ErrDelegationUnknown)
	case g.terms.Window.Until.IsZero():
		return domain.Invalid("/until", "must be given")
	}
	return domain.FirstError(g.terms.Bounds.Check(), g.terms.Window.Check(g.env.Now), domain.CheckText("/reason", g.Reason))
}

// beyond refuses what is more than this very request may do: a token that was issued for less, or for a time, hands out no more.
func (g *granting) beyond() error {
	privileges := g.terms.Bounds.Patterns()
	if len(privileges) == 0 {
		privileges = []domain.Pattern{domain.Everything}
	}
	switch {
	case !g.env.Rights.WithinCeiling(privileges):
		return domain.At("/privileges", domain.ErrMayNotGive)
	case g.env.outlives(g.terms.Window.Until):
		return domain.At("/until", domain.ErrMayNotGive)
	}
	return nil
}

// AcceptDelegation puts a delegation into force. Only the delegate can, in their own tenant.
type AcceptDelegation struct {
	ID domain.DelegationID `json:"id" required:"true" description:"the delegation"`
}

func (c AcceptDelegation) Target() dcb.Tagger { return c.ID }

func (c AcceptDelegation) Decide(env Env) dcb.Decision {
	if env.acting() {
		return refused(domain.ErrActing)
	}
	d, o := domain.DelegationOf(c.ID), (*offer)(nil)
	return dcb.From(d).Then(func() []dcb.AnyFact {
		switch {
		case !env.offered(d.Value):
			return nil
		case o != nil:
			return o.next()
		}
		o = env.offer(d.Value.Terms)
		return o.facts()
	}).Decide(func() ([]dcb.Event, error) {
		t := d.Value.Terms
		switch {
		case !env.offered(d.Value):
			return nil, domain.At("/id", domain.ErrDelegationUnknown)
		case d.Value.Ended || t.Window.Over(env.Now):
			return nil, domain.ErrDelegationOver
		case d.Value.Accepted:
			return nil, nil
		case o.loose() != nil:
			return nil, domain.ErrDelegationLoose
		}
		if err := o.apart(); err != nil {
			return nil, err
		}
		accepted := domain.DelegationAccepted{Delegation: c.ID, Tenant: t.Tenant, Grantor: t.Grantor, Delegate: t.Delegate}
		all := copies(t, accepted)
		accepted.Judged = o.duties.judged()
		all[0] = dcb.In(t.Tenant.UUID, accepted)
		return all, nil
	})
}

// offered reports whether the caller is the delegate, at home. Nobody else answers for them, whatever they may.
func (env Env) offered(d domain.Delegation) bool {
	return env.Mine(d.Terms.Delegate) && d.Terms.DelegateTenant.Tenant() == env.Tenant
}

// DeclineDelegation refuses to act for somebody. Only the delegate can, in their own tenant.
type DeclineDelegation struct {
	ID     domain.DelegationID `json:"id" required:"true" description:"the delegation"`
	Reason string              `json:"reason,omitzero" description:"why, for the record; each tenant that it concerns can read it"`
}

func (c DeclineDelegation) Target() dcb.Tagger { return c.ID }

func (c DeclineDelegation) Decide(env Env) dcb.Decision {
	if env.acting() {
		return refused(domain.ErrActing)
	}
	d := domain.DelegationOf(c.ID)
	return dcb.From(d).Decide(func() ([]dcb.Event, error) {
		if err := domain.CheckText("/reason", c.Reason); err != nil {
			return nil, err
		}
		t := d.Value.Terms
		switch {
		case !env.offered(d.Value):
			return nil, domain.At("/id", domain.ErrDelegationUnknown)
		case d.Value.Ended:
			return nil, nil
		case d.Value.Accepted:
			return nil, domain.ErrDelegationAccepted
		}
		return copies(t, domain.DelegationDeclined{Delegation: c.ID, Tenant: t.Tenant, Grantor: t.Grantor, Delegate: t.Delegate, Reason: c.Reason}), nil
	})
}
