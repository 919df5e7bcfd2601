package domain

import (
	"slices"
	"time"

	"github.com/google/uuid"

	"chancery/internal/dcb"
)

// LinkIssued makes a link that works once and is on its way to the user by mail.
type LinkIssued struct {
	Link      LinkID      `json:"link"`
	User      UserID      `json:"user"`
	Purpose   LinkPurpose `json:"purpose"`
	Hash      []byte      `json:"hash"`  // SHA-256 of the whole token in it
	Token     dcb.Sealed  `json:"token"` // for the mail; nobody else reads it
	ExpiresAt time.Time   `json:"expires_at"`
}

// LinkMailed says that the mail server took the mail.
type LinkMailed struct {
	Link LinkID `json:"link"`
	User UserID `json:"user"`
}

// LinkUndeliverable says that the mail was given up.
type LinkUndeliverable struct {
	Link   LinkID `json:"link"`
	User   UserID `json:"user"`
	Reason string `json:"reason"` // one of ours, not the mail server's words: those may hold the address
}

// LinkUsed says that the link was followed; it does not work again.
type LinkUsed struct {
	Link LinkID `json:"link"`
	User UserID `json:"user"`
}

// LinkRevoked ends a link that was not used: a newer one takes its place, or somebody withdrew it.
type LinkRevoked struct {
	Link LinkID `json:"link"`
	User UserID `json:"user"`
}

// LinkExpired says that a link's time is over and nobody has followed it.
type LinkExpired struct {
	Link LinkID `json:"link"`
	User UserID `json:"user"`
}

func (LinkExpired) EventType() string       { return "link.expired" }
func (LinkIssued) EventType() string        { return "link.issued" }
func (LinkMailed) EventType() string        { return "link.mailed" }
func (LinkUndeliverable) EventType() string { return "link.undeliverable" }
func (LinkUsed) EventType() string          { return "link.used" }
func (LinkRevoked) EventType() string       { return "link.revoked" }

func (e LinkIssued) DataSubject() uuid.UUID { return e.User.UUID }

var linkEvents = dcb.Kind("link",
	dcb.Of[LinkIssued](), dcb.Of[LinkMailed](), dcb.Of[LinkUndeliverable](), dcb.Of[LinkUsed](), dcb.Of[LinkRevoked](),
	dcb.Of[LinkExpired]())

// LinkPurpose is what a link lets its holder do.
type LinkPurpose string

const (
	Invitation    LinkPurpose = "invitation"     // accept it: choose a password and become active
	PasswordReset LinkPurpose = "password-reset" // choose another password
)

// Lives of links.
const (
	InvitationLife    = 7 * 24 * time.Hour
	PasswordResetLife = time.Hour
)

// Why mails are given up.
const (
	MailRefused   = "refused"    // by the mail server, for good
	MailExpired   = "expired"    // the link was over before the mail was taken
	MailWithdrawn = "withdrawn"  // the user got another address or password, or was deactivated, before it was taken
	MailNoAddress = "no-address" // the user was erased
)

var (
	ErrLinkUnknown = &Refusal{Missing, "not-found", "there is no such link here"}
	// ErrLinkDead is the one answer to a link that is unknown, used, revoked or too old.
	ErrLinkDead   = refuse("link-dead", "the link does not work: it was used or withdrawn, is too old, or was never made")
	ErrNoAddress  = refuse("no-email-address", "the user has no e-mail address")
	ErrNotInvited = refuse("not-invited", "the user is not invited: they are active, or were deactivated")
	ErrMailOff    = refuse("mail-not-configured", "no mail is sent from here: no mail server is configured")
)

// Link is what decisions need to know of one.
type Link struct {
	ID        LinkID
	User      UserID
	Purpose   LinkPurpose
	Hash      []byte
	Token     dcb.Sealed
	ExpiresAt time.Time
	Issued    uuid.UUID // the event
	Live      bool      // nothing has ended it; it may be over by its time
	Mail      MailState
}

// Known reports whether there is such a link here.
func (l Link) Known() bool { return l.ID != LinkID{} }

// MailState is what became of a link's mail.
type MailState int

const (
	MailWaits MailState = iota
	MailSent
	MailGivenUp
)

// LinkOf is one link. The decision must be Unsealing to make use of the token.
func LinkOf(id LinkID) *dcb.Fact[Link] {
	return dcb.Ask(Link{}, tags(id),
		dcb.OnMeta(func(l *Link, e LinkIssued, m dcb.Meta) {
			*l = Link{e.Link, e.User, e.Purpose, e.Hash, e.Token, e.ExpiresAt, m.ID, true, MailWaits}
		}),
		dcb.On(func(l *Link, _ LinkMailed) { l.Mail = MailSent }),
		dcb.On(func(l *Link, _ LinkUndeliverable) { l.Mail = MailGivenUp }),
		dcb.On(func(l *Link, _ LinkUsed) { l.Live = false }),
		dcb.On(func(l *Link, _ LinkRevoked) { l.Live = false }),
		dcb.On(func(l *Link, _ LinkExpired) { l.Live = false }),
	)
}

// LiveLink is a link that still works, but for its age.
type LiveLink struct {
	ID        LinkID
	Purpose   LinkPurpose
	ExpiresAt time.Time
}

// LinksOf are a user's links that still work, but for their age. Those issued before the user got another address or
// password, or was deactivated, do not: the mail may lie where
// others read it, and the wish may be older than the reason for the change.
func LinksOf(u UserID) *dcb.Fact[[]LiveLink] {
	gone := func(all *[]LiveLink, id LinkID) {
		*all = slices.DeleteFunc(*all, func(l LiveLink) bool { return l.ID == id })
	}
	return dcb.Ask([]LiveLink(nil), tags(u),
		dcb.On(func(all *[]LiveLink, e LinkIssued) { *all = append(*all, LiveLink{e.Link, e.Purpose, e.ExpiresAt}) }),
		dcb.On(func(all *[]LiveLink, e LinkUsed) { gone(all, e.Link) }),
		dcb.On(func(all *[]LiveLink, e LinkRevoked) { gone(all, e.Link) }),
		dcb.On(func(all *[]LiveLink, e LinkExpired) { gone(all, e.Link) }),
		dcb.On(func(all *[]LiveLink, _ UserEmailChanged) { *all = nil }),
		dcb.On(func(all *[]LiveLink, _ UserDeactivated) { *all = nil }),
		dcb.On(func(all *[]LiveLink, _ UserErased) { *all = nil }),
		dcb.On(func(all *[]LiveLink, e PasswordSet) {
			if !e.Rehashed {
				*all = nil
			}
		}),
	)
}

// OutsideOnly reports whether others vouch for a user, who has no password here: such a user does not get one by asking
// for a mail, past what their issuer demands.
func OutsideOnly(u UserID) *dcb.Fact[Outside] {
	return dcb.Ask(Outside{}, tags(u),
		dcb.On(func(o *Outside, _ IdentityLinked) { o.identities++ }),
		dcb.On(func(o *Outside, _ IdentityUnlinked) { o.identities-- }),
		dcb.On(func(o *Outside, e PasswordSet) { o.password = e.Credential }),
		dcb.On(func(o *Outside, e CredentialRemoved) {
			if e.Credential == o.password {
				o.password = CredentialID{}
			}
		}),
	)
}

// Outside is by what a user is known.
type Outside struct {
	identities int
	password   CredentialID
}

// Only reports whether it is by outside issuers alone.
func (o Outside) Only() bool { return o.identities > 0 && o.password == CredentialID{} }
