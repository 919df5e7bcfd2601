package accesstest

import (
	"crypto/sha256"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"
	"gopkg.in/yaml.v3"

	"chancery/domain"
	"chancery/internal/dcb"
)

// World is a history. Its ids follow from its names, so they are the same in every run.
type World struct {
	Name   string
	file   *worldFile
	events []dcb.Recorded
	lost   map[string]bool // names used and not declared
}

// Events is the history in log order, positions from 1. Personal fields are in the clear.
func (w World) Events() []dcb.Recorded { return slices.Clone(w.events) }

type worldFile struct {
	Recorded   time.Time                         `yaml:"recorded"` // when all of it happened
	Asked      time.Time                         `yaml:"asked"`    // when cases ask, unless they say
	Privileges []string                          `yaml:"privileges"`
	Allowable  []string                          `yaml:"allowable"`
	Apps       map[string]map[string]versionFile `yaml:"apps"` // by name and number
	Tenants    map[string]*tenantFile            `yaml:"tenants"`
	Later      []string                          `yaml:"later"` // what happens then, as "<tenant>: <sentence>"
}

type tenantFile struct {
	Settings    map[string]string            `yaml:"settings"`
	Departments map[string]string            `yaml:"departments"` // name: parent
	Groups      map[string]string            `yaml:"groups"`      // name: parent
	Users       map[string]userFile          `yaml:"users"`
	Members     map[string]map[string]string `yaml:"members"` // group: {user: role}
	Roles       map[string]roleFile          `yaml:"roles"`
	Constraints map[string]constraintFile    `yaml:"constraints"`
	Assignments map[string]assignmentFile    `yaml:"assignments"`
	Overrides   map[string]overrideFile      `yaml:"overrides"`
	Tokens      map[string]tokenFile         `yaml:"tokens"`
	Runs        map[string]string            `yaml:"runs"` // app: version
	Licenses    map[string]licenseFile       `yaml:"licenses"`

	// What concerns more than one tenant, once all of them stand.
	Outside        map[string]map[string]string `yaml:"outside"` // group: {user of another tenant: role}
	Delegations    map[string]delegationFile    `yaml:"delegations"`
	Impersonations map[string]impersonationFile `yaml:"impersonations"`
}

type userFile struct {
	Status string `yaml:"status"` // active unless given
	In     string `yaml:"in"`     // a department
}

type roleFile struct {
	May      []string `yaml:"may"`
	Inherits []string `yaml:"inherits"`
}

type toFile struct {
	User       string `yaml:"user"`
	Department string `yaml:"department"`
	Group      string `yaml:"group"`
}

type assignmentFile struct {
	To       toFile       `yaml:",inline"`
	Role     string       `yaml:"role"`
	On       string       `yaml:"on"`
	From     time.Time    `yaml:"from"`
	Until    time.Time    `yaml:"until"`
	Approval approvalFile `yaml:"approval"`
}

// approvalFile says who asked for something, and who gave it: nobody, and so it is not there.
type approvalFile struct {
	By    string `yaml:"by"`
	Given string `yaml:"given"`
}

type overrideFile struct {
	To      toFile    `yaml:",inline"`
	Deny    string    `yaml:"deny"`
	Allow   string    `yaml:"allow"`
	On      string    `yaml:"on"`
	Expires time.Time `yaml:"expires"`
}

type tokenFile struct {
	User    string    `yaml:"user"`
	Scopes  []string  `yaml:"scopes"`
	Expires time.Time `yaml:"expires"`
}

// Tenant is the id of a tenant of the world.
func (w World) Tenant(name string) domain.TenantID {
	if name == "root" {
		return domain.Root
	}
	return domain.TenantID{UUID: uuid.NewSHA1(uuid.NameSpaceOID, []byte("accesstest/"+w.Name+"/"+name))}
}

// Secret is what the token of that name hashes to when the world writes its events.
func (w World) Secret(token domain.TokenID) [sha256.Size]byte {
	return sha256.Sum256([]byte(token.String()))
}

// home splits tenant/name; a bare name is one of the tenant at hand.
func (w World) home(tenant, name string) (string, string) {
	if before, after, ok := strings.Cut(name, "/"); ok {
		return before, after
	}
	return tenant, name
}

// id is that of a thing by kind and name. An empty name is no thing.
func (w World) id(tenant, kind, name string) uuid.UUID {
	if name == "" {
		return uuid.Nil
	}
	tenant, name = w.home(tenant, name)
	if !w.declared(tenant, kind, name) {
		w.lost[kind+" "+tenant+"/"+name] = true
	}
	return uuid.NewSHA1(uuid.NameSpaceOID, []byte("accesstest/"+w.Name+"/"+tenant+"/"+kind+"/"+name))
}

