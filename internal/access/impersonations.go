package access

import (
	"crypto/sha256"
	"slices"
	"time"

	"chancery/domain"
	"chancery/internal/dcb"
)

// impersonation is one that was asked for or started, recorded in the target's tenant. One that is over is kept: its token can
// still be shown, to end it.
type impersonation struct {
	id           domain.ImpersonationID
	home         *tenant // the target's
	admin        party
	target       party
	scopes       []domain.Pattern // never nil once started
	hash         []byte
	session      domain.SessionID // of the administrator, in which it was started
	token        domain.TokenID   // or their token by which it was
	needsConsent bool
	expiresAt    time.Time

	askedAt, consentedAt, startedAt, endedAt int64
}

// Why an impersonation gives nothing.
const (
	ImpersonationUnknown   Reason = "impersonation-unknown" // there is none, it was not started, or it is not the subject's
	ImpersonationOver      Reason = "impersonation-over"
	ImpersonationForbidden Reason = "impersonation-forbidden" // by the policy of the target's tenant
	TargetInactive         Reason = "target-inactive"         // or their tenant
	ImpersonationBaseless  Reason = "impersonation-baseless"  // the administrator's own session or token by which it was started is not accepted any more
	ImpersonationUnearned  Reason = "impersonation-unearned"  // the administrator may not impersonate any more
	ImpersonationUncovered Reason = "impersonation-uncovered" // the target has a right by now that the administrator lacks
)

// StartImpersonation is the privilege to act as users who have no right that one lacks.
const StartImpersonation domain.Privilege = "core.impersonations.start"

func (x *Index) foldImpersonation(t *tenant, event dcb.Event, at int64) {
	change := func(id domain.ImpersonationID, fn func(i *impersonation)) {
		if i := x.impersonations[id]; i != nil && i.home == t && i.endedAt == 0 {
			fn(i)
		}
	}
	end := func(i *impersonation) { i.endedAt = at }
	switch e := event.(type) {
	case domain.ImpersonationRequested:
		if x.impersonations[e.Impersonation] == nil {
			x.impersonations[e.Impersonation] = &impersonation{
				id: e.Impersonation, home: t, askedAt: at, admin: party{e.Admin, e.AdminTenant.Tenant()}, target: party{e.Target, t.id},
			}
		}
	case domain.ImpersonationConsented:
		change(e.Impersonation, func(i *impersonation) {
			if i.consentedAt == 0 {
				i.consentedAt = at
			}
		})
	case domain.ImpersonationStarted:
		x.impersonate(t, e, at)
	case domain.ImpersonationRefused:
		change(e.Impersonation, end)
	case domain.ImpersonationEnded:
		change(e.Impersonation, end)
	case domain.ImpersonationExpired:
		// Its end is judged when asked.
	}
}

// impersonate hears that a session starts: one of the two who were named when it was asked for, if it was.
func (x *Index) impersonate(t *tenant, e domain.ImpersonationStarted, at int64) {
	i := x.impersonations[e.Impersonation]
	if i == nil {
		i = &impersonation{id: e.Impersonation, home: t, admin: party{e.Admin, e.AdminTenant.Tenant()}, target: party{e.Target, t.id}}
		x.impersonations[i.id] = i
	}
	if i.home != t || i.startedAt > 0 || i.endedAt > 0 || i.admin.id != e.Admin || i.target.id != e.Target {
		return
	}
	i.startedAt, i.hash, i.session, i.token, i.expiresAt = at, slices.Clone(e.Hash), e.Session, e.Token, e.ExpiresAt
	i.scopes = slices.Clip(append([]domain.Pattern{}, e.Scopes...))
	x.partner(t, e.AdminTenant)
	i.needsConsent = e.Consent != domain.Allowed
}

