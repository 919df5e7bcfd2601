package access

import (
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/google/uuid"

	"chancery/domain"
)

// subject is whom a right is given to. Its kind is part of the key, so that an id of one kind is never one of another.
type subject struct {
	kind subjectKind
	id   uuid.UUID
}

type subjectKind byte

const (
	toEveryone subjectKind = iota
	toUser
	toDepartment
	toGroup
)

// tenant is all that its own events say. Nothing here is about, or reachable by, users of other tenants, except the
// roles of root.
type tenant struct {
	id         domain.TenantID
	status     domain.TenantStatus
	statusAt   int64
	slug       domain.Slug
	proofLasts time.Duration // how old the last proof of a session may be for dangerous commands

	settings          map[string]setting // by key: those that decisions about access rest on, where they are not what they are by default
	neverImpersonated []domain.Pattern   // what one of them says

	deliverable []domain.EventPattern // what of its events apps may be sent

	changed int64  // the newest event of the tenant
	gen     uint64 // grows when grants of more than one user may have changed
	roleGen uint64 // grows when a role changed

	users       []domain.UserID // append-only: a prefix may be read without the lock
	departments map[uuid.UUID]*node
	groups      map[uuid.UUID]*node
	members     map[domain.UserID][]*member
	guests      map[domain.UserID]*guest // of other tenants, who are or were members of groups
	partners    map[domain.TenantID]struct{}
	roles       map[domain.RoleID]*role
	assignments map[domain.AssignmentID]*assignment
	given       map[subject][]*assignment
	overrides   map[domain.OverrideID]*override
	ruled       map[subject][]*override
	scopes      map[string]map[string]int // type → id → standing assignments and overrides on it
	approvals   map[uuid.UUID]int64       // given, by what was approved

	apps map[domain.App]*tenantApp

	constraints []*constraint                    // those that stand, in the order in which they came
	constrained map[domain.ConstraintID]struct{} // ids that ever were
	reached     uint64                           // grows when what reaches one user may have changed
}

// setting is the value of a setting, and the event that gave it.
type setting struct {
	value string
	at    int64
}

// setting is what the tenant decided, or the default.
func (t *tenant) setting(s domain.Setting) setting {
	if set, decided := t.settings[s.Key]; decided {
		return set
	}
	return setting{value: s.Default}
}

// says reports whether a boolean setting is true.
func (t *tenant) says(s domain.Setting) bool { return t.setting(s).value == "true" }

type user struct {
	id           domain.UserID
	home         *tenant
	status       domain.UserStatus
	statusAt     int64
	presentAt    int64 // since when they are there: registered, or back after they were inactive
	department   domain.DepartmentID
	departmentAt int64
	compiled     atomic.Pointer[grants]
}

// node is a department or a group.
type node struct {
	parent   uuid.UUID
	placedAt int64
	gone     bool
}

type member struct {
	id      domain.MembershipID
	group   domain.GroupID
	home    domain.TenantID // the user's, where it is not the group's
	role    domain.GroupRole
	madeAt  int64
	roledAt int64
}

type role struct {
	id         domain.RoleID
	home       *tenant
	madeAt     int64
	gone       bool
	privileges map[domain.Pattern]int64
	parents    map[domain.RoleID]int64
	closure    atomic.Pointer[roleSet]
}

type assignment struct {
	id     domain.AssignmentID
	role   domain.RoleID
	to     subject
	scope  domain.Scope
	window domain.Window
	madeAt int64
}

type override struct {
	id      domain.OverrideID
	effect  domain.Effect
	pattern domain.Pattern
	to      []subject
	scope   domain.Scope
	window  domain.Window
	madeAt  int64
}

type token struct {
	id        domain.TokenID
	user      domain.UserID
	home      domain.TenantID
	hash      []byte
	scopes    []domain.Pattern // never nil: nil would be no ceiling at all
	expiresAt time.Time
	app       string // empty for none
	revoked   bool
}

func newTenant(id domain.TenantID) *tenant {
	return &tenant{
		id:          id,
		proofLasts:  proofLasts(domain.StepUpMinutes.Default),
		settings:    map[string]setting{},
		deliverable: domain.PatternsOf(domain.EventsDeliverable.Default),
		departments: map[uuid.UUID]*node{},
		groups:      map[uuid.UUID]*node{},
		members:     map[domain.UserID][]*member{},
		guests:      map[domain.UserID]*guest{},
		partners:    map[domain.TenantID]struct{}{},
		roles:       map[domain.RoleID]*role{},
		assignments: map[domain.AssignmentID]*assignment{},
		given:       map[subject][]*assignment{},
		overrides:   map[domain.OverrideID]*override{},
		ruled:       map[subject][]*override{},
		scopes:      map[string]map[string]int{},
		approvals:   map[uuid.UUID]int64{},
		apps:        map[domain.App]*tenantApp{},
		constrained: map[domain.ConstraintID]struct{}{},
	}
}

func (t *tenant) member(u domain.UserID, g domain.GroupID) *member {
	for _, m := range t.members[u] {
		if m.group == g {
			return m
		}
	}
	return nil
}

func (t *tenant) assign(a *assignment) {
	t.assignments[a.id] = a
	t.given[a.to] = append(t.given[a.to], a)
	t.count(a.scope, 1)
}

func (t *tenant) unassign(id domain.AssignmentID) *assignment {
	a := t.assignments[id]
	if a == nil {
		return nil
	}
	delete(t.assignments, id)
	t.given[a.to] = without(t.given[a.to], a)
	t.count(a.scope, -1)
	return a
}

func (t *tenant) rule(o *override) {
	t.overrides[o.id] = o
	for _, s := range o.to {
		t.ruled[s] = append(t.ruled[s], o)
	}
	t.count(o.scope, 1)
}

func (t *tenant) unrule(id domain.OverrideID) *override {
	o := t.overrides[id]
	if o == nil {
		return nil
	}
	delete(t.overrides, id)
	for _, s := range o.to {
		t.ruled[s] = without(t.ruled[s], o)
	}
	t.count(o.scope, -1)
	return o
}

// count keeps the resources that standing rights name.
func (t *tenant) count(s domain.Scope, by int) {
	typ, id, ok := strings.Cut(string(s), ":")
	if !ok {
		return
	}
	ids := t.scopes[typ]
	if ids == nil {
		ids = map[string]int{}
		t.scopes[typ] = ids
	}
	if ids[id] += by; ids[id] == 0 {
		delete(ids, id)
	}
}

func without[E comparable](list []E, gone E) []E {
	return slices.DeleteFunc(list, func(e E) bool { return e == gone })
}

func subjects(u domain.UserID, d domain.DepartmentID, g domain.GroupID) []subject {
	var out []subject
	if !u.IsZero() {
		out = append(out, subject{toUser, u.UUID})
	}
	if !d.IsZero() {
		out = append(out, subject{toDepartment, d.UUID})
	}
	if !g.IsZero() {
		out = append(out, subject{toGroup, g.UUID})
	}
	return out
}
