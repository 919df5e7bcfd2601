package domain

import (
	"github.com/google/uuid"

	"chancery/internal/dcb"
)

// AccessChanged says that what a user may do themselves in the tenant of the event has become another, by whatever cause. It is derived, for
// consumers that keep copies of rights; no decision rests on it. It is recorded only where the tenant's policy wants it
// (access.announce-changes). What somebody may do for another one, under a delegation, is not in it.
type AccessChanged struct {
	Access    AccessID  `json:"access"` // of the user
	User      UserID    `json:"user"`
	Gained    []Right   `json:"gained,omitzero"`
	Lost      []Right   `json:"lost,omitzero"`
	Cause     uuid.UUID `json:"cause"`              // the event that led to it
	Truncated bool      `json:"truncated,omitzero"` // there is more than is listed
}

// Right is a privilege on a resource, or on the whole tenant.
type Right struct {
	Privilege Privilege `json:"privilege"`
	Scope     Scope     `json:"scope,omitzero"`
}

func (AccessChanged) EventType() string { return "access.changed" }

var accessEvents = dcb.Kind("access", dcb.Of[AccessChanged]())