// inSession is the session that is the administrator's and in force, and whom they act as. Whether it may still go on is another
// question, which AuthenticateImpersonation asks.
func (x *Index) inSession(id domain.ImpersonationID, admin domain.UserID, at time.Time) (*impersonation, *user, Reason) {
	i := x.impersonations[id]
	if i == nil || i.startedAt == 0 || i.admin.id != admin || i.admin.home != x.users[admin].home.id {
		return nil, nil, ImpersonationUnknown
	}
	target := x.who(&i.target)
	switch {
	case i.endedAt > 0 || !at.Before(i.expiresAt):
		return nil, nil, ImpersonationOver
	case !target.active() || target.home != i.home:
		return nil, nil, TargetInactive
	case i.home.setting(domain.ImpersonationWord).value == domain.Forbade:
		return nil, nil, ImpersonationForbidden
	}
	return i, target, ""
}

// spares reports whether a session is for all of p.
func (i *impersonation) spares(p domain.Pattern) bool {
	return covers(i.scopes, p) && !meets(domain.NeverImpersonated, p) && !meets(i.home.neverImpersonated, p)
}

// spares reports whether a session is for what is wanted, and its administrator may do that alone.
func (x *Index) spares(b *bearing, w *want) bool {
	if !b.session.spares(w.pattern) {
		return false
	}
	alone := bearing{actor: b.actor, u: b.actor, t: b.t, at: b.at}
	return x.place(&alone, false) == "" && x.weigh(&alone, &want{w.pattern, w.scope, nil, w.wholly}).allows()
}

// AuthenticateImpersonation tells who presents the token of an impersonation whose hash is hash, and for whom. All that the
// impersonation rests on is asked again: both users, their tenants, the policy, the administrator's rights, and the session or the
// token by which they started it, which is not in use by that. Errors: *Rejection.
func (x *Index) AuthenticateImpersonation(id domain.ImpersonationID, hash [sha256.Size]byte, now time.Time) (Caller, error) {
	x.mu.RLock()
	defer x.mu.RUnlock()
	i := x.impersonations[id]
	if i == nil {
		return Caller{}, compare(nil, hash)
	}
	if err := compare(i.hash, hash); err != nil {
		return Caller{}, err
	}
	admin, why := x.present(i.admin.id)
	if why == "" {
		_, _, why = x.inSession(id, admin.id, now)
	}
	if why == "" {
		why = x.entitled(i, admin, now)
	}
	if why != "" {
		return Caller{}, &Rejection{why}
	}
	return Caller{
		User: admin.id, Tenant: admin.home.id, For: i.target.id, ForTenant: i.home.id, Impersonation: i.id, Scopes: i.scopes, ExpiresAt: i.expiresAt,
	}, nil
}

// entitled tells why the administrator could not start it now; empty if they could.
func (x *Index) entitled(i *impersonation, admin *user, now time.Time) Reason {
	asks := i.needsConsent || i.home.setting(domain.ImpersonationWord).value != domain.Allowed
	if asks && i.consentedAt == 0 {
		return ImpersonationForbidden
	}
	own := Caller{User: admin.id, Tenant: admin.home.id}
	switch s, k := x.sessions[i.session], x.tokens[i.token]; {
	case s != nil && s.user == admin.id && x.sessionOver(s, now) == "":
		own.Scopes = s.scopes
	case k != nil && k.user == admin.id && k.over(now) == "":
		own.Scopes = k.scopes
	default:
		return ImpersonationBaseless
	}
	r := &Rights{x, own, i.home.id, now}
	switch {
	case admin.home != i.home && admin.home != x.root: // nobody uses what they have as a guest
		return ImpersonationUnearned
	case !r.holds(domain.Pattern(StartImpersonation), ""):
		return ImpersonationUnearned
	case !r.covers(i.target.id):
		return ImpersonationUncovered
	}
	return ""
}

// OwnImpersonation is who holds the token of an impersonation, whatever has become of it: enough to end it, and nothing else.
func (x *Index) OwnImpersonation(id domain.ImpersonationID, hash [sha256.Size]byte) (Caller, error) {
	x.mu.RLock()
	defer x.mu.RUnlock()
	i := x.impersonations[id]
	if i == nil {
		return Caller{}, compare(nil, hash)
	}
	if err := compare(i.hash, hash); err != nil {
		return Caller{}, err
	}
	return Caller{
		User: i.admin.id, Tenant: i.admin.home, For: i.target.id, ForTenant: i.home.id, Impersonation: i.id, Scopes: []domain.Pattern{}, ExpiresAt: i.expiresAt,
	}, nil
}
