// Package commands holds what callers may ask for, as pure decisions over history. It never writes a table.
package commands

import (
	"context"
	"reflect"
	"strings"
	"time"
	"unicode"

	"github.com/google/uuid"

	"chancery/domain"
	"chancery/internal/dcb"
)

// Command is something a caller asks for. Decide is pure: the same history gives the same events.
type Command interface {
	Decide(Env) dcb.Decision
}

// Env is what a decision may know besides history.
type Env struct {
	Tenant   domain.TenantID
	Now      time.Time // when it takes effect: now, or the past time of an imported command
	Rights   Rights
	Resolver Resolver
	Secret   func(purpose string, id uuid.UUID) string // a token for id; the same for a repeated request
	Hash     func(token string) (prefix string, hash []byte)
	Authn    Authn

	Home       domain.TenantID  // that the actor belongs to
	Session    domain.SessionID // in which the request is made, if it is
	Token      domain.TokenID   // the API token by which it is made, if it is
	App        string           // for which the request's token speaks, if it does
	Privileged bool             // the caller holds the command's privilege; false is possible only where Spec.Own is set
	IP, Agent  string           // where the request came from; empty where that is not known
	Powerful   func(domain.UserID) bool
	Mails      bool   // mail can be sent from here
	Version    string // of Chancery itself, such as 1.4.0; what is no released version works with every app

	PrivateWebhooks bool // the operator lets webhooks into networks of their own, so without TLS and to any port too

	Assigned func() []domain.RoleID // the roles that are assigned in the tenant, as far as Rights have seen; nil: they do not know
	// Begins reports whether privileges of the platform begin with the app's name, as far as Rights have seen. May be nil: they do not know.
	Begins func(domain.App) bool
	// Judge says what the constraints of a tenant make of a change. May be nil: there are none.
	Judge func(domain.Change) domain.Verdict
	// Keygen makes the seed of a signing key's private key (RFC 8032, section 5.1.5); the same for a repeated request.
	Keygen func(domain.SigningKeyID) [32]byte
	// Tally is what a meter or a pool of endpoints shows, and Seats who has seats of a pool, as far as Rights have seen, which is all that the decision
	// has; see domain.Tallied. What the same request decided before it is not in them.
	Tally func(domain.Key) domain.Tally
	Seats func(domain.Key) domain.Seats
	// Recorded reports whether the tenant has an event of that id, and Reached whether it has one of that tenant_seq. May be nil: it has none.
	Recorded func(context.Context, uuid.UUID) (bool, error)
	Reached  func(ctx context.Context, seq int64) (bool, error)
	// Delivers reports whether an event was or is to be delivered to an endpoint, as of now. May be nil: it is not.
	Delivers func(ctx context.Context, id domain.EndpointID, event uuid.UUID) (bool, error)
	// Checkpoint is how far the consumer of a pull endpoint has come, as of now. May be nil: it has not said so.
	Checkpoint func(context.Context, domain.EndpointID) (domain.Checkpoint, error)
	// Ahead is what the same request decided before this, as far as it is recorded in that tenant. May be nil: nothing.
	Ahead func(domain.TenantID) []dcb.Event
	// counts keeps what is made of Ahead, for all decisions of a batch. May be nil: each makes its own.
	counts *counts
	// Found takes the id of what is there already, where that is all that was asked for; see Finding. May be nil: nobody asks.
	Found func(uuid.UUID)

	// At most one of the two: the actor acts for Rights.Effective.
	Delegation    domain.DelegationID
	Impersonation domain.ImpersonationID
}

// powerful reports whether somebody holds so much that their password is worth more work.
func (env Env) powerful(u domain.UserID) bool { return env.Powerful != nil && env.Powerful(u) }

// Mine reports whether what u may do to themselves, the caller may: it is the caller, or whom they act as. A delegate uses
// rights, and is nobody else for it.
func (env Env) Mine(u domain.UserID) bool {
	return !u.IsZero() && env.Delegation.IsZero() && u == env.Rights.Effective()
}

// Self reports whether u is the caller, or whom they act for.
func (env Env) Self(u domain.UserID) bool {
	return !u.IsZero() && (u == env.Rights.Actor() || u == env.Rights.Effective())
}

// Rights is what the acting user holds, under every ceiling of the request.
type Rights interface {
	Actor() domain.UserID
	// Effective is whose rights they are: the actor's own unless they act for somebody else.
	Effective() domain.UserID
	// Holds reports whether the actor has every privilege of the pattern on the scope.
	Holds(domain.Pattern, domain.Scope) bool
	// Denied reports whether an override keeps something of the pattern from the actor on the scope.
	Denied(domain.Pattern, domain.Scope) bool
	// HoldsEverything reports whether nothing is kept from the actor in the tenant.
	HoldsEverything() bool
	// Covers reports whether the actor has every right that the other user has.
	Covers(domain.UserID) bool
	// WithinCeiling reports whether all of the patterns lie under the ceiling of the request's own token.
	WithinCeiling([]domain.Pattern) bool
	// Until is when the request's own token ends, and what it hands out with it; zero for no bound.
	Until() time.Time
}

