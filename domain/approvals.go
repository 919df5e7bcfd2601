package domain

import (
	"time"

	"chancery/internal/dcb"
)

// ApprovalRequested asks somebody else to approve an assignment or a delegation, of which one is given, as it will be recorded then.
type ApprovalRequested struct {
	Approval   ApprovalID        `json:"approval"`
	By         UserID            `json:"by"`           // who asks
	For        UserID            `json:"for,omitzero"` // on whose behalf, where they acted for somebody
	User       UserID            `json:"user,omitzero"`
	Assignment RoleAssigned      `json:"assignment,omitzero"`
	Delegation DelegationGranted `json:"delegation,omitzero"`
	Reason     string            `json:"reason,omitzero"`
	ExpiresAt  time.Time         `json:"expires_at"`
}

// ApprovalGiven says that somebody approved it; what was asked for is done with the same request.
type ApprovalGiven struct {
	Approval ApprovalID `json:"approval"`
	By       UserID     `json:"by"`
	Reason   string     `json:"reason,omitzero"`
}

// ApprovalDenied says that somebody refused it.
type ApprovalDenied struct {
	Approval ApprovalID `json:"approval"`
	By       UserID     `json:"by"`
	Reason   string     `json:"reason,omitzero"`
}

// ApprovalCancelled says that who asked withdrew it, or that it has lost its object.
type ApprovalCancelled struct {
	Approval ApprovalID `json:"approval"`
	Reason   string     `json:"reason,omitzero"`
}

// ApprovalExpired says that nobody answered in time.
type ApprovalExpired struct {
	Approval ApprovalID `json:"approval"`
}

func (ApprovalRequested) EventType() string { return "approval.requested" }
func (ApprovalGiven) EventType() string     { return "approval.given" }
func (ApprovalDenied) EventType() string    { return "approval.denied" }
func (ApprovalCancelled) EventType() string { return "approval.cancelled" }
func (ApprovalExpired) EventType() string   { return "approval.expired" }

var approvalEvents = dcb.Kind("approval",
	dcb.Of[ApprovalRequested](), dcb.Of[ApprovalGiven](), dcb.Of[ApprovalDenied](), dcb.Of[ApprovalCancelled](), dcb.Of[ApprovalExpired]())

var (
	ErrApprovalUnknown = &Refusal{Missing, "not-found", "there is no such request for approval here"}
	ErrApprovalOver    = refuse("approval-over", "the request has had its answer: it was approved, denied or withdrawn")
	ErrApprovalExpired = refuse("approval-expired", "nobody answered the request in time; it must be made again")
	ErrApprovalMoot    = refuse("approval-moot", "what was asked for cannot be given any more")
)

// ApprovalStatus is what has become of a request.
type ApprovalStatus string

const (
	ApprovalUnknown   ApprovalStatus = ""
	ApprovalPending   ApprovalStatus = "pending"
	ApprovalIsGiven   ApprovalStatus = "given"
	ApprovalIsDenied  ApprovalStatus = "denied"
	ApprovalWithdrawn ApprovalStatus = "cancelled"
	ApprovalRunOut    ApprovalStatus = "expired"
)

// Approval is what decisions need to know of a request.
type Approval struct {
	ApprovalRequested
	Status ApprovalStatus
}

// Over reports whether nobody can answer it any more, for want of an answer in time.
func (a Approval) Over(now time.Time) bool {
	return a.Status == ApprovalRunOut || a.Status == ApprovalPending && !now.Before(a.ExpiresAt)
}

// ApprovalOf is one request.
func ApprovalOf(id ApprovalID) *dcb.Fact[Approval] {
	return dcb.Ask(Approval{}, tags(id),
		dcb.On(func(a *Approval, e ApprovalRequested) { *a = Approval{e, ApprovalPending} }),
		dcb.On(func(a *Approval, _ ApprovalGiven) { a.Status = ApprovalIsGiven }),
		dcb.On(func(a *Approval, _ ApprovalDenied) { a.Status = ApprovalIsDenied }),
		dcb.On(func(a *Approval, _ ApprovalCancelled) { a.Status = ApprovalWithdrawn }),
		dcb.On(func(a *Approval, _ ApprovalExpired) { a.Status = ApprovalRunOut }),
	)
}
