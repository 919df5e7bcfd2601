package domain

import (
	"time"

	"chancery/internal/dcb"
)

// ImpersonationRequested asks for the consent to act as a user.
type ImpersonationRequested struct {
	Impersonation ImpersonationID `json:"impersonation"`
	Admin         UserID          `json:"admin"` // who wants to act as the target
	AdminTenant   HomeID          `json:"admin_tenant"`
	Target        UserID          `json:"target"`
	Reason        string          `json:"reason"`
	Reference     string          `json:"reference,omitzero"` // of a ticket elsewhere
	Minutes       int             `json:"minutes"`
	ExpiresAt     time.Time       `json:"expires_at"` // until when it may be consented to and started
}

// ImpersonationConsented allows it: the target did, or an administrator of their tenant.
type ImpersonationConsented struct {
	Impersonation ImpersonationID `json:"impersonation"`
	Admin         UserID          `json:"admin"`
	Target        UserID          `json:"target"`
	By            UserID          `json:"by"`
}

// ImpersonationRefused forbids it.
type ImpersonationRefused struct {
	Impersonation ImpersonationID `json:"impersonation"`
	Admin         UserID          `json:"admin"`
	Target        UserID          `json:"target"`
	By            UserID          `json:"by"`
	Reason        string          `json:"reason,omitzero"`
}

// ImpersonationStarted lets an administrator act as the target. Only the hash of the session's token is kept.
type ImpersonationStarted struct {
	Impersonation ImpersonationID `json:"impersonation"`
	Admin         UserID          `json:"admin"`
	AdminTenant   HomeID          `json:"admin_tenant"`
	Target        UserID          `json:"target"`
	Scopes        []Pattern       `json:"scopes"` // the most that may be done in it
	Reason        string          `json:"reason"`
	Reference     string          `json:"reference,omitzero"`
	Hash          []byte          `json:"hash"`             // SHA-256 of the whole token
	Session       SessionID       `json:"session,omitzero"` // of the administrator, in which it was started; it ends with that
	Token         TokenID         `json:"token,omitzero"`   // or the API token by which it was
	Consent       string          `json:"consent"`          // what the tenant's policy said: allowed or on_request
	ExpiresAt     time.Time       `json:"expires_at"`
}

// ImpersonationEnded ends it, or withdraws the request for it.
type ImpersonationEnded struct {
	Impersonation ImpersonationID `json:"impersonation"`
	Admin         UserID          `json:"admin"`
	Target        UserID          `json:"target"`
	Reason        string          `json:"reason,omitzero"`
}

// ImpersonationExpired says that its time is over, or that of the request.
type ImpersonationExpired struct {
	Impersonation ImpersonationID `json:"impersonation"`
	Admin         UserID          `json:"admin"`
	Target        UserID          `json:"target"`
}

func (ImpersonationRequested) EventType() string { return "impersonation.requested" }
func (ImpersonationConsented) EventType() string { return "impersonation.consented" }
func (ImpersonationRefused) EventType() string   { return "impersonation.refused" }
func (ImpersonationStarted) EventType() string   { return "impersonation.started" }
func (ImpersonationEnded) EventType() string     { return "impersonation.ended" }
func (ImpersonationExpired) EventType() string   { return "impersonation.expired" }

var impersonationEvents = dcb.Kind("impersonation",
	dcb.Of[ImpersonationRequested](), dcb.Of[ImpersonationConsented](), dcb.Of[ImpersonationRefused](),
	dcb.Of[ImpersonationStarted](), dcb.Of[ImpersonationEnded](), dcb.Of[ImpersonationExpired]())

// RequestLife is how long a request for consent may be answered, and a consent be made use of.
const RequestLife = 24 * time.Hour

// ImpersonationLeft is why an impersonation ended whose token was handed back.
const ImpersonationLeft = "left"

var (
	// ErrImpersonating refuses what nobody may do as somebody else.
	ErrImpersonating          = &Refusal{Forbidden, "impersonating", "this cannot be done while acting as somebody else"}
	ErrImpersonationUnknown   = &Refusal{Missing, "not-found", "there is no such impersonation here"}
	ErrImpersonationForbidden = refuse("impersonation-forbidden", "the tenant's policy forbids that anybody acts as its users")
	ErrImpersonationOver      = refuse("impersonation-over", "the impersonation, or the request for it, is over: it was used, refused or ended, or is too old")
	ErrImpersonationOpen      = refuse("impersonation-open", "the caller acts as somebody already; one ends before the next starts")
	ErrImpersonationTooLong   = refuse("impersonation-too-long", "the tenant, or who consented, allows shorter impersonations only")
	ErrImpersonationUnbound   = &Refusal{Forbidden, "impersonation-unbound", "it must be started with a session or an API token, with which it ends; a token of another issuer will not do"}
	ErrMayNotImpersonate      = &Refusal{Forbidden, "may-not-impersonate", "nobody acts as somebody with rights that they lack"}
	ErrConsentNeeded          = refuse("consent-needed", "the tenant's policy wants consent first: request the impersonation, and start it under the same id once it was given")
	ErrConsentNotNeeded       = refuse("consent-not-needed", "the tenant's policy asks for no consent: the impersonation can be started at once")
	ErrConsentRequested       = refuse("consent-requested", "the caller waits for consent to this already")
	ErrMayNotConsent          = &Refusal{Forbidden, "may-not-consent", "only the user, or an administrator of their tenant, consents: neither who asked for it, nor anybody who delegates to them or acts for them"}
)

