// Package domain holds what happened: events, the values in them, and facts about them. It never acts.
package domain

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/google/uuid"
	"golang.org/x/text/unicode/norm"

	"chancery/internal/dcb"
)

// Ids of the things of the platform. An id is never reused.
type (
	TenantID     struct{ uuid.UUID }
	DomainID     struct{ uuid.UUID }
	DepartmentID struct{ uuid.UUID }
	GroupID      struct{ uuid.UUID }
	MembershipID struct{ uuid.UUID }
	PolicyID     struct{ uuid.UUID }
	UserID       struct{ uuid.UUID }
	IdentityID   struct{ uuid.UUID }
	TokenID      struct{ uuid.UUID }
	RoleID       struct{ uuid.UUID }
	AssignmentID struct{ uuid.UUID }
	OverrideID   struct{ uuid.UUID }
	CredentialID struct{ uuid.UUID }
	SessionID    struct{ uuid.UUID }
	TicketID     struct{ uuid.UUID } // of a challenge that is answered once
	LinkID       struct{ uuid.UUID }
	IssuerID     struct{ uuid.UUID }
	SecretID     struct{ uuid.UUID }
	VersionID    struct{ uuid.UUID } // of a secret
	ErasureID    struct{ uuid.UUID }

	DelegationID    struct{ uuid.UUID }
	ImpersonationID struct{ uuid.UUID }
	InvitationID    struct{ uuid.UUID } // to a group of another tenant
	ApprovalID      struct{ uuid.UUID } // the id of the assignment or the delegation that it is about
	ConstraintID    struct{ uuid.UUID }
	ReviewID        struct{ uuid.UUID }
	AccessID        struct{ uuid.UUID } // the id of the user whose access it is

	VendorID     struct{ uuid.UUID } // the id of the tenant that it is
	SigningKeyID struct{ uuid.UUID }
	AppID        struct{ uuid.UUID } // made of its name, see App.ID
	AppVersionID struct{ uuid.UUID } // made of the app's name and the number, see App.VersionID
	TenantAppID  struct{ uuid.UUID } // made of the tenant and the app's name, see App.In
	LicenseID    struct{ uuid.UUID }
	UsageID      struct{ uuid.UUID }
	SeatID       struct{ uuid.UUID }
	ActivationID struct{ uuid.UUID }

	EndpointID       struct{ uuid.UUID }
	EndpointSecretID struct{ uuid.UUID } // a version of an endpoint's keys
	ConsumptionID    struct{ uuid.UUID } // made of the app and the event, see ConsumedBy
	CheckpointID     struct{ uuid.UUID } // the id of the endpoint; its tag is another, so that checkpoints do not change the endpoint

	// Held is all licences that a tenant holds for an app, see App.HeldBy. Its tag stands on every event about one of them.
	Held struct{ uuid.UUID }

	// OfApp is the app that a licence is for. It is no tag: of a licence nothing follows for the app.
	OfApp struct{ uuid.UUID }

	// OfLicense is the licence under which something is taken. It is no tag: taking something does not change the licence.
	OfLicense struct{ uuid.UUID }

	// HomeID is the tenant that somebody named in an event belongs to. It is no tag: the event is not about that tenant.
	HomeID struct{ uuid.UUID }
)

// HomeIn is the tenant as the home of somebody.
func HomeIn(t TenantID) HomeID { return HomeID(t) }

// Tenant is the tenant itself.
func (id HomeID) Tenant() TenantID { return TenantID(id) }

// IsZero reports whether it is absent.
func (id HomeID) IsZero() bool { return id.UUID == uuid.Nil }

func (id TenantID) Tag() dcb.Tag     { return tagged("tenant", id.UUID) }
func (id DomainID) Tag() dcb.Tag     { return tagged("domain", id.UUID) }
func (id DepartmentID) Tag() dcb.Tag { return tagged("department", id.UUID) }
func (id GroupID) Tag() dcb.Tag      { return tagged("group", id.UUID) }
func (id MembershipID) Tag() dcb.Tag { return tagged("membership", id.UUID) }
func (id PolicyID) Tag() dcb.Tag     { return tagged("policy", id.UUID) }
func (id UserID) Tag() dcb.Tag       { return tagged("user", id.UUID) }
func (id IdentityID) Tag() dcb.Tag   { return tagged("identity", id.UUID) }
func (id TokenID) Tag() dcb.Tag      { return tagged("token", id.UUID) }
func (id RoleID) Tag() dcb.Tag       { return tagged("role", id.UUID) }
func (id AssignmentID) Tag() dcb.Tag { return tagged("assignment", id.UUID) }
func (id OverrideID) Tag() dcb.Tag   { return tagged("override", id.UUID) }

