package domain

import (
	"slices"
	"time"

	"github.com/google/uuid"

	"chancery/internal/dcb"
)

// SessionStarted says that a user signed in. Only the hash of the session's token is kept.
type SessionStarted struct {
	Session   SessionID    `json:"session"`
	User      UserID       `json:"user"`
	Hash      []byte       `json:"hash"`               // SHA-256 of the whole token
	Methods   []string     `json:"methods"`            // how, as RFC 8176 names authentication methods
	Ticket    TicketID     `json:"ticket,omitzero"`    // of the challenge that was answered; no other session starts with it
	Issuer    IssuerID     `json:"issuer,omitzero"`    // the OpenID provider that vouched for the user
	Idle      int          `json:"idle_seconds"`       // the session ends when it was not used for so long
	ExpiresAt time.Time    `json:"expires_at"`         // and at this time in any case
	ProvenAt  time.Time    `json:"proven_at,omitzero"` // when the issuer last saw the user, where that is longer ago
	Scopes    []Pattern    `json:"scopes,omitzero"`    // the most that it may do until a second factor was shown in it; none: no bound
	IP        dcb.Personal `json:"ip,omitzero"`
	Agent     dcb.Personal `json:"user_agent,omitzero"`
}

// SessionSeen says that a session was used; it is recorded a few times per idle span, not at every request.
type SessionSeen struct {
	Session SessionID `json:"session"`
	User    UserID    `json:"user"`
}

// SessionElevated says that the user has proven who they are once more.
type SessionElevated struct {
	Session SessionID `json:"session"`
	User    UserID    `json:"user"`
	Methods []string  `json:"methods"` // those of this proof; with mfa among them, what bounded the session falls
	Ticket  TicketID  `json:"ticket,omitzero"`
}

// SessionEnded ends a session: signed out, ended by somebody, by a change of credentials, or by its time.
type SessionEnded struct {
	Session SessionID `json:"session"`
	User    UserID    `json:"user"`
	Reason  string    `json:"reason,omitzero"`
}

func (SessionStarted) EventType() string  { return "session.started" }
func (SessionSeen) EventType() string     { return "session.seen" }
func (SessionElevated) EventType() string { return "session.elevated" }
func (SessionEnded) EventType() string    { return "session.ended" }

func (e SessionStarted) DataSubject() uuid.UUID { return e.User.UUID }

var sessionEvents = dcb.Kind("session",
	dcb.Of[SessionStarted](), dcb.Of[SessionSeen](), dcb.Of[SessionElevated](), dcb.Of[SessionEnded]())

var (
	ErrSessionUnknown = &Refusal{Missing, "not-found", "there is no such session here"}
	ErrSessionNeeded  = &Refusal{Forbidden, "session-required", "only somebody who has signed in can do this; an API token cannot"}
	// ErrStepUp asks for a fresh proof (RFC 9470).
	ErrStepUp = &Refusal{Unproven, "step-up-required", "prove who you are once more: the last proof is too old for this command"}
)

// Enrolling is all that a session may do that was started with a password alone, where a second factor is demanded and the
// user has none yet.
const Enrolling Pattern = "core.credentials.enroll.*"

// Why sessions end.
const (
	SignedOut          = "signed-out"
	CredentialsChanged = "credentials-changed"
	EndedRemotely      = "ended" // from another session, or by somebody else
	EndedWithUser      = "user-deactivated"
	SessionExpired     = "expired" // by its longest life; that it was idle for too long is no event
)

// Methods of authentication (RFC 8176, section 2).
const (
	ByPassword    = "pwd"
	ByOneTimeCode = "otp"
	ByPasskey     = "hwk"
	ByRecovery    = "recovery" // ours: the RFC has no name for it
	ByIssuer      = "fed"      // ours: an OpenID provider said so
	ByMany        = "mfa"
)

// Session is what decisions need to know of one.
type Session struct {
	ID        SessionID
	User      UserID
	Methods   []string  // of its last proof
	ExpiresAt time.Time // whatever happens
	Live      bool      // nothing has ended it; it may be over by its time
}

// Proven reports whether one of the methods was among its last proof.
func (s Session) Proven(by ...string) bool {
	return slices.ContainsFunc(s.Methods, func(m string) bool { return slices.Contains(by, m) })
}

// SessionOf is one session.
func SessionOf(id SessionID) *dcb.Fact[Session] {
	return dcb.Ask(Session{}, tags(id),
		dcb.On(func(s *Session, e SessionStarted) { *s = Session{e.Session, e.User, e.Methods, e.ExpiresAt, true} }),
		dcb.On(func(s *Session, e SessionElevated) { s.Methods = e.Methods }),
		dcb.On(func(s *Session, _ SessionEnded) { s.Live = false }),
	)
}

// SessionsOf are the sessions of a user that nobody has ended and that are not over at now, in the order of their starts.
func SessionsOf(u UserID, now time.Time) *dcb.Fact[[]SessionID] {
	return dcb.Ask([]SessionID(nil), tags(u),
		dcb.On(func(all *[]SessionID, e SessionStarted) {
			if now.Before(e.ExpiresAt) {
				*all = append(*all, e.Session)
			}
		}),
		dcb.On(func(all *[]SessionID, e SessionEnded) {
			for i, id := range *all {
				if id == e.Session {
					*all = append((*all)[:i:i], (*all)[i+1:]...)
					return
				}
			}
		}),
	)
}

// TicketUsed reports whether a challenge was answered.
func TicketUsed(t TicketID) *dcb.Fact[bool] {
	return dcb.Ask(false, tags(t),
		dcb.On(func(used *bool, _ SessionStarted) { *used = true }),
		dcb.On(func(used *bool, _ SessionElevated) { *used = true }),
		dcb.On(func(used *bool, _ PasskeyRegistered) { *used = true }),
	).Sole()
}
