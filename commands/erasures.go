package commands

import (
	"github.com/google/uuid"

	"chancery/domain"
	"chancery/internal/dcb"
)

// EraseUser erases a user for good: their data key is destroyed, and everything sealed under it with it. Where the tenant's
// policy wants four eyes, it asks somebody else to approve.
type EraseUser struct {
	ID     domain.ErasureID `json:"id,omitzero" description:"id of the erasure; made if absent"`
	User   domain.UserID    `json:"user_id" required:"true" description:"the user"`
	Reason string           `json:"reason" required:"true" description:"why, for the record; it stays for ever, so without personal data"`
}

func (c *EraseUser) NewID() *uuid.UUID { return &c.ID.UUID }
func (c EraseUser) Target() dcb.Tagger { return c.ID }

// Erasing says that the answer waits for the erasure ledger.
func (EraseUser) Erasing() {}

func (c EraseUser) Decide(env Env) dcb.Decision {
	used, four, e := domain.ErasureUsed(c.ID), domain.PolicyOf(env.Tenant, domain.ErasureFour), env.erasing(c.User)
	return dcb.From(append(e.facts(), used, four)...).Then(e.next).Decide(func() ([]dcb.Event, error) {
		if err := domain.CheckName("/reason", c.Reason); err != nil {
			return nil, err
		}
		switch {
		case e.user.Value.Status == domain.UserGone:
			return nil, nil
		case !e.user.Value.Exists():
			return nil, domain.At("/user_id", domain.ErrUserUnknown)
		case used.Value:
			return nil, domain.At("/id", domain.ErrIDTaken)
		case e.latest.Value.Open:
			return nil, domain.At("/user_id", domain.ErrErasureOpen)
		}
		if err := e.refusal(); err != nil {
			return nil, err
		}
		if four.Value.IsTrue() {
			by, on := env.asking()
			return dcb.Emit(domain.ErasureRequested{Erasure: c.ID, User: c.User, By: by, Reason: c.Reason, For: on})
		}
		return e.events(c.ID, c.Reason), nil
	})
}

// ApproveErasure erases the user whose erasure somebody else asked for.
type ApproveErasure struct {
	ID domain.ErasureID `json:"id" required:"true" description:"the erasure"`
}

func (c ApproveErasure) Target() dcb.Tagger { return c.ID }

// Erasing says that the answer waits for the erasure ledger.
func (ApproveErasure) Erasing() {}

func (c ApproveErasure) Decide(env Env) dcb.Decision {
	asked, eyes := domain.ErasureOf(c.ID), env.fourEyes()
	e, begun := env.erasing(domain.UserID{}), false
	return dcb.From(asked).Then(func() []dcb.AnyFact {
		if begun || !asked.Value.Open {
			return nil
		}
		e, begun = env.erasing(asked.Value.User), true
		return append(e.facts(), eyes.start(asked.Value.By, asked.Value.For)...)
	}).Then(func() []dcb.AnyFact { return e.next() }).Then(eyes.next).Decide(func() ([]dcb.Event, error) {
		switch {
		case !asked.Value.Known():
			return nil, domain.At("/id", domain.ErrErasureUnknown)
		case asked.Value.Done:
			return nil, nil
		case !asked.Value.Open:
			return nil, domain.At("/id", domain.ErrErasureOver)
		}
		if err := domain.FirstError(eyes.refusal(asked.Value.By, asked.Value.For), e.refusal()); err != nil {
			return nil, err
		}
		return e.events(c.ID, ""), nil
	})
}

// CancelErasure withdraws the request to erase a user, who stays.
type CancelErasure struct {
	ID domain.ErasureID `json:"id" required:"true" description:"the erasure"`
}

func (c CancelErasure) Target() dcb.Tagger { return c.ID }

func (c CancelErasure) Decide(Env) dcb.Decision {
	asked := domain.ErasureOf(c.ID)
	return dcb.From(asked).Decide(func() ([]dcb.Event, error) {
		switch {
		case !asked.Value.Known():
			return nil, domain.At("/id", domain.ErrErasureUnknown)
		case asked.Value.Done:
			return nil, domain.At("/id", domain.ErrErasureOver)
		case !asked.Value.Open:
			return nil, nil
		}
		return dcb.Emit(domain.ErasureCancelled{Erasure: c.ID, User: asked.Value.User})
	})
}