func (id CredentialID) Tag() dcb.Tag { return tagged("credential", id.UUID) }
func (id SessionID) Tag() dcb.Tag    { return tagged("session", id.UUID) }
func (id TicketID) Tag() dcb.Tag     { return tagged("ticket", id.UUID) }
func (id LinkID) Tag() dcb.Tag       { return tagged("link", id.UUID) }
func (id IssuerID) Tag() dcb.Tag     { return tagged("issuer", id.UUID) }
func (id SecretID) Tag() dcb.Tag     { return tagged("secret", id.UUID) }
func (id VersionID) Tag() dcb.Tag    { return tagged("secret-version", id.UUID) }
func (id ErasureID) Tag() dcb.Tag    { return tagged("erasure", id.UUID) }

func (id DelegationID) Tag() dcb.Tag    { return tagged("delegation", id.UUID) }
func (id ImpersonationID) Tag() dcb.Tag { return tagged("impersonation", id.UUID) }
func (id InvitationID) Tag() dcb.Tag    { return tagged("group-invitation", id.UUID) }
func (id ApprovalID) Tag() dcb.Tag      { return tagged("approval", id.UUID) }
func (id ConstraintID) Tag() dcb.Tag    { return tagged("constraint", id.UUID) }
func (id ReviewID) Tag() dcb.Tag        { return tagged("review", id.UUID) }
func (id AccessID) Tag() dcb.Tag        { return tagged("access", id.UUID) }

func (id VendorID) Tag() dcb.Tag     { return tagged("vendor", id.UUID) }
func (id SigningKeyID) Tag() dcb.Tag { return tagged("signing-key", id.UUID) }
func (id AppID) Tag() dcb.Tag        { return tagged("app", id.UUID) }
func (id AppVersionID) Tag() dcb.Tag { return tagged("app-version", id.UUID) }
func (id TenantAppID) Tag() dcb.Tag  { return tagged("tenant-app", id.UUID) }
func (id LicenseID) Tag() dcb.Tag    { return tagged("license", id.UUID) }
func (h Held) Tag() dcb.Tag          { return tagged("licenses-held", h.UUID) }
func (id UsageID) Tag() dcb.Tag      { return tagged("usage", id.UUID) }
func (id SeatID) Tag() dcb.Tag       { return tagged("seat", id.UUID) }
func (id ActivationID) Tag() dcb.Tag { return tagged("activation", id.UUID) }

func (id EndpointID) Tag() dcb.Tag       { return tagged("endpoint", id.UUID) }
func (id EndpointSecretID) Tag() dcb.Tag { return tagged("endpoint-secret", id.UUID) }
func (id ConsumptionID) Tag() dcb.Tag    { return tagged("consumption", id.UUID) }
func (id CheckpointID) Tag() dcb.Tag     { return tagged("checkpoint", id.UUID) }

func tagged(kind string, id uuid.UUID) dcb.Tag {
	if id == uuid.Nil {
		return ""
	}
	return dcb.Tag(kind + ":" + id.String())
}

func tags(ids ...dcb.Tagger) []dcb.Tag {
	all := make([]dcb.Tag, len(ids))
	for i, id := range ids {
		all[i] = id.Tag()
	}
	return all
}

// IsZero reports whether the id is absent.
func (id TenantID) IsZero() bool     { return id.UUID == uuid.Nil }
func (id DepartmentID) IsZero() bool { return id.UUID == uuid.Nil }
func (id GroupID) IsZero() bool      { return id.UUID == uuid.Nil }
func (id UserID) IsZero() bool       { return id.UUID == uuid.Nil }
func (id SessionID) IsZero() bool    { return id.UUID == uuid.Nil }
func (id RoleID) IsZero() bool       { return id.UUID == uuid.Nil }
func (id TokenID) IsZero() bool      { return id.UUID == uuid.Nil }

func (id DelegationID) IsZero() bool    { return id.UUID == uuid.Nil }
func (id ImpersonationID) IsZero() bool { return id.UUID == uuid.Nil }