// NeverImpersonated are privileges that nobody uses as somebody else. A tenant may add to them (impersonation.forbidden).
var NeverImpersonated = []Pattern{
	"core.credentials.*", "core.sessions.*", "core.tokens.*", "core.identities.*", "core.issuers.*", "core.links.*",
	"core.users.change-email", "core.users.export", "core.users.erase", "core.erasures.*", "core.secrets.*", "core.secret-access.*", "core.signing-keys.*",
	"core.licenses.issue", "core.licenses.renew", "core.licenses.change", "core.licenses.sign", "core.licenses.revoke",
	"core.delegations.*", "core.impersonations.*", "core.approvals.*", "core.reviews.*", "core.group-invitations.*", "core.history.import",
}

// ImpersonationStatus is where an impersonation is in its life.
type ImpersonationStatus string

const (
	ImpersonationAsked    ImpersonationStatus = "requested"
	ImpersonationGranted  ImpersonationStatus = "consented"
	ImpersonationDenied   ImpersonationStatus = "refused"
	ImpersonationActive   ImpersonationStatus = "active"
	ImpersonationDone     ImpersonationStatus = "ended"
	ImpersonationTimedOut ImpersonationStatus = "expired"
)

// Impersonation is what decisions need to know of one.
type Impersonation struct {
	ID        ImpersonationID
	Tenant    TenantID
	Admin     UserID
	Target    UserID
	Status    ImpersonationStatus
	Reason    string
	Reference string
	Minutes   int       // of a request: how many were asked for
	ExpiresAt time.Time // of the request, or of the impersonation once it has started
}

// Known reports whether there is such an impersonation here.
func (i Impersonation) Known() bool { return i.Status != "" }

// Waits reports whether it has not started yet, and may do so once there is consent.
func (i Impersonation) Waits(now time.Time) bool {
	return (i.Status == ImpersonationAsked || i.Status == ImpersonationGranted) && now.Before(i.ExpiresAt)
}

// Live reports whether the administrator can act as the target.
func (i Impersonation) Live(now time.Time) bool {
	return i.Status == ImpersonationActive && now.Before(i.ExpiresAt)
}

// Open reports whether there is something to end.
func (i Impersonation) Open(now time.Time) bool { return i.Waits(now) || i.Live(now) }

// Lapsed reports whether its time is over and no event has said so.
func (i Impersonation) Lapsed(now time.Time) bool {
	switch i.Status {
	case ImpersonationAsked, ImpersonationGranted, ImpersonationActive:
		return !now.Before(i.ExpiresAt)
	case ImpersonationDenied, ImpersonationDone, ImpersonationTimedOut:
	}
	return false
}

// Impersonations are in the order in which they were begun.
type Impersonations []*Impersonation

// ImpersonationOf is one impersonation.
func ImpersonationOf(id ImpersonationID) *dcb.Fact[Impersonation] {
	return dcb.Ask(Impersonation{}, tags(id), impersonationFolds(func(i *Impersonation, _ ImpersonationID) *Impersonation { return i })...)
}

// ImpersonationsOf are those that a user asked for or began, and those in which they are the target, in whichever tenant, whatever
// has become of them.
func ImpersonationsOf(u UserID) *dcb.Fact[Impersonations] {
	return dcb.Ask(Impersonations(nil), tags(u), impersonationFolds((*Impersonations).at)...).Anywhere()
}

// ImpersonationsBy are those that began with a session or an API token, in whichever tenant. That one has ended they do not know.
func ImpersonationsBy(sessionOrToken dcb.Tagger) *dcb.Fact[Impersonations] {
	return dcb.Ask(Impersonations(nil), tags(sessionOrToken), impersonationFolds((*Impersonations).at)...).Anywhere()
}

// ImpersonationUsed reports whether the id was ever given to an impersonation, in whichever tenant.
func ImpersonationUsed(id ImpersonationID) *dcb.Fact[bool] {
	return Used[ImpersonationRequested](id).Folding(dcb.On(func(used *bool, _ ImpersonationStarted) { *used = true }))
}

// at is the one of that id, made if it is none of them.
func (all *Impersonations) at(id ImpersonationID) *Impersonation {
	for _, i := range *all {
		if i.ID == id {
			return i
		}
	}
	*all = append(*all, &Impersonation{ID: id})
	return (*all)[len(*all)-1]
}

func impersonationFolds[S any](at func(*S, ImpersonationID) *Impersonation) []dcb.Fold[S] {
	return []dcb.Fold[S]{
		dcb.OnMeta(func(s *S, e ImpersonationRequested, m dcb.Meta) {
			*at(s, e.Impersonation) = Impersonation{
				e.Impersonation, TenantID{m.Tenant}, e.Admin, e.Target, ImpersonationAsked, e.Reason, e.Reference, e.Minutes, e.ExpiresAt,
			}
		}),
		dcb.On(func(s *S, e ImpersonationConsented) { at(s, e.Impersonation).Status = ImpersonationGranted }),
		dcb.On(func(s *S, e ImpersonationRefused) { at(s, e.Impersonation).Status = ImpersonationDenied }),
		dcb.OnMeta(func(s *S, e ImpersonationStarted, m dcb.Meta) {
			i := at(s, e.Impersonation)
			*i = Impersonation{
				e.Impersonation, TenantID{m.Tenant}, e.Admin, e.Target, ImpersonationActive, e.Reason, e.Reference, i.Minutes, e.ExpiresAt,
			}
		}),
		dcb.On(func(s *S, e ImpersonationEnded) { at(s, e.Impersonation).Status = ImpersonationDone }),
		dcb.On(func(s *S, e ImpersonationExpired) { at(s, e.Impersonation).Status = ImpersonationTimedOut }),
	}
}