// Resolver asks DNS.
type Resolver interface {
	// TXT returns the TXT records of a name; none is no error.
	TXT(ctx context.Context, name string) ([]string, error)
}

// Optional sides of a command.
type (
	// Creating is a command that makes a new thing; a zero id is filled in before it is decided.
	Creating interface{ NewID() *uuid.UUID }
	// Targeted is a command about one thing.
	Targeted interface{ Target() dcb.Tagger }
	// Paired is a command about one thing that is not named by its id alone.
	Paired interface {
		Pair(domain.TenantID) (kind string, things []dcb.Tagger)
	}
	// Scoped is a command that needs its privilege on a scope only.
	Scoped interface{ Scope() domain.Scope }
	// Revealing is a command whose answer tells something that is kept nowhere.
	Revealing interface {
		Reveal(Env) (name, value string)
	}
	// Disclosing is a command whose answer holds something sealed. It is opened only when the events that record the disclosure
	// are durable and stand in the tables; if that fails, nothing is disclosed. It MUST be Spec.Anew: each disclosure has a record of its own.
	Disclosing interface {
		Disclose(events []dcb.Event) (name string, value *dcb.Fact[dcb.Sealed])
	}
	// Finding is a command that may find there already what it asks for. It tells Env.Found, and the answer names that.
	Finding interface{ Finds() }
	// Handing is a command whose answer holds something signed that is kept nowhere. It is made of the event that records it, when that
	// is durable, and is the same for a repeated request. What is sealed the decision opens that makes it, not the one that records it.
	Handing interface {
		Hand(env Env, recorded dcb.Event, out func(name, value string)) dcb.Decision
	}
	// Erasing is a command that may destroy a data key. It is answered only when that is on record outside of the database,
	// also where it was done before: see Engine.Erased.
	Erasing interface {
		Erasing()
	}
	// Proving is a command that may show something that could be guessed: it is throttled as a sign-in.
	Proving interface{ Proves() bool }
	// Abroad is a command that may be about another tenant than the one it is sent to.
	Abroad interface {
		Destination(sent domain.TenantID) domain.TenantID
	}
)

// Spec is a command in the registry.
type Spec struct {
	Name      string // kebab-case
	Privilege domain.Privilege
	Doc       string
	Platform  bool // the privilege is needed on the platform
	Revives   bool // runs in a tenant that is suspended or closed
	Own       bool // who lacks the privilege may still do it to themselves, or within a scope that only Decide finds: it asks Env
	StepUp    bool // a session needs a fresh proof of who its user is; API tokens are bounded by their scopes instead
	Anew      bool // decided for each request, whatever Idempotency-Key it comes with
	Signed    bool // only for sessions, not for API tokens
	Zero      Command
}

func of[C Command](privilege domain.Privilege, doc string) Spec {
	var zero C
	return Spec{Name: kebab(reflect.TypeFor[C]().Name()), Privilege: privilege, Doc: doc, Zero: zero}
}

func (s Spec) onPlatform() Spec { s.Platform = true; return s }
func (s Spec) reviving() Spec   { s.Revives = true; return s }
func (s Spec) own() Spec        { s.Own = true; return s }
func (s Spec) anew() Spec       { s.Anew = true; return s }
func (s Spec) stepUp() Spec     { s.StepUp = true; return s }
func (s Spec) signed() Spec     { s.Signed = true; return s }

// New returns a pointer to an empty command, to be decoded into.
func (s Spec) New() any { return reflect.New(reflect.TypeOf(s.Zero)).Interface() }

// Named finds a command.
func Named(name string) (*Spec, bool) {
	s, ok := byName[name]
	return s, ok
}

var byName = func() map[string]*Spec { // an index of the registry, never changed
	m := make(map[string]*Spec, len(Registry))
	for i := range Registry {
		m[Registry[i].Name] = &Registry[i]
	}
	return m
}()

func kebab(s string) string {
	var b strings.Builder
	upper := func(i int) bool { return i < len(s) && unicode.IsUpper(rune(s[i])) }
	for i, r := range s {
		if upper(i) && i > 0 && (!upper(i-1) || i+1 < len(s) && !upper(i+1)) {
			b.WriteByte('-')
		}
		b.WriteRune(unicode.ToLower(r))
	}
	return b.String()
}