func (id SigningKeyID) IsZero() bool { return id.UUID == uuid.Nil }
func (id AppVersionID) IsZero() bool { return id.UUID == uuid.Nil }
func (id LicenseID) IsZero() bool    { return id.UUID == uuid.Nil }
func (id UsageID) IsZero() bool      { return id.UUID == uuid.Nil }
func (id SeatID) IsZero() bool       { return id.UUID == uuid.Nil }
func (id ActivationID) IsZero() bool { return id.UUID == uuid.Nil }
func (id EndpointID) IsZero() bool   { return id.UUID == uuid.Nil }

// Root is the platform itself: the tenant of those who run it.
var Root = TenantID{uuid.MustParse("00000000-0000-0000-0000-000000000001")}

// NamedID is the id of a thing that is known by its name: the same name gives the same id everywhere.
func NamedID(tenant TenantID, kind, name string) uuid.UUID {
	return uuid.NewSHA1(tenant.UUID, []byte(kind+":"+name))
}

// Key is a tag that keeps a name unique within something: kind:scope/name.
type Key string

// Tag makes a key a tag.
func (k Key) Tag() dcb.Tag { return dcb.Tag(k) }

// heldBy is who has the key when the thing id goes by the key now: the thing, or nobody any more.
func (k Key) heldBy(id uuid.UUID, now Key) uuid.UUID {
	if now == k {
		return id
	}
	return uuid.Nil
}

// keyOf takes names for the same that differ only in case, in white space, or in how Unicode composes their letters.
func keyOf(kind string, within uuid.UUID, name string) Key {
	name = norm.NFC.String(strings.ToLower(strings.Join(strings.Fields(name), " ")))
	return Key(kind + ":" + within.String() + "/" + name)
}

// holderOf tells who holds a unique key, from events that claim and release it.
func holderOf(key dcb.Tag, folds ...dcb.Fold[uuid.UUID]) *dcb.Fact[uuid.UUID] {
	return dcb.Ask(uuid.Nil, []dcb.Tag{key}, folds...).Sole()
}

// Kind is what a refusal means to its caller.
type Kind int

const (
	RuleSaidNo Kind = iota // 422
	Missing                // 404: no such thing here
	Forbidden              // 403: the caller may know the thing, and may not do this
	Stale                  // 412: the thing changed since
	Unproven               // 401: who calls has not proven enough of who they are
)

// Refusal is a rule saying no. Code is stable and becomes the problem type of the API.
type Refusal struct {
	Kind Kind
	Code string
	Text string
}

func (r *Refusal) Error() string { return r.Text }

// InputError is a refusal with the place in the input that it is about.
type InputError struct {
	*Refusal
	Pointer string // RFC 6901
	Detail  string
}

func (e *InputError) Error() string { return e.Pointer + ": " + e.Detail }
func (e *InputError) Unwrap() error { return e.Refusal }

// At places a refusal in the input.
func At(pointer string, r *Refusal) error { return &InputError{r, pointer, r.Text} }

// Invalid refuses a value.
func Invalid(pointer, format string, args ...any) error {
	return &InputError{ErrInvalid, pointer, fmt.Sprintf(format, args...)}
}

// Refusals that every feature shares.
var (
	ErrInvalid    = refuse("invalid-value", "a value is not allowed")
	ErrIDTaken    = refuse("id-taken", "the id was used before; ids are never reused")
	ErrNotFound   = &Refusal{Missing, "not-found", "there is no such thing here"}
	ErrStale      = &Refusal{Stale, "stale", "the thing changed after the position in If-Match"}
	ErrTooEarly   = refuse("too-early", "the time precedes the newest event of the tenant, or lies in the future")
	ErrTooMuch    = refuse("too-many-changes", "so many changes cannot be made at once; make some of them first, or send fewer commands together")
	ErrNotAllowed = &Refusal{Forbidden, "not-allowed", "the caller lacks the privilege"}
	ErrDestroyed  = refuse("value-destroyed", "the value was destroyed")
	ErrMayNotGive = &Refusal{Forbidden, "may-not-grant", "nobody hands out rights that they lack"}
)

func refuse(code, text string) *Refusal { return &Refusal{RuleSaidNo, code, text} }

// FirstError is the first of the checks that failed.
func FirstError(checks ...error) error {
	for _, err := range checks {
		if err != nil {
			return err
		}
	}
	return nil
}

// MaxName is the length of the longest name, in characters.
const MaxName = 200

