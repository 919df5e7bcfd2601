package domain

import (
	"net/url"
	"slices"

	"github.com/google/uuid"

	"chancery/internal/dcb"
)

// IdentityLinked says that a user is known to an outside issuer as Subject.
type IdentityLinked struct {
	Identity IdentityID   `json:"identity"`
	User     UserID       `json:"user"`
	Issuer   string       `json:"issuer"`
	Subject  dcb.Personal `json:"subject"`
	Key      dcb.Claim    `json:"key"`
}

// IdentityUnlinked ends that; the issuer's subject may be linked again.
type IdentityUnlinked struct {
	Identity IdentityID `json:"identity"`
	User     UserID     `json:"user"`
	Released dcb.Claim  `json:"released"`
}

func (IdentityLinked) EventType() string   { return "identity.linked" }
func (IdentityUnlinked) EventType() string { return "identity.unlinked" }

func (e IdentityLinked) DataSubject() uuid.UUID { return e.User.UUID }

var identityEvents = dcb.Kind("identity", dcb.Of[IdentityLinked](), dcb.Of[IdentityUnlinked]())

var (
	ErrIdentityUnknown = &Refusal{Missing, "not-found", "there is no such identity here"}
	ErrIdentityTaken   = refuse("identity-taken", "the external identity is linked to a user already")
)

// Identity is what decisions need to know of one.
type Identity struct {
	User   UserID
	Key    dcb.Claim
	Known  bool
	Linked bool
}

// IdentityOf is one external identity.
func IdentityOf(id IdentityID) *dcb.Fact[Identity] {
	return dcb.Ask(Identity{}, tags(id),
		dcb.On(func(i *Identity, e IdentityLinked) { *i = Identity{e.User, e.Key, true, true} }),
		dcb.On(func(i *Identity, _ IdentityUnlinked) { i.Linked = false }),
	)
}

// IdentitiesOf are the events that link a user and still hold, in their order.
func IdentitiesOf(u UserID) *dcb.Fact[[]IdentityLinked] {
	return dcb.Ask([]IdentityLinked(nil), tags(u),
		dcb.On(func(all *[]IdentityLinked, e IdentityLinked) { *all = append(*all, e) }),
		dcb.On(func(all *[]IdentityLinked, e IdentityUnlinked) {
			*all = slices.DeleteFunc(*all, func(o IdentityLinked) bool { return o.Identity == e.Identity })
		}),
	)
}

// IdentityHolder is the user linked to an issuer's subject, nil if none is.
func IdentityHolder(key dcb.Claim) *dcb.Fact[uuid.UUID] {
	return holderOf(key.Tag(),
		dcb.On(func(h *uuid.UUID, e IdentityLinked) { *h = e.User.UUID }),
		dcb.On(func(h *uuid.UUID, _ IdentityUnlinked) { *h = uuid.Nil }),
	)
}

// IdentityClaim keeps an issuer's subject unique within a tenant.
func IdentityClaim(issuer, subject string) dcb.Claim {
	return dcb.Claimed("identity", url.QueryEscape(issuer)+" "+subject)
}

// MaxSubject is the length of the longest subject, in characters (OpenID Connect Core 1.0, section 2).
const MaxSubject = 255

// CheckSubject refuses a subject that is empty, too long, padded, or holds control characters.
func CheckSubject(pointer, s string) error { return checkText(pointer, s, 1, MaxSubject, false) }
