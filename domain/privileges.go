package domain

import (
	"slices"
	"strings"

	"github.com/google/uuid"

	"chancery/internal/dcb"
)

// Privilege is the canonical name of something that may be done: two to six words joined by dots.
type Privilege string

// ID is the privilege's id: the same name has the same id everywhere.
func (p Privilege) ID() uuid.UUID { return NamedID(Root, "privilege", string(p)) }

// Tag makes a privilege a tag.
func (p Privilege) Tag() dcb.Tag { return tagged("privilege", p.ID()) }

// Check refuses a name of another form.
func (p Privilege) Check(pointer string) error {
	words := strings.Split(string(p), ".")
	if len(words) < 2 || len(words) > 6 {
		return Invalid(pointer, "must be two to six words joined by dots, such as repo.write")
	}
	for _, w := range words {
		if !wellNamed(w) {
			return Invalid(pointer, "must be of lower-case words, digits, - and _, joined by dots")
		}
	}
	return nil
}

// Pattern is a privilege, or all that begin alike (repo.*), or all (*).
type Pattern string

// Tag makes a pattern a tag; that of a single privilege is the privilege's own.
func (p Pattern) Tag() dcb.Tag { return Privilege(p).Tag() }

// Everything is the pattern of all privileges.
const Everything Pattern = "*"

// Matches reports whether the privilege is one of the pattern's.
func (p Pattern) Matches(name Privilege) bool { return p.Covers(Pattern(name)) }

// Covers reports whether every privilege of o is one of p's.
func (p Pattern) Covers(o Pattern) bool {
	if p == Everything || p == o {
		return true
	}
	stem, wild := strings.CutSuffix(string(p), "*")
	return wild && strings.HasPrefix(string(o), stem)
}

// Meets reports whether some privilege could be of both patterns.
func (p Pattern) Meets(o Pattern) bool { return p.Covers(o) || o.Covers(p) }

// Narrower is what is of both patterns, which MUST meet.
func (p Pattern) Narrower(o Pattern) Pattern {
	if p.Covers(o) {
		return o
	}
	return p
}

// Check refuses what is neither a privilege nor a pattern of them.
func (p Pattern) Check(pointer string) error {
	if p == Everything {
		return nil
	}
	stem, wild := strings.CutSuffix(string(p), ".*")
	if wild && wellNamed(stem) {
		return nil
	}
	return Privilege(stem).Check(pointer)
}

// Wild reports whether the pattern names more than one privilege.
func (p Pattern) Wild() bool { return strings.HasSuffix(string(p), "*") }

// PrivilegeRegistered makes a privilege known on the platform.
type PrivilegeRegistered struct {
	Privilege   Privilege `json:"privilege"`
	Description string    `json:"description,omitzero"`
}

// PrivilegeDescribed changes what is said of a privilege.
type PrivilegeDescribed struct {
	Privilege   Privilege `json:"privilege"`
	Description string    `json:"description"`
}

func (PrivilegeRegistered) EventType() string { return "privilege.registered" }
func (PrivilegeDescribed) EventType() string  { return "privilege.described" }

var privilegeEvents = dcb.Kind("privilege", dcb.Of[PrivilegeRegistered](), dcb.Of[PrivilegeDescribed]())

var (
	ErrPrivilegeUnknown = refuse("privilege-unknown", "the privilege is not registered")
	ErrPrivilegeTwice   = refuse("privilege-exists", "the privilege is registered already")
	ErrPrivilegeOfApp   = refuse("privilege-of-app", "privileges that begin with the name of an app are those that its versions bring")
	ErrPrivilegeOurs    = refuse("privilege-reserved", "privileges that begin with core belong to Chancery itself")
)

// Registered is what is known of a privilege.
type Registered struct {
	Exists      bool
	Description string
}

// PrivilegeOf is one privilege in a tenant: those of the platform serve every tenant, those of an app the tenants in which it is enabled.
func PrivilegeOf(t TenantID, p Privilege) *dcb.Fact[Registered] {
	return dcb.Ask(Registered{}, tags(p),
		dcb.On(func(r *Registered, e PrivilegeRegistered) { *r = Registered{true, e.Description} }),
		dcb.On(func(r *Registered, e PrivilegeDescribed) { r.Description = e.Description }),
		broughtIn(t, p, func(e AppEnabled) ([]Brought, []Privilege) { return e.Brings, nil }),
		broughtIn(t, p, func(e AppUpgraded) ([]Brought, []Privilege) { return e.Brings, e.Drops }),
		broughtIn(t, p, func(e AppRolledBack) ([]Brought, []Privilege) { return e.Brings, e.Drops }),
		broughtIn(t, p, func(e AppDisabled) ([]Brought, []Privilege) { return nil, e.Drops }),
	).Also(Root.UUID)
}

// broughtIn takes in what an app brings into the tenant, or takes away. The platform's own apps bring nothing to others.
func broughtIn[E dcb.Event](t TenantID, p Privilege, of func(E) (brings []Brought, drops []Privilege)) dcb.Fold[Registered] {
	return dcb.OnMeta(func(r *Registered, e E, m dcb.Meta) {
		if m.Tenant != t.UUID {
			return
		}
		brings, drops := of(e)
		if slices.Contains(drops, p) {
			*r = Registered{}
		}
		for _, b := range brings {
			if b.Privilege == p {
				*r = Registered{true, b.Description}
			}
		}
	})
}
