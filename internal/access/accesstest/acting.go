package accesstest

import (
	"slices"
	"strings"
	"time"

	"chancery/domain"
	"chancery/internal/dcb"
)

// delegationFile stands in the tenant in which the delegation gives rights. It is accepted unless it says else.
type delegationFile struct {
	By         string       `yaml:"by"`
	To         string       `yaml:"to"`
	Under      string       `yaml:"under"` // the delegation that it hands on
	Privileges []string     `yaml:"privileges"`
	Roles      []string     `yaml:"roles"`
	Apps       []string     `yaml:"apps"`
	On         []string     `yaml:"on"`
	From       time.Time    `yaml:"from"`
	Until      time.Time    `yaml:"until"`
	Handed     int          `yaml:"handed"` // how many more times it may be handed on
	State      string       `yaml:"state"`  // offered, accepted, declined or revoked
	Approval   approvalFile `yaml:"approval"`

	// What no command does.
	Above  []string `yaml:"above"`  // the chain it claims, where it is not that of Under
	Copies []string `yaml:"copies"` // the tenants in which alone it is recorded
	Says   string   `yaml:"says"`   // the tenant that it claims to give rights in
}

// impersonationFile stands in the tenant of the target. It is started unless it says else.
type impersonationFile struct {
	Admin   string    `yaml:"admin"`
	Target  string    `yaml:"target"`
	Scopes  []string  `yaml:"scopes"`
	Token   string    `yaml:"token"` // of the admin, by which it was started
	Expires time.Time `yaml:"expires"`
	Agreed  bool      `yaml:"agreed"` // it was asked for and consented to before it started
	State   string    `yaml:"state"`  // requested, consented, refused, started or ended
}

type constraintFile struct {
	Kind     string   `yaml:"kind"`
	Roles    []string `yaml:"roles"`
	Most     int      `yaml:"most"`
	Requires string   `yaml:"requires"`
}

// cross writes down what leads from one tenant into another.
func (w *World) cross(t string, f *tenantFile) {
	for group, members := range inOrder(f.Outside) {
		for name, role := range inOrder(members) {
			w.invite(t, group, name, role)
		}
	}
	done := map[string]bool{}
	var grant func(name string)
	grant = func(name string) {
		d, known := f.Delegations[name]
		if done[name] || !known {
			return
		}
		done[name] = true
		grant(d.Under)
		w.grant(t, name, d)
	}
	for name := range inOrder(f.Delegations) {
		grant(name)
	}
	for name, i := range inOrder(f.Impersonations) {
		w.impersonate(t, name, i)
	}
}

func (w *World) invite(t, group, name, role string) {
	home, _ := w.home(t, name)
	user, id := w.user(t, name), domain.InvitationID{UUID: w.outside(t, name, group).UUID}
	office := domain.GroupRole(role)
	if office == domain.Owner { // nobody is invited as one
		office = domain.Maintainer
	}
	for _, in := range once(t, home) {
		w.add(in, domain.InvitationSent{
			Invitation: id, Group: w.group(t, group), GroupTenant: domain.HomeIn(w.Tenant(t)), User: user, UserTenant: domain.HomeIn(w.Tenant(home)),
			Role: office, ExpiresAt: w.file.Recorded.AddDate(0, 0, 7),
		})
	}
	for _, in := range once(t, home) {
		w.add(in, domain.InvitationAccepted{Invitation: id, Group: w.group(t, group), User: user, Membership: w.outside(t, name, group)})
	}
	w.add(t, domain.MemberAdded{
		Membership: w.outside(t, name, group), Group: w.group(t, group), User: user, Role: office,
		Home: domain.HomeIn(w.Tenant(home)), Invitation: id,
	})
	if office != domain.GroupRole(role) {
		w.add(t, domain.MemberRoleChanged{
			Membership: w.outside(t, name, group), Group: w.group(t, group), User: user, Role: domain.GroupRole(role), Was: office,
		})
	}
}

func (w *World) grant(t, name string, d delegationFile) {
	e := w.granted(t, name)
	if d.Approval.By != "" {
		id := domain.ApprovalID{UUID: e.Delegation.UUID}
		w.add(t, domain.ApprovalRequested{
			Approval: id, By: w.user(t, d.Approval.By), User: e.Delegate, Delegation: e, ExpiresAt: w.file.Recorded.AddDate(0, 0, 1),
		})
		if d.Approval.Given == "" {
			return
		}
		w.add(t, domain.ApprovalGiven{Approval: id, By: w.user(t, d.Approval.Given)})
	}
	for _, in := range w.concerned(t, d) {
		w.add(in, e)
	}
	switch d.State {
	case "", "accepted":
		w.all(w.answer(t, "accept", name))
	case "declined":
		w.all(w.answer(t, "decline", name))
	case "revoked":
		w.all(w.answer(t, "accept", name))
		w.all(w.answer(t, "revoke", name))
	case "offered":
	default:
		w.lost["state "+d.State] = true
	}
}

