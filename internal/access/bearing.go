package access

import (
	"time"

	"chancery/domain"
)

// bearing is how somebody stands in the tenant that a question is about: by themselves, or for somebody else.
type bearing struct {
	actor *user   // who acts
	u     *user   // with whose rights: the actor's own unless they act for somebody else
	t     *tenant // asked about
	at    time.Time

	home  bool    // it is u's own
	away  bool    // u is of the platform: what they were assigned on the whole of root counts here too, and the tenant's own state and overrides do not bind it
	guest *grants // what groups of t give to u, who is of another tenant

	under   *delegation
	session *impersonation // acted in
}

// bear finds out how the user of a question stands there. A reason says why they may do nothing at all.
func (x *Index) bear(b *bearing, q *Question) (why Reason) {
	b.t, b.at = x.tenants[q.where()], q.At
	if b.actor, why = x.present(q.User); why != "" {
		return why
	}
	b.u = b.actor
	switch {
	case q.Delegation.IsZero() && q.Impersonation.IsZero():
	case q.Impersonation.IsZero():
		b.under, b.u, why = x.under(q.Delegation, q.User, q.At)
	case q.Delegation.IsZero():
		b.session, b.u, why = x.inSession(q.Impersonation, q.User, q.At)
	default:
		why = ActingTwice
	}
	if why != "" {
		return why
	}
	return x.place(b, !q.acts())
}

// uses is who makes use of the rights, in the eyes of constraints: a delegate does, and has duties of their own; in a session it is the
// target, as whom it is done.
func (b *bearing) uses() *user {
	if b.session != nil {
		return b.u
	}
	return b.actor
}

// byRoles are the bounds by role of what is acted under: only what roles give counts then.
func (b *bearing) byRoles() [][]domain.RoleID {
	if b.under == nil {
		return nil
	}
	return b.under.byRoles
}

// place finds out what the tenant is to u. What somebody may do as a guest, nobody does for them; and a session is bound to its tenant.
func (x *Index) place(b *bearing, guests bool) Reason { //nolint:cyclop // one case for each standing
	t, home := b.t, b.u.home
	if home == t {
		b.home = true
		return ""
	}
	b.away = home == x.root && b.session == nil
	switch {
	case !b.away && (t == nil || !guests):
		return TenantForeign
	case t == nil || t.status == domain.TenantUnknown && b.away:
		return TenantUnknown
	case guests:
		b.guest = x.guestGrants(b.u, t)
	}
	switch {
	case b.guest == nil && !b.away:
		return TenantForeign
	case b.guest != nil && t.status != domain.TenantActive && !b.away:
		return HomeInactive
	case t.status != domain.TenantActive:
		b.guest = nil
	}
	return ""
}

// present is the user if they and their tenant are active.
func (x *Index) present(id domain.UserID) (*user, Reason) {
	u := x.users[id]
	switch {
	case u == nil:
		return nil, SubjectUnknown
	case u.status != domain.UserActive:
		return nil, SubjectInactive
	case u.home.status != domain.TenantActive:
		return nil, HomeInactive
	}
	return u, ""
}

func (u *user) active() bool {
	return u != nil && u.status == domain.UserActive && u.home.status == domain.TenantActive
}
