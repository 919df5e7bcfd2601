package domain

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"

	"chancery/internal/dcb"
)

// PolicySet gives a setting of a tenant a value. Value is written as the setting's type demands; Version counts the changes.
type PolicySet struct {
	Policy  PolicyID `json:"policy"`
	Key     string   `json:"key"`
	Value   string   `json:"value"`
	Version int      `json:"version"`
}

// PolicyReset returns a setting to its default.
type PolicyReset struct {
	Policy  PolicyID `json:"policy"`
	Key     string   `json:"key"`
	Version int      `json:"version"`
}

func (PolicySet) EventType() string   { return "policy.set" }
func (PolicyReset) EventType() string { return "policy.reset" }

var policyEvents = dcb.Kind("policy", dcb.Of[PolicySet](), dcb.Of[PolicyReset]())

var (
	ErrPolicyUnknown  = &Refusal{Missing, "not-found", "there is no such setting"}
	ErrPolicyPlatform = refuse("policy-of-platform", "the setting is made on the platform")
)

// Type is what values a setting takes.
type Type string

const (
	Bool     Type = "boolean"
	Int      Type = "integer"
	Patterns Type = "patterns" // privileges or patterns of them, separated by spaces
	Word     Type = "word"     // one of the setting's words
	Roles    Type = "roles"    // ids of roles, separated by spaces

	EventPatterns Type = "event-types" // types of events as apps see them, or patterns of them, separated by spaces
)

// Setting is one thing that a tenant may decide for itself, or the platform for all.
type Setting struct {
	Key      string
	Type     Type
	Default  string
	Min, Max int      // of integers
	Words    []string // of words
	Platform bool
	Doc      string
}

