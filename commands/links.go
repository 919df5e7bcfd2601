package commands

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"slices"
	"time"

	"github.com/google/uuid"

	"chancery/domain"
	"chancery/internal/dcb"
)

// InviteUser sends an invited user a link by mail, with which they choose a password and become active. It works for seven
// days and takes the place of any earlier one. Neither the answer nor the tables hold it.
type InviteUser struct {
	ID   domain.LinkID `json:"id,omitzero" description:"id of the new link; made if absent"`
	User domain.UserID `json:"user_id" required:"true" description:"the user; invited, and with an e-mail address"`
}

func (c *InviteUser) NewID() *uuid.UUID { return &c.ID.UUID }
func (c InviteUser) Target() dcb.Tagger { return c.ID }

func (c InviteUser) Decide(env Env) dcb.Decision {
	l := env.newLink(c.ID, domain.Invitation)
	return dcb.From(l.facts(c.User)...).Decide(func() ([]dcb.Event, error) {
		if err := l.refusal(); err != nil {
			return nil, err
		}
		if l.status.Value.Status != domain.UserInvited {
			return nil, domain.At("/user_id", domain.ErrNotInvited)
		}
		return l.events()
	})
}

// SendPasswordReset sends an active user a link by mail, with which they choose another password. It works for an hour and
// takes the place of any earlier one. It goes to the user's own address and nowhere else.
type SendPasswordReset struct {
	ID   domain.LinkID `json:"id,omitzero" description:"id of the new link; made if absent"`
	User domain.UserID `json:"user_id" required:"true" description:"the user; active, and with an e-mail address"`
}

func (c *SendPasswordReset) NewID() *uuid.UUID { return &c.ID.UUID }
func (c SendPasswordReset) Target() dcb.Tagger { return c.ID }

func (c SendPasswordReset) Decide(env Env) dcb.Decision {
	l := env.newLink(c.ID, domain.PasswordReset)
	return dcb.From(l.facts(c.User)...).Decide(func() ([]dcb.Event, error) {
		if err := l.refusal(); err != nil {
			return nil, err
		}
		if l.status.Value.Status != domain.UserActive {
			return nil, domain.At("/user_id", domain.ErrUserNotActive)
		}
		return l.events()
	})
}

// RevokeLink withdraws a link that was not used.
type RevokeLink struct {
	ID domain.LinkID `json:"id" required:"true" description:"the link"`
}

func (c RevokeLink) Target() dcb.Tagger { return c.ID }

func (c RevokeLink) Decide(Env) dcb.Decision {
	l := domain.LinkOf(c.ID)
	return dcb.From(l).Decide(func() ([]dcb.Event, error) {
		switch {
		case !l.Value.Known():
			return nil, domain.At("/id", domain.ErrLinkUnknown)
		case !l.Value.Live:
			return nil, nil
		}
		return dcb.Emit(domain.LinkRevoked{Link: c.ID, User: l.Value.User})
	})
}

// ExpireLink says that a link is over and was not followed. It is no command of callers: Chancery gives it to itself when that
// is due. Saying it twice changes nothing.
type ExpireLink struct{ ID domain.LinkID }

func (c ExpireLink) Target() dcb.Tagger { return c.ID }

func (c ExpireLink) Decide(env Env) dcb.Decision {
	l := domain.LinkOf(c.ID)
	return dcb.From(l).Decide(func() ([]dcb.Event, error) {
		if !l.Value.Live || env.Now.Before(l.Value.ExpiresAt) {
			return nil, nil
		}
		return dcb.Emit(domain.LinkExpired{Link: c.ID, User: l.Value.User})
	})
}

// newLink is a link on its way to a user.
type newLink struct {
	env     Env
	id      domain.LinkID
	purpose domain.LinkPurpose
	user    domain.UserID
	used    *dcb.Fact[bool]
	status  *dcb.Fact[domain.User]
	earlier *dcb.Fact[[]domain.LiveLink]
}

func (env Env) newLink(id domain.LinkID, purpose domain.LinkPurpose) *newLink {
	return &newLink{env: env, id: id, purpose: purpose}
}

func (l *newLink) facts(u domain.UserID) []dcb.AnyFact {
	l.user, l.used, l.status, l.earlier = u, domain.Used[domain.LinkIssued](l.id), domain.UserOf(u), domain.LinksOf(u)
	return []dcb.AnyFact{l.used, l.status, l.earlier}
}

func (l *newLink) refusal() error {
	switch {
	case !l.env.Mails:
		return domain.ErrMailOff
	case !l.status.Value.Exists():
		return domain.At("/user_id", domain.ErrUserUnknown)
	case l.used.Value:
		return domain.At("/id", domain.ErrIDTaken)
	case l.status.Value.EmailKey.IsZero():
		return domain.At("/user_id", domain.ErrNoAddress)
	}
	return nil
}

