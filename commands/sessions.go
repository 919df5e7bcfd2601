package commands

import (
	"slices"
	"time"

	"chancery/domain"
	"chancery/internal/dcb"
)

// newSession is a session on its way: what its user is, and how long the tenant lets it live.
type newSession struct {
	env      Env
	id       domain.SessionID
	user     domain.UserID
	status   *dcb.Fact[domain.User]
	idle     *dcb.Fact[domain.Policy]
	hours    *dcb.Fact[domain.Policy]
	required *dcb.Fact[domain.Policy]
}

func (env Env) newSession(id domain.SessionID, user domain.UserID) *newSession {
	return &newSession{
		env: env, id: id, user: user, status: domain.UserStatusOf(user), idle: domain.PolicyOf(env.Tenant, domain.SessionIdle),
		hours: domain.PolicyOf(env.Tenant, domain.SessionHours), required: domain.PolicyOf(env.Tenant, domain.FactorRequired),
	}
}

func (s *newSession) facts() []dcb.AnyFact {
	return []dcb.AnyFact{s.status, s.idle, s.hours, s.required}
}

// active reports whether the user may act at all.
func (s *newSession) active() bool { return s.status.Value.Status == domain.UserActive }

// started is the session. Where a second factor is demanded and none was shown, all it may do is to enroll one; an issuer
// answers for its own factors.
func (s *newSession) started(methods []string, ticket domain.TicketID, issuer domain.IssuerID) domain.SessionStarted {
	_, hash := s.env.Hash(s.env.Secret("session", s.id.UUID))
	e := domain.SessionStarted{
		Session: s.id, User: s.user, Hash: hash, Methods: methods, Ticket: ticket, Issuer: issuer,
		Idle:      s.idle.Value.Number() * 60,
		ExpiresAt: s.env.Now.Add(time.Duration(s.hours.Value.Number()) * time.Hour).Truncate(time.Second),
		IP:        dcb.Plain(s.env.IP), Agent: dcb.Plain(s.env.Agent),
	}
	if s.required.Value.IsTrue() && issuer == (domain.IssuerID{}) && !slices.Contains(methods, domain.ByMany) {
		e.Scopes = []domain.Pattern{domain.Enrolling}
	}
	return e
}

// EndSession ends a session: one's own, or somebody else's.
type EndSession struct {
	ID domain.SessionID `json:"id" required:"true" description:"the session"`
}

func (c EndSession) Target() dcb.Tagger { return c.ID }

func (c EndSession) Decide(env Env) dcb.Decision {
	s := domain.SessionOf(c.ID)
	return dcb.From(s).Decide(func() ([]dcb.Event, error) {
		switch {
		case s.Value.User.IsZero(), !env.Privileged && !env.Mine(s.Value.User):
			return nil, domain.At("/id", domain.ErrSessionUnknown)
		case !s.Value.Live:
			return nil, nil
		}
		reason := domain.EndedRemotely
		if c.ID == env.Session {
			reason = domain.SignedOut
		}
		return dcb.Emit(domain.SessionEnded{Session: c.ID, User: s.Value.User, Reason: reason})
	})
}

// EndSessions ends all other sessions of the caller, or all of another user.
type EndSessions struct {
	User domain.UserID `json:"user_id,omitzero" description:"the caller if absent, whose present session goes on"`
}

// Target is the user, if one is named.
func (c EndSessions) Target() dcb.Tagger { return c.User }

func (c EndSessions) Decide(env Env) dcb.Decision {
	if c.User.IsZero() {
		c.User = env.Rights.Actor()
	}
	user, all := domain.UserStatusOf(c.User), domain.SessionsOf(c.User, env.Now)
	return dcb.From(user, all).Decide(func() ([]dcb.Event, error) {
		switch {
		case !env.Privileged && !env.Mine(c.User):
			return nil, domain.ErrNotAllowed
		case !user.Value.Exists():
			return nil, domain.At("/user_id", domain.ErrUserUnknown)
		}
		return endAll(c.User, all.Value, env.Session, domain.EndedRemotely), nil
	})
}

// SignOut ends the session in which it is said. It is no command of the registry: whoever has a session may.
type SignOut struct{ Session domain.SessionID }

func (c SignOut) Target() dcb.Tagger { return c.Session }

func (c SignOut) Decide(Env) dcb.Decision {
	s := domain.SessionOf(c.Session)
	return dcb.From(s).Decide(func() ([]dcb.Event, error) {
		if !s.Value.Live {
			return nil, nil
		}
		return dcb.Emit(domain.SessionEnded{Session: c.Session, User: s.Value.User, Reason: domain.SignedOut})
	})
}

// CloseSession ends a session because of something else that ended. It is no command of callers.
type CloseSession struct {
	ID     domain.SessionID
	Reason string
}

func (c CloseSession) Target() dcb.Tagger { return c.ID }

func (c CloseSession) Decide(Env) dcb.Decision {
	s := domain.SessionOf(c.ID)
	return dcb.From(s).Decide(func() ([]dcb.Event, error) {
		if !s.Value.Live {
			return nil, nil
		}
		return dcb.Emit(domain.SessionEnded{Session: c.ID, User: s.Value.User, Reason: c.Reason})
	})
}

// ExpireSession says that the longest life of a session is over. It is no command of callers: Chancery gives it to itself when
// that is due. Saying it twice changes nothing.
type ExpireSession struct{ ID domain.SessionID }

func (c ExpireSession) Target() dcb.Tagger { return c.ID }

func (c ExpireSession) Decide(env Env) dcb.Decision {
	s := domain.SessionOf(c.ID)
	return dcb.From(s).Decide(func() ([]dcb.Event, error) {
		if !s.Value.Live || env.Now.Before(s.Value.ExpiresAt) {
			return nil, nil
		}
		return dcb.Emit(domain.SessionEnded{Session: c.ID, User: s.Value.User, Reason: domain.SessionExpired})
	})
}