// EraseAgain erases a user whom the erasure ledger names and the log does not: the database was restored from a backup that
// is older than the erasure. It is no command of callers. No rule stops it: each has been asked the first time.
type EraseAgain struct{ User domain.UserID }

// erasedBefore is the reason that the log then gives.
const erasedBefore = "erased before; the database was restored from an older backup"

func (c EraseAgain) Target() dcb.Tagger { return c.User }

func (c EraseAgain) Decide(env Env) dcb.Decision {
	e := env.erasing(c.User)
	return dcb.From(e.facts()...).Then(e.places.next).Decide(func() ([]dcb.Event, error) {
		if !e.user.Value.Exists() {
			return nil, nil
		}
		id := e.latest.Value.ID
		if !e.latest.Value.Open {
			id.UUID = domain.NamedID(env.Tenant, "erasure", c.User.String())
		}
		return e.events(id, erasedBefore), nil
	})
}

// erasing is an erasure on its way: all that a user has and that ends with them.
type erasing struct {
	env         Env
	id          domain.UserID
	user        *dcb.Fact[domain.User]
	latest      *dcb.Fact[domain.Erasure]
	address     *dcb.Fact[domain.Policy]
	identities  *dcb.Fact[[]domain.IdentityLinked]
	credentials *dcb.Fact[domain.Credentials]
	sessions    *dcb.Fact[[]domain.SessionID]
	links       *dcb.Fact[[]domain.LiveLink]
	places      *places // in groups of other tenants
	admins      *administrators
}

func (env Env) erasing(u domain.UserID) *erasing {
	return &erasing{
		env: env, id: u, user: domain.UserOf(u), latest: domain.ErasureOfUser(u), address: domain.PolicyOf(env.Tenant, domain.ErasedEmail),
		identities: domain.IdentitiesOf(u), credentials: domain.CredentialsOf(u), sessions: domain.SessionsOf(u, env.Now),
		links: domain.LinksOf(u), places: env.places(u), admins: env.administrators(),
	}
}

func (e *erasing) facts() []dcb.AnyFact {
	return append(append(e.admins.facts(), e.places.facts()...), e.user, e.latest, e.address, e.identities, e.credentials, e.sessions, e.links)
}

func (e *erasing) next() []dcb.AnyFact { return append(e.admins.next(), e.places.next()...) }

// refusal is what forbids that the caller erases the user, nil if nothing does. The same holds for who asks and who approves.
func (e *erasing) refusal() error {
	switch {
	case e.env.Self(e.id):
		return domain.ErrSelf
	case e.admins.last(func(a domain.Assignment) bool { return a.To.User == e.id }):
		return domain.ErrLastAdmin
	case !e.env.covers(e.id):
		return domain.ErrMayNotErase
	}
	return nil
}

// events take everything away first, and the person last.
func (e *erasing) events(id domain.ErasureID, reason string) (all []dcb.Event) {
	for _, i := range e.identities.Value {
		all = append(all, domain.IdentityUnlinked{Identity: i.Identity, User: e.id, Released: i.Key})
	}
	for _, c := range e.credentials.Value {
		all = append(all, domain.CredentialRemoved{Credential: c.ID, User: e.id})
	}
	for _, s := range e.sessions.Value {
		all = append(all, domain.SessionEnded{Session: s, User: e.id, Reason: domain.SessionErased})
	}
	for _, l := range e.links.Value {
		all = append(all, domain.LinkRevoked{Link: l.ID, User: e.id})
	}
	all = append(all, e.places.events(domain.EndedWithErasure)...)
	gone := domain.UserErased{User: e.id, Erases: e.id.UUID, Erasure: id, Department: e.user.Value.Department, Reason: reason}
	if e.address.Value.Value == "free" {
		gone.Released = e.user.Value.EmailKey
	}
	return append(all, gone)
}