// The settings that decisions ask about.
var (
	TokenDays      = Setting{Key: "tokens.max-lifetime-days", Type: Int, Default: "365", Min: 1, Max: 3650, Doc: "the longest life of an API token"}
	EmailRequired  = Setting{Key: "users.email-required", Type: Bool, Default: "false", Doc: "every user needs an e-mail address"}
	EmailVerified  = Setting{Key: "users.email-of-verified-domain", Type: Bool, Default: "false", Doc: "e-mail addresses must be of the tenant's verified domains"}
	ReasonRequired = Setting{Key: "assignments.reason-required", Type: Bool, Default: "false", Doc: "assigning a role needs a reason"}
	AssignmentDays = Setting{Key: "assignments.max-days", Type: Int, Default: "0", Min: 0, Max: 3650, Doc: "the longest assignment; 0 for no bound"}
	OverrideDays   = Setting{Key: "overrides.max-days", Type: Int, Default: "90", Min: 1, Max: 3650, Doc: "the longest override"}
	GroupOwned     = Setting{Key: "groups.owner-required", Type: Bool, Default: "false", Doc: "the last owner of a group cannot leave it"}
	PasswordLength = Setting{Key: "passwords.min-length", Type: Int, Default: "15", Min: 8, Max: 64, Doc: "the shortest password, in characters; below 15 only where a second factor is required (NIST SP 800-63B-4, section 3.1.1.2)"}
	FactorRequired = Setting{Key: "sign-in.second-factor-required", Type: Bool, Default: "false", Doc: "who signs in with a password needs a second factor, and enrolls one first"}
	SessionIdle    = Setting{Key: "sessions.idle-minutes", Type: Int, Default: "60", Min: 5, Max: 10080, Doc: "a session ends when it was not used for so long"}
	SessionHours   = Setting{Key: "sessions.max-hours", Type: Int, Default: "24", Min: 1, Max: 720, Doc: "a session ends after so long, whatever happens"}
	StepUpMinutes  = Setting{Key: "sessions.step-up-minutes", Type: Int, Default: "10", Min: 1, Max: 60, Doc: "how old the last authentication of a session may be for a dangerous command"}
	ErasureFour    = Setting{Key: "erasures.four-eyes", Type: Bool, Default: "false", Doc: "somebody else must approve the erasure of a user"}
	ErasedEmail    = Setting{Key: "erasures.email", Type: Word, Default: "free", Words: []string{"free", "reserved"}, Doc: "what becomes of an erased user's address: free for others, or nobody's for ever"}

	Delegable          = Setting{Key: "delegations.allowed", Type: Bool, Default: "true", Doc: "users may delegate what they may do"}
	DelegateOut        = Setting{Key: "delegations.outgoing", Type: Bool, Default: "false", Doc: "users may delegate to users of other tenants"}
	DelegateIn         = Setting{Key: "delegations.incoming", Type: Bool, Default: "false", Doc: "users may be delegates of users of other tenants"}
	DelegationDays     = Setting{Key: "delegations.max-days", Type: Int, Default: "90", Min: 1, Max: 3650, Doc: "the longest delegation"}
	DelegationDepth    = Setting{Key: "delegations.max-depth", Type: Int, Default: "3", Min: 1, Max: MaxChain, Doc: "how many delegations may rest on one another; 1: none is handed on"}
	ImpersonationWord  = Setting{Key: "impersonation.consent", Type: Word, Default: Forbade, Words: []string{Forbade, OnRequest, Allowed}, Doc: "whether administrators may act as a user: never, once the user or an administrator of the tenant has consented, or always"}
	ImpersonationMost  = Setting{Key: "impersonation.max-minutes", Type: Int, Default: "60", Min: 1, Max: 60, Doc: "the longest impersonation"}
	ImpersonationNever = Setting{Key: "impersonation.forbidden", Type: Patterns, Default: "", Doc: "privileges that nobody uses as somebody else, besides those that nobody ever may"}
	OutsideMembers     = Setting{Key: "groups.outside-members", Type: Bool, Default: "false", Doc: "users of other tenants may join the tenant's groups"}
	JoinOutside        = Setting{Key: "groups.join-outside", Type: Bool, Default: "false", Doc: "the tenant's users may join groups of other tenants"}
	MembersSee         = Setting{Key: "groups.outside-members-see", Type: Word, Default: SeeOwn, Words: []string{SeeAll, SeeOwn, SeeNobody}, Doc: "whom of a group its members from other tenants see: all, those of their own tenant, or nobody but themselves"}
	ApprovePrivileges  = Setting{Key: "approvals.privileges", Type: Patterns, Default: "", Doc: "giving any of these privileges needs somebody else's approval"}
	ApproveRoles       = Setting{Key: "approvals.roles", Type: Roles, Default: "", Doc: "giving any of these roles needs somebody else's approval"}
	ApprovalHours      = Setting{Key: "approvals.expire-hours", Type: Int, Default: "24", Min: 1, Max: 720, Doc: "a request for approval that nobody answers is over after so long"}
	AnnounceAccess     = Setting{Key: "access.announce-changes", Type: Bool, Default: "false", Doc: "each change of what a user may do is recorded as access.changed"}
	EventsDeliverable  = Setting{Key: "events.deliverable", Type: EventPatterns, Default: "*", Doc: "the types of events that apps may be sent, as far as their manifests ask for them"}

	OverrideAllow = Setting{Key: "overrides.allowable", Type: Patterns, Default: "", Platform: true, Doc: "the privileges that tenants may allow by override"}
)

// Settings is every setting there is.
var Settings = []Setting{TokenDays, EmailRequired, EmailVerified, ReasonRequired, AssignmentDays, OverrideDays, GroupOwned,
	PasswordLength, FactorRequired, SessionIdle, SessionHours, StepUpMinutes, ErasureFour, ErasedEmail,
	Delegable, DelegateOut, DelegateIn, DelegationDays, DelegationDepth, ImpersonationWord, ImpersonationMost, ImpersonationNever,
	OutsideMembers, JoinOutside, MembersSee, ApprovePrivileges, ApproveRoles, ApprovalHours, AnnounceAccess, EventsDeliverable, OverrideAllow}

// MaxChain is the most delegations that ever rest on one another.
const MaxChain = 8

