package access

import (
	"crypto/sha256"
	"slices"
	"strconv"
	"sync/atomic"
	"time"

	"chancery/domain"
	"chancery/internal/dcb"
)

// session is one that nobody has ended. What is recorded moves with the log; used is when this process saw it last, in
// nanoseconds, and readers move it while they hold the lock for reading.
type session struct {
	id        domain.SessionID
	user      domain.UserID
	home      domain.TenantID
	issuer    domain.IssuerID // zero: none vouched for the user
	hash      []byte
	methods   []string // of all proofs, each once
	proven    time.Time
	scopes    []domain.Pattern // never nil
	idle      time.Duration
	recorded  time.Time
	used      atomic.Int64
	expiresAt time.Time
}

// SessionIdle is why a session's token is not accepted that was not used for long. One that was ended is unknown.
const SessionIdle Reason = "session-idle"

// seenParts is how many times in its idle span a session that is in use is put on record.
const seenParts = 4

func (x *Index) foldSession(t *tenant, event dcb.Event, at time.Time) {
	change := func(id domain.SessionID, fn func(s *session)) {
		if s := x.sessions[id]; s != nil && s.home == t.id {
			fn(s)
		}
	}
	switch e := event.(type) {
	case domain.SessionStarted:
		if x.sessions[e.Session] != nil {
			return
		}
		x.sweepSessions(at)
		s := &session{
			id: e.Session, user: e.User, home: t.id, issuer: e.Issuer, hash: slices.Clone(e.Hash), methods: slices.Clone(e.Methods), proven: at,
			scopes: everything, idle: time.Duration(e.Idle) * time.Second, recorded: at, expiresAt: e.ExpiresAt,
		}
		if e.Scopes != nil {
			s.scopes = slices.Clip(append([]domain.Pattern{}, e.Scopes...))
		}
		if !e.ProvenAt.IsZero() && e.ProvenAt.Before(at) {
			s.proven = e.ProvenAt
		}
		x.sessions[e.Session] = s
	case domain.SessionSeen:
		change(e.Session, func(s *session) { s.recorded = at })
	case domain.SessionElevated:
		change(e.Session, func(s *session) {
			s.recorded, s.proven = at, at
			for _, m := range e.Methods {
				if !slices.Contains(s.methods, m) {
					s.methods = append(slices.Clip(s.methods), m)
				}
			}
			if slices.Contains(e.Methods, domain.ByMany) {
				s.scopes = everything
			}
		})
	case domain.SessionEnded:
		change(e.Session, func(s *session) { delete(x.sessions, s.id) })
	}
}

// sweepSessions forgets those that are over, once there may be as many of them as of others. One that no process has put on
// record for two idle spans no process would accept.
func (x *Index) sweepSessions(now time.Time) {
	if len(x.sessions) < x.sweepAt {
		return
	}
	for id, s := range x.sessions {
		if !now.Before(s.expiresAt) || now.Sub(s.recorded) > 2*s.idle {
			delete(x.sessions, id)
		}
	}
	x.sweepAt = max(fewSessions, 2*len(x.sessions))
}

const fewSessions = 64

// AuthenticateSession tells who presents a session's token whose hash is hash, and notes that it is in use. The hash is
// compared as Authenticate does it.
func (x *Index) AuthenticateSession(id domain.SessionID, hash [sha256.Size]byte, now time.Time) (Caller, error) {
	x.mu.RLock()
	defer x.mu.RUnlock()
	s := x.sessions[id]
	if s == nil {
		return Caller{}, compare(nil, hash)
	}
	if err := compare(s.hash, hash); err != nil {
		return Caller{}, err
	}
	if why := x.sessionOver(s, now); why != "" {
		return Caller{}, &Rejection{why}
	}
	u, err := x.admitHome(s.user, s.home)
	if err != nil {
		return Caller{}, err
	}
	s.use(now)
	return Caller{
		User: u.id, Tenant: s.home, Session: s.id, Scopes: s.scopes, ExpiresAt: s.expiresAt, Methods: s.methods, AuthenticatedAt: s.proven,
		ProofLasts: u.home.proofLasts, Unseen: now.Sub(s.recorded) >= s.idle/seenParts,
	}, nil
}

// sessionOver tells why a session is not accepted any more; empty if it is.
func (x *Index) sessionOver(s *session, now time.Time) Reason {
	switch {
	case !now.Before(s.expiresAt):
		return TokenExpired
	case !now.Before(s.lastUse().Add(s.idle)):
		return SessionIdle
	case s.issuer != (domain.IssuerID{}) && !x.issuers.known[s.issuer].Enabled:
		return IssuerOver
	}
	return ""
}

// Sessions is how many sessions are kept in memory.
func (x *Index) Sessions() int {
	x.mu.RLock()
	defer x.mu.RUnlock()
	return len(x.sessions)
}

// lastUse is the newest there is, on record or in this process.
func (s *session) lastUse() time.Time {
	if used := s.used.Load(); used > s.recorded.UnixNano() {
		return time.Unix(0, used)
	}
	return s.recorded
}

// use never goes back.
func (s *session) use(now time.Time) {
	for n := now.UnixNano(); ; {
		old := s.used.Load()
		if old >= n || s.used.CompareAndSwap(old, n) {
			return
		}
	}
}

// Powerful reports whether a user's account is worth more than others: they hold everything in their tenant, or anything at all
// on the platform, at some time to come.
func (x *Index) Powerful(id domain.UserID, at time.Time) bool {
	x.mu.RLock()
	defer x.mu.RUnlock()
	u := x.users[id]
	if u == nil {
		return false
	}
	g := x.grantsOf(u)
	for i := range g.wide {
		if !g.wide[i].over(at) && (u.home == x.root || g.wide[i].set.everything) {
			return true
		}
	}
	return u.home == x.root && len(g.scoped) > 0
}

// proofLasts is how old the last proof of a session may be for a dangerous command, as a tenant's policy says.
func proofLasts(minutes string) time.Duration {
	n, err := strconv.Atoi(minutes)
	if err != nil {
		return 0
	}
	return time.Duration(n) * time.Minute
}