// declared tells a name from a slip of the pen; what is meant not to exist is called no-something.
func (w World) declared(tenant, kind, name string) bool {
	t, ok := w.file.Tenants[tenant], true
	if t == nil || strings.HasPrefix(name, "no-") {
		return strings.HasPrefix(name, "no-")
	}
	switch kind {
	case "user":
		_, ok = t.Users[name]
	case "department":
		_, ok = t.Departments[name]
	case "group":
		_, ok = t.Groups[name]
	case "role":
		_, ok = t.Roles[name]
	case "assignment":
		_, ok = t.Assignments[name]
	case "override":
		_, ok = t.Overrides[name]
	case "token":
		_, ok = t.Tokens[name]
	case "constraint":
		_, ok = t.Constraints[name]
	case "license":
		_, ok = t.Licenses[name]
	case "delegation":
		_, ok = t.Delegations[name]
	case "impersonation":
		_, ok = t.Impersonations[name]
	}
	return ok
}

// slips are the names used and not declared.
func (w World) slips() error {
	if len(w.lost) > 0 {
		return fmt.Errorf("nothing is called %v", slices.Sorted(maps.Keys(w.lost)))
	}
	return nil
}

// scope resolves type:@name to the id of a thing of the world.
func (w World) scope(tenant, s string) domain.Scope {
	if kind, name, ok := strings.Cut(s, ":@"); ok {
		return domain.Scope(kind + ":" + w.id(tenant, kind, name).String())
	}
	return domain.Scope(s)
}

func build(name string, file *worldFile) (World, error) {
	w := World{Name: name, file: file, lost: map[string]bool{}}
	if file.Tenants["root"] == nil {
		file.Tenants["root"] = &tenantFile{}
	}
	w.add("root", domain.TenantCreated{Tenant: domain.Root, Name: "Platform", Slug: "root"})
	for _, p := range file.Privileges {
		w.add("root", domain.PrivilegeRegistered{Privilege: domain.Privilege(p)})
	}
	if len(file.Allowable) > 0 {
		w.add("root", domain.PolicySet{
			Policy: domain.OverrideAllow.ID(domain.Root), Key: domain.OverrideAllow.Key,
			Value: strings.Join(file.Allowable, " "), Version: 1,
		})
	}
	w.publish()
	for _, tenant := range slices.Sorted(maps.Keys(file.Tenants)) {
		w.found(tenant, file.Tenants[tenant])
	}
	for _, tenant := range slices.Sorted(maps.Keys(file.Tenants)) {
		w.cross(tenant, file.Tenants[tenant])
	}
	for _, line := range file.Later {
		tenant, sentence, ok := strings.Cut(line, ": ")
		if !ok || file.Tenants[tenant] == nil {
			return w, fmt.Errorf("%q must begin with a tenant and a colon", line)
		}
		events, err := w.happen(tenant, strings.Fields(sentence))
		if err != nil {
			return w, fmt.Errorf("%q: %w", line, err)
		}
		for _, e := range events {
			w.add(e.tenant, e.event)
		}
	}
	return w, w.slips()
}

func (w *World) add(tenant string, e dcb.Event) {
	n := int64(len(w.events) + 1)
	var seq int64 = 1
	for _, r := range w.events {
		if r.Tenant == w.Tenant(tenant).UUID {
			seq++
		}
	}
	w.events = append(w.events, dcb.Recorded{
		Meta: dcb.Meta{
			Position: n, ID: w.id(tenant, "event", strconv.FormatInt(n, 10)), Tenant: w.Tenant(tenant).UUID, TenantSeq: seq,
			SourceApp: "core", Request: w.id(tenant, "request", strconv.FormatInt(n, 10)),
			At: w.file.Recorded, RecordedAt: w.file.Recorded,
		},
		Event: e, Tags: dcb.TagsOf(e),
	})
}