// Words of settings.
const (
	Forbade   = "forbidden"
	OnRequest = "on_request"
	Allowed   = "allowed"

	SeeAll    = "all"
	SeeOwn    = "own-tenant"
	SeeNobody = "nobody"
)

// SettingOf is the setting of that key.
func SettingOf(key string) (Setting, bool) {
	for _, s := range Settings {
		if s.Key == key {
			return s, true
		}
	}
	return Setting{}, false
}

// ID is the id of the setting in a tenant.
func (s Setting) ID(t TenantID) PolicyID { return PolicyID{NamedID(t, "policy", s.Key)} }

// Check refuses a value that the setting does not take, and returns its normal form.
func (s Setting) Check(pointer, value string) (string, error) { //nolint:cyclop // one case for each type
	switch s.Type {
	case Bool:
		if value != "true" && value != "false" {
			return "", Invalid(pointer, "must be true or false")
		}
	case Int:
		n, err := strconv.Atoi(value)
		if err != nil || n < s.Min || n > s.Max {
			return "", Invalid(pointer, "must be a whole number from %d to %d", s.Min, s.Max)
		}
		value = strconv.Itoa(n)
	case Word:
		if !slices.Contains(s.Words, value) {
			return "", Invalid(pointer, "must be one of: %s", strings.Join(s.Words, ", "))
		}
	case Roles:
		words := sorted(strings.Fields(value))
		for _, w := range words {
			if id, err := uuid.Parse(w); err != nil || id.String() != w {
				return "", Invalid(pointer, "must be ids of roles, separated by spaces")
			}
		}
		value = strings.Join(words, " ")
	case Patterns:
		words := sorted(strings.Fields(value))
		for _, w := range words {
			if err := Pattern(w).Check(pointer); err != nil {
				return "", fmt.Errorf("setting %s: %w", s.Key, err)
			}
		}
		value = strings.Join(words, " ")
	case EventPatterns:
		words := sorted(strings.Fields(value))
		for _, w := range words {
			if err := EventPattern(w).Check(pointer); err != nil {
				return "", fmt.Errorf("setting %s: %w", s.Key, err)
			}
		}
		value = strings.Join(words, " ")
	}
	return value, nil
}

// Policy is the value of a setting in a tenant.
type Policy struct {
	Setting Setting
	Value   string
	Version int
}

// IsTrue is the value of a boolean.
func (p Policy) IsTrue() bool { return p.Value == "true" }

// Days is the value of an integer, as a span of days.
func (p Policy) Days() time.Duration {
	return time.Duration(p.Number()) * 24 * time.Hour
}

// Number is the value of an integer.
func (p Policy) Number() int {
	n, _ := strconv.Atoi(p.Value)
	return n
}

// Patterns is the value of a list of patterns.
func (p Policy) Patterns() []Pattern {
	var out []Pattern
	for w := range strings.FieldsSeq(p.Value) {
		out = append(out, Pattern(w))
	}
	return out
}

// EventPatterns is the value of a list of types of events.
func (p Policy) EventPatterns() []EventPattern { return PatternsOf(p.Value) }

// PatternsOf reads a list of types of events.
func PatternsOf(value string) (out []EventPattern) {
	for w := range strings.FieldsSeq(value) {
		out = append(out, EventPattern(w))
	}
	return out
}

// Roles is the value of a list of roles.
func (p Policy) Roles() []RoleID {
	var out []RoleID
	for w := range strings.FieldsSeq(p.Value) {
		id, _ := uuid.Parse(w)
		out = append(out, RoleID{id})
	}
	return out
}

// PolicyOf is the value of a setting in a tenant; a platform setting is that of the root tenant.
func PolicyOf(t TenantID, s Setting) *dcb.Fact[Policy] {
	if s.Platform {
		t = Root
	}
	return dcb.Ask(Policy{s, s.Default, 0}, tags(s.ID(t)),
		dcb.On(func(p *Policy, e PolicySet) { p.Value, p.Version = e.Value, e.Version }),
		dcb.On(func(p *Policy, e PolicyReset) { p.Value, p.Version = s.Default, e.Version }),
	).Also(t.UUID).Sole()
}