func (w World) granted(t, name string) domain.DelegationGranted {
	d := w.file.Tenants[t].Delegations[name]
	grantorHome, _ := w.home(t, d.By)
	delegateHome, _ := w.home(t, d.To)
	e := domain.DelegationGranted{
		Delegation: w.delegation(t, name), Tenant: domain.HomeIn(w.Tenant(w.says(t, d))),
		Grantor: w.user(t, d.By), GrantorTenant: domain.HomeIn(w.Tenant(grantorHome)),
		Delegate: w.user(t, d.To), DelegateTenant: domain.HomeIn(w.Tenant(delegateHome)),
		Parent: w.delegation(t, d.Under), Bounds: domain.Bounds{Roles: w.roles(t, d.Roles)},
		Window: domain.Window{From: d.From, Until: d.Until}, Redelegations: d.Handed, Reason: name,
	}
	above := d.Above
	for up := d.Under; d.Above == nil && up != "" && !slices.Contains(above, up); up = w.file.Tenants[t].Delegations[up].Under {
		above = append([]string{up}, above...)
	}
	for _, a := range above {
		e.Chain = append(e.Chain, w.delegation(t, a))
	}
	for _, p := range d.Privileges {
		e.Bounds.Privileges = append(e.Bounds.Privileges, domain.Pattern(p))
	}
	for _, a := range d.Apps {
		e.Bounds.Apps = append(e.Bounds.Apps, domain.App(a))
	}
	for _, s := range d.On {
		e.Bounds.Resources = append(e.Bounds.Resources, w.scope(t, s))
	}
	return e
}

func (w World) says(t string, d delegationFile) string {
	if d.Says != "" {
		return d.Says
	}
	return t
}

// concerned are the tenants that hold a copy, the one in which it gives rights first.
func (w World) concerned(t string, d delegationFile) []string {
	if d.Copies != nil {
		return d.Copies
	}
	by, _ := w.home(t, d.By)
	to, _ := w.home(t, d.To)
	return once(t, by, to)
}

// answer is what becomes of a delegation, in each tenant concerned.
func (w World) answer(t, verb, name string) []placed {
	d := w.file.Tenants[t].Delegations[name]
	id, in := w.delegation(t, name), domain.HomeIn(w.Tenant(w.says(t, d)))
	by, to := w.user(t, d.By), w.user(t, d.To)
	var e dcb.Event
	switch verb {
	case "accept":
		e = domain.DelegationAccepted{Delegation: id, Tenant: in, Grantor: by, Delegate: to}
	case "decline":
		e = domain.DelegationDeclined{Delegation: id, Tenant: in, Grantor: by, Delegate: to}
	case "revoke":
		e = domain.DelegationRevoked{Delegation: id, Tenant: in, Grantor: by, Delegate: to}
	case "expire":
		e = domain.DelegationExpired{Delegation: id, Tenant: in, Grantor: by, Delegate: to}
	}
	var all []placed
	for _, copied := range w.concerned(t, d) {
		all = append(all, placed{copied, e})
	}
	return all
}

func (w *World) impersonate(t, name string, i impersonationFile) {
	id, admin, target := w.impersonation(t, name), w.user(t, i.Admin), w.user(t, i.Target)
	adminHome, _ := w.home(t, i.Admin)
	home := domain.HomeIn(w.Tenant(adminHome))
	if i.Agreed || slices.Contains([]string{"requested", "consented", "refused"}, i.State) {
		w.add(t, domain.ImpersonationRequested{
			Impersonation: id, Admin: admin, AdminTenant: home, Target: target, Reason: name, Minutes: 60, ExpiresAt: orFar(i.Expires),
		})
	}
	switch i.State {
	case "requested":
		return
	case "consented":
		w.add(t, domain.ImpersonationConsented{Impersonation: id, Admin: admin, Target: target, By: target})
		return
	case "refused":
		w.add(t, domain.ImpersonationRefused{Impersonation: id, Admin: admin, Target: target, By: target})
		return
	}
	consent := domain.Allowed
	if i.Agreed {
		consent = domain.OnRequest
		w.add(t, domain.ImpersonationConsented{Impersonation: id, Admin: admin, Target: target, By: target})
	}
	hash := w.Secret(domain.TokenID(id))
	e := domain.ImpersonationStarted{
		Impersonation: id, Admin: admin, AdminTenant: home, Target: target, Scopes: patterns(i.Scopes), Reason: name, Hash: hash[:],
		Consent: consent, ExpiresAt: orFar(i.Expires),
	}
	if i.Scopes == nil {
		e.Scopes = []domain.Pattern{domain.Everything}
	}
	if i.Token != "" {
		tokenHome, token := w.home(t, i.Token)
		e.Token = domain.TokenID{UUID: w.id(tokenHome, "token", token)}
	}
	w.add(t, e)
	if i.State == "ended" {
		w.add(t, domain.ImpersonationEnded{Impersonation: id, Admin: admin, Target: target})
	}
}

func (w World) setting(t, key, value string) domain.PolicySet {
	s, known := domain.SettingOf(key)
	if !known {
		w.lost["setting "+key] = true
	}
	return domain.PolicySet{Policy: s.ID(w.Tenant(t)), Key: key, Value: value, Version: 1}
}

func (w World) roles(t string, names []string) []domain.RoleID {
	var all []domain.RoleID
	for _, n := range names {
		all = append(all, w.role(t, n))
	}
	return all
}

// outside is the membership of a user of another tenant.
func (w World) outside(t, user, group string) domain.MembershipID {
	return w.membership(t, strings.ReplaceAll(user, "/", " of "), group)
}

func (w World) delegation(t, n string) domain.DelegationID {
	return domain.DelegationID{UUID: w.id(t, "delegation", n)}
}

func (w World) impersonation(t, n string) domain.ImpersonationID {
	return domain.ImpersonationID{UUID: w.id(t, "impersonation", n)}
}

func (w World) constraint(t, n string) domain.ConstraintID {
	return domain.ConstraintID{UUID: w.id(t, "constraint", n)}
}

// placed is an event and the tenant that it is recorded in.
type placed struct {
	tenant string
	event  dcb.Event
}

func (w *World) all(events []placed) {
	for _, e := range events {
		w.add(e.tenant, e.event)
	}
}

func once(names ...string) []string {
	var out []string
	for _, n := range names {
		if !slices.Contains(out, n) {
			out = append(out, n)
		}
	}
	return out
}