// found writes down a tenant in a fixed order: every map by its keys.
func (w *World) found(t string, f *tenantFile) {
	if t != "root" {
		w.add(t, domain.TenantCreated{Tenant: w.Tenant(t), Name: t, Slug: domain.Slug(t)})
	}
	for key, value := range inOrder(f.Settings) {
		w.add(t, w.setting(t, key, value))
	}
	for name, parent := range inOrder(f.Departments) {
		id, up := w.department(t, name), w.department(t, parent)
		w.add(t, domain.DepartmentCreated{Department: id, Parent: up, Name: name, Key: domain.DepartmentKey(w.Tenant(t), up, name)})
	}
	for name, parent := range inOrder(f.Groups) {
		w.add(t, domain.GroupCreated{Group: w.group(t, name), Parent: w.group(t, parent), Name: name, Key: domain.GroupKey(w.Tenant(t), name)})
	}
	for name, u := range inOrder(f.Users) {
		status := domain.UserActive
		if u.Status != "" {
			status = domain.UserStatus(u.Status)
		}
		w.add(t, domain.UserRegistered{User: w.user(t, name), DisplayName: dcb.Plain(name), Department: w.department(t, u.In), Status: status})
	}
	for group, members := range inOrder(f.Members) {
		for name, role := range inOrder(members) {
			w.add(t, domain.MemberAdded{
				Membership: w.membership(t, name, group), Group: w.group(t, group), User: w.user(t, name), Role: domain.GroupRole(role),
			})
		}
	}
	for name := range inOrder(f.Roles) {
		w.add(t, domain.RoleCreated{Role: w.role(t, name), Name: name, Key: domain.RoleKey(w.Tenant(t), name)})
	}
	for name, r := range inOrder(f.Roles) {
		for _, p := range r.May {
			w.add(t, domain.RolePrivilegeAdded{Role: w.role(t, name), Privilege: domain.Pattern(p)})
		}
		for _, p := range r.Inherits {
			w.add(t, domain.RoleParentAdded{Role: w.role(t, name), Parent: w.role(t, p)})
		}
	}
	for name, c := range inOrder(f.Constraints) {
		w.add(t, domain.ConstraintCreated{
			Constraint: w.constraint(t, name), Name: name, Kind: domain.ConstraintKind(c.Kind), Roles: w.roles(t, c.Roles), Most: c.Most,
			Requires: w.role(t, c.Requires),
		})
	}
	for name, a := range inOrder(f.Assignments) {
		w.assign(t, name, a)
	}
	for name, o := range inOrder(f.Overrides) {
		effect, pattern := domain.Deny, o.Deny
		if o.Allow != "" {
			effect, pattern = domain.Allow, o.Allow
		}
		w.add(t, domain.OverrideAdded{
			Override: domain.OverrideID{UUID: w.id(t, "override", name)}, Effect: effect, Privilege: domain.Pattern(pattern),
			User: w.user(t, o.To.User), Department: w.department(t, o.To.Department), Group: w.group(t, o.To.Group),
			Scope: w.scope(t, o.On), ExpiresAt: orFar(o.Expires), Reason: name,
		})
	}
	for name, k := range inOrder(f.Tokens) {
		id := domain.TokenID{UUID: w.id(t, "token", name)}
		hash := w.Secret(id)
		w.add(t, domain.TokenIssued{
			Token: id, User: w.user(t, k.User), Name: name, Prefix: "chn_pat_", Hash: hash[:], Scopes: patterns(k.Scopes), ExpiresAt: orFar(k.Expires),
		})
	}
	w.install(t, f)
}

func (w *World) assign(t, name string, a assignmentFile) {
	e := domain.RoleAssigned{
		Assignment: domain.AssignmentID{UUID: w.id(t, "assignment", name)}, Role: w.role(t, a.Role),
		User: w.user(t, a.To.User), Department: w.department(t, a.To.Department), Group: w.group(t, a.To.Group),
		Scope: w.scope(t, a.On), Window: domain.Window{From: a.From, Until: a.Until},
	}
	if a.Approval.By != "" {
		id := domain.ApprovalID{UUID: e.Assignment.UUID}
		w.add(t, domain.ApprovalRequested{
			Approval: id, By: w.user(t, a.Approval.By), User: e.User, Assignment: e, ExpiresAt: w.file.Recorded.AddDate(0, 0, 1),
		})
		if a.Approval.Given == "" {
			return
		}
		w.add(t, domain.ApprovalGiven{Approval: id, By: w.user(t, a.Approval.Given)})
	}
	w.add(t, e)
}

func orFar(t time.Time) time.Time {
	if t.IsZero() {
		return time.Date(2100, 1, 1, 0, 0, 0, 0, time.UTC)
	}
	return t
}

func inOrder[V any](m map[string]V) func(func(string, V) bool) {
	return func(yield func(string, V) bool) {
		for _, k := range slices.Sorted(maps.Keys(m)) {
			if !yield(k, m[k]) {
				return
			}
		}
	}
}

func (w World) user(t, n string) domain.UserID   { return domain.UserID{UUID: w.id(t, "user", n)} }
func (w World) role(t, n string) domain.RoleID   { return domain.RoleID{UUID: w.id(t, "role", n)} }
func (w World) group(t, n string) domain.GroupID { return domain.GroupID{UUID: w.id(t, "group", n)} }
func (w World) department(t, n string) domain.DepartmentID {
	return domain.DepartmentID{UUID: w.id(t, "department", n)}
}
func (w World) membership(t, user, group string) domain.MembershipID {
	return domain.MembershipID{UUID: w.id(t, "membership", user+" in "+group)}
}

// UnmarshalYAML reads a role as a mapping or, in short, as the list of what it may.
func (r *roleFile) UnmarshalYAML(n *yaml.Node) error {
	if n.Kind == yaml.SequenceNode {
		return n.Decode(&r.May)
	}
	type plain roleFile
	return n.Decode((*plain)(r))
}