// CheckName refuses a name that is empty, too long, padded, or holds control characters.
func CheckName(pointer, s string) error { return checkText(pointer, s, 1, MaxName, false) }

// CheckText refuses a text that is too long or holds control characters other than line breaks.
func CheckText(pointer, s string) error { return checkText(pointer, s, 0, 2000, true) }

func checkText(pointer, s string, least, most int, lines bool) error {
	n := utf8.RuneCountInString(s)
	switch {
	case n < least:
		return Invalid(pointer, "must not be empty")
	case n > most:
		return Invalid(pointer, "is longer than %d characters", most)
	case strings.TrimSpace(s) != s:
		return Invalid(pointer, "must not begin or end with white space")
	}
	for _, r := range s {
		if unicode.Is(unicode.Bidi_Control, r) || (unicode.IsControl(r) && (!lines || (r != '\n' && r != '\t'))) || r == utf8.RuneError {
			return Invalid(pointer, "holds a character that is not allowed")
		}
	}
	return nil
}

// Window is a span of time, From included and Until excluded. A zero end is open.
type Window struct {
	From  time.Time `json:"from,omitzero"`
	Until time.Time `json:"until,omitzero"`
}

// Contains reports whether t lies in the window.
func (w Window) Contains(t time.Time) bool {
	return !t.Before(w.From) && (w.Until.IsZero() || t.Before(w.Until))
}

// Overlaps reports whether some instant lies in both windows.
func (w Window) Overlaps(o Window) bool {
	return (w.Until.IsZero() || o.From.Before(w.Until)) && (o.Until.IsZero() || w.From.Before(o.Until))
}

// Over reports whether the window has ended by t.
func (w Window) Over(t time.Time) bool { return !w.Until.IsZero() && !t.Before(w.Until) }

// Check refuses a window that is empty or over.
func (w Window) Check(now time.Time) error {
	switch {
	case !w.Until.IsZero() && !w.From.Before(w.Until):
		return Invalid("/until", "must be after from")
	case w.Over(now):
		return Invalid("/until", "lies in the past")
	}
	return nil
}

// Scope says on what a right holds: empty for the whole tenant, else type:id of a resource.
type Scope string

// Check refuses a scope that is not type:id.
func (s Scope) Check(pointer string) error {
	if s == "" {
		return nil
	}
	typ, id, ok := strings.Cut(string(s), ":")
	if !ok || id == "" || len(s) > MaxName || !wellNamed(typ) {
		return Invalid(pointer, "must be type:id, such as repo:website, or absent for the whole tenant")
	}
	return checkText(pointer, id, 1, MaxName, false)
}

// Covers reports whether a right within s holds on o.
func (s Scope) Covers(o Scope) bool { return s == "" || s == o }

func wellNamed(s string) bool {
	if s == "" || len(s) > 63 || s[0] == '-' || s[0] == '_' {
		return false
	}
	return !strings.ContainsFunc(s, func(r rune) bool {
		return (r < 'a' || r > 'z') && (r < '0' || r > '9') && r != '-' && r != '_'
	})
}

// Subjects is whom a right is given to: exactly one of the three.
type Subjects struct {
	User       UserID
	Department DepartmentID
	Group      GroupID
}

// Count is how many of the three are named.
func (s Subjects) Count() int {
	n := 0
	for _, named := range []bool{!s.User.IsZero(), !s.Department.IsZero(), !s.Group.IsZero()} {
		if named {
			n++
		}
	}
	return n
}

// Tagger is the one that is named.
func (s Subjects) Tagger() dcb.Tagger {
	switch {
	case !s.Department.IsZero():
		return s.Department
	case !s.Group.IsZero():
		return s.Group
	}
	return s.User
}

// IsRefusal reports whether err is a rule saying no, and which.
func IsRefusal(err error) (*Refusal, bool) {
	var r *Refusal
	ok := errors.As(err, &r)
	return r, ok
}

func sorted[T ~string](in []T) []T {
	out := slices.Clone(in)
	slices.Sort(out)
	return slices.Compact(out)
}

// Used reports whether an id was ever given to a thing, in whichever tenant, by the event that makes such things.
func Used[E dcb.Event](id dcb.Tagger) *dcb.Fact[bool] {
	return dcb.Ask(false, tags(id), dcb.On(func(used *bool, _ E) { *used = true })).Anywhere()
}