// events issue the link in place of those of its purpose that still work.
func (l *newLink) events() (events []dcb.Event, _ error) {
	life := domain.PasswordResetLife
	if l.purpose == domain.Invitation {
		life = domain.InvitationLife
	}
	for _, old := range l.earlier.Value {
		if old.Purpose == l.purpose && l.env.Now.Before(old.ExpiresAt) {
			events = append(events, domain.LinkRevoked{Link: old.ID, User: l.user})
		}
	}
	token := l.env.Secret("link", l.id.UUID)
	_, hash := l.env.Hash(token)
	return append(events, domain.LinkIssued{
		Link: l.id, User: l.user, Purpose: l.purpose, Hash: hash, Token: dcb.Hide(token), ExpiresAt: l.env.Now.Add(life).Truncate(time.Second),
	}), nil
}

// RequestReset is SendPasswordReset by somebody who has not signed in and names an address. It is never refused: who asks does
// not learn whether there is such a user. It is given as an order of nobody.
type RequestReset struct {
	Link  domain.LinkID
	Email string
}

func (c RequestReset) Target() dcb.Tagger { return c.Link }

func (c RequestReset) Decide(env Env) dcb.Decision {
	address, _ := domain.ParseEmail("", c.Email)
	if address == "" || !env.Mails {
		return dcb.From().Decide(func() ([]dcb.Event, error) { return nil, nil })
	}
	holder, l := domain.EmailHolder(address.Claim()), env.newLink(c.Link, domain.PasswordReset)
	var outside *dcb.Fact[domain.Outside]
	return dcb.From(holder).Then(func() []dcb.AnyFact {
		if outside != nil || holder.Value == uuid.Nil {
			return nil
		}
		user := domain.UserID{UUID: holder.Value}
		outside = domain.OutsideOnly(user)
		return append(l.facts(user), outside)
	}).Decide(func() ([]dcb.Event, error) {
		if outside == nil || l.refusal() != nil || l.status.Value.Status != domain.UserActive || outside.Value.Only() {
			return nil, nil //nolint:nilerr // who asks does not learn it
		}
		return l.events()
	})
}

// RedeemLink gives the user of a link the password that they chose and, if it is an invitation, lets them act. It ends all of
// their sessions and leaves their second factors as they are. Whatever is wrong with the link, the refusal is the same; a
// password that is refused leaves the link as it was. It is given as an order of nobody (RedeemOrder).
type RedeemLink struct {
	Link     domain.LinkID
	Hash     [sha256.Size]byte // of the token that was shown
	Password string
	Whose    *Account // filled in when the link was redeemed
}

// Account is a user and the address by which they sign in.
type Account struct {
	User  domain.UserID
	Email string
}

// RedeemOrder is the order for it. It is decided in whatever tenant, even one that does not exist.
func RedeemOrder(c RedeemLink, t domain.TenantID, by dcb.Provenance) Order {
	o := AnonymousOrder("redeem-link", c, t, by)
	o.ungated = true // the rule asks for the tenant itself
	return o
}

func (c RedeemLink) Target() dcb.Tagger { return c.Link }

func (c RedeemLink) Decide(env Env) dcb.Decision {
	r := &redemption{link: domain.LinkOf(c.Link), tenant: domain.TenantOf(env.Tenant)}
	return dcb.From(r.link, r.tenant).Then(func() []dcb.AnyFact {
		if r.next != nil || !r.link.Value.Known() {
			return nil
		}
		user := r.link.Value.User
		r.next, r.status, r.live = env.newPassword(user, c.Password), domain.UserStatusOf(user), domain.LinksOf(user)
		return append(r.next.facts(), r.status, r.live)
	}).Opening().Consult(func(ctx context.Context) error {
		if !r.works(c.Hash, env.Now) {
			return nil
		}
		return r.next.consult(ctx)
	}).Decide(func() ([]dcb.Event, error) {
		if !r.works(c.Hash, env.Now) {
			return nil, domain.ErrLinkDead
		}
		changes, err := r.next.events(domain.SessionID{})
		if err != nil {
			return nil, err
		}
		if c.Whose != nil {
			*c.Whose = Account{r.link.Value.User, r.next.person.Value.Email.Reveal()}
		}
		return append(r.events(), changes...), nil
	})
}

// redemption is a link that is being followed.
type redemption struct {
	link   *dcb.Fact[domain.Link]
	tenant *dcb.Fact[domain.Tenant]
	status *dcb.Fact[domain.User]
	live   *dcb.Fact[[]domain.LiveLink]
	next   *newPassword
}

func (r *redemption) works(hash [sha256.Size]byte, now time.Time) bool {
	l := r.link.Value
	shown := subtle.ConstantTimeCompare(l.Hash, hash[:]) == 1
	return shown && r.tenant.Value.Refusal() == nil && l.Live && now.Before(l.ExpiresAt) &&
		slices.ContainsFunc(r.live.Value, func(o domain.LiveLink) bool { return o.ID == l.ID }) &&
		(r.status.Value.Status == domain.UserActive || r.status.Value.Status == domain.UserInvited && l.Purpose == domain.Invitation)
}

// events use the link up; others of the user lose their sense with it.
func (r *redemption) events() []dcb.Event {
	l := r.link.Value
	events := []dcb.Event{domain.LinkUsed{Link: l.ID, User: l.User}}
	for _, o := range r.live.Value {
		if o.ID != l.ID {
			events = append(events, domain.LinkRevoked{Link: o.ID, User: l.User})
		}
	}
	if r.status.Value.Status == domain.UserInvited {
		events = append(events, domain.UserReactivated{User: l.User})
	}
	return events
}
