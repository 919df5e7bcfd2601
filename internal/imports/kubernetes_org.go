package imports

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"slices"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/google/uuid"
)

// Change is one line of a history of GitHub organisations, as made from the public history of kubernetes/org.
type Change struct {
	At         time.Time `json:"at"`
	Change     string    `json:"change"`
	Org        string    `json:"org"`
	User       string    `json:"user"`
	Team       string    `json:"team"`
	Parent     *string   `json:"parent"`
	Role       string    `json:"role"`
	Repo       string    `json:"repo"`
	Permission string    `json:"permission"`
}

// ReadHistory reads a history, one change a line.
func ReadHistory(r io.Reader) ([]Change, error) {
	var changes []Change
	in := bufio.NewScanner(r)
	in.Buffer(nil, 1<<20)
	for in.Scan() {
		var c Change
		if err := json.Unmarshal(in.Bytes(), &c, json.RejectUnknownMembers(true)); err != nil {
			return nil, fmt.Errorf("line %d: %w", len(changes)+1, err)
		}
		changes = append(changes, c)
	}
	if err := in.Err(); err != nil {
		return nil, fmt.Errorf("line %d: %w", len(changes)+1, err)
	}
	return changes, nil
}

// permissions are those of GitHub repositories, weakest first.
func permissions() []string { return []string{"read", "triage", "write", "maintain", "admin"} }

// Plan is what a history comes to: the commands for the platform, and those for each organisation.
type Plan struct {
	Platform []Line
	Orgs     []OrgPlan
}

// OrgPlan is one organisation: its creation, sent to the platform, and the rest, sent to its own tenant.
type OrgPlan struct {
	Name   string
	Create Line
	Lines  []Line
}

// Lines counts the commands of the plan.
func (p Plan) Lines() int {
	n := len(p.Platform)
	for _, o := range p.Orgs {
		n += 1 + len(o.Lines)
	}
	return n
}

// PlanHistory maps a history onto commands. The same history gives the same plan, ids and keys; so sending it twice does nothing twice.
func PlanHistory(changes []Change) (Plan, error) {
	var plan Plan
	for _, p := range permissions() {
		plan.Platform = append(plan.Platform, privilege("repo."+p, "Has "+p+" permission on a repository."))
	}
	plan.Platform = append(plan.Platform, privilege("org.admin", "Administers an organisation."))
	var names []string
	byOrg := map[string][]Change{}
	for _, c := range changes {
		if byOrg[c.Org] == nil {
			names = append(names, c.Org)
		}
		byOrg[c.Org] = append(byOrg[c.Org], c)
	}
	for _, name := range names {
		o := newOrg(name)
		if err := o.replay(byOrg[name]); err != nil {
			return plan, fmt.Errorf("organisation %s: %w", name, err)
		}
		plan.Orgs = append(plan.Orgs, o.plan)
	}
	return plan, nil
}

func privilege(name, doc string) Line {
	return Line{Command: "register-privilege", Body: map[string]any{"name": name, "description": doc}, Key: "kubernetes-org:" + name}
}

// Run sends a plan.
func (c *Client) Run(ctx context.Context, p Plan) error {
	if err := c.Send(ctx, "root", p.Platform); err != nil {
		return err
	}
	for _, o := range p.Orgs {
		if err := c.Send(ctx, "root", []Line{o.Create}); err != nil {
			return fmt.Errorf("organisation %s: %w", o.Name, err)
		}
		if err := c.Send(ctx, o.Name, o.Lines); err != nil {
			return fmt.Errorf("organisation %s: %w", o.Name, err)
		}
	}
	return nil
}

// org is an organisation on its way through its history: enough of its state to turn changes into commands.
type org struct {
	plan  OrgPlan
	at    time.Time
	users map[string]string // name → status
	admin map[string]string // user → assignment
	teams map[string]*team
	born  map[string]int // how often an id was made for a name
}

type team struct {
	id, parent string
	members    map[string]string // user → role
	repos      map[string]string // repository and permission → assignment
}

func newOrg(name string) *org {
	return &org{
		plan: OrgPlan{Name: name}, users: map[string]string{}, admin: map[string]string{}, teams: map[string]*team{}, born: map[string]int{},
	}
}

// namespace makes ids of names, the same at every import.
var namespace = uuid.MustParse("6f1d4a52-6c1b-5b0e-9a55-0e1b6c2f7a11")

func (o *org) id(kind, name string) string {
	return uuid.NewSHA1(namespace, []byte(o.plan.Name+"\n"+kind+"\n"+name)).String()
}

// next is the id of a thing that may come again after it is gone.
func (o *org) next(kind, name string) string {
	o.born[kind+"\n"+name]++
	return o.id(kind, fmt.Sprintf("%s\n%d", name, o.born[kind+"\n"+name]))
}

func (o *org) do(command string, body map[string]any) {
	o.plan.Lines = append(o.plan.Lines, Line{
		Command: command, Body: body, At: o.at, Key: fmt.Sprintf("kubernetes-org:%d", len(o.plan.Lines)),
	})
}

// replay takes the changes instant by instant. The lines of one instant come from one commit and are in no order that
// their effects would bear; so one that is not possible yet waits for the others.
func (o *org) replay(changes []Change) error {
	for len(changes) > 0 {
		n := 1
		for n < len(changes) && changes[n].At.Equal(changes[0].At) {
			n++
		}
		now := slices.Clone(changes[:n])
		changes = changes[n:]
		o.at = now[0].At
		for len(now) > 0 {
			waiting := slices.DeleteFunc(slices.Clone(now), func(c Change) bool { return o.possible(c) && o.apply(c) })
			if len(waiting) == len(now) {
				return fmt.Errorf("at %s: %s of %q is not possible", o.at.Format(time.RFC3339), now[0].Change, now[0].Team+now[0].User)
			}
			now = waiting
		}
	}
	return nil
}

func (o *org) possible(c Change) bool {
	t := o.teams[c.Team]
	switch c.Change {
	case "team.added":
		return t == nil && (c.Parent == nil || o.teams[*c.Parent] != nil)
	case "team.moved":
		return t != nil && (c.Parent == nil || o.teams[*c.Parent] != nil)
	case "team.removed":
		for _, other := range o.teams {
			if t != nil && other.parent == c.Team {
				return false
			}
		}
		return t != nil && len(t.members) == 0
	case "team.joined", "team.left", "repo.granted", "repo.revoked":
		return t != nil
	case "member.removed", "admin.granted":
		return o.users[c.User] == "active"
	}
	return true
}

func (o *org) apply(c Change) bool {
	switch c.Change {
	case "org.added":
		o.open()
	case "member.added":
		o.join(c.User, "active")
	case "member.removed":
		o.users[c.User] = "inactive"
		o.do("deactivate-user", map[string]any{"id": o.id("user", c.User)})
	case "admin.granted":
		o.admin[c.User] = o.assign("org-admin", map[string]any{"user_id": o.id("user", c.User)}, c.User)
	case "admin.revoked":
		o.do("unassign-role", map[string]any{"id": o.admin[c.User]})
		delete(o.admin, c.User)
	case "repo.granted":
		t := o.teams[c.Team]
		body := map[string]any{"group_id": t.id, "scope": "repo:" + c.Repo}
		t.repos[c.Repo+"\n"+c.Permission] = o.assign("repo-"+c.Permission, body, t.id+"\n"+c.Repo)
	case "repo.revoked":
		t := o.teams[c.Team]
		o.do("unassign-role", map[string]any{"id": t.repos[c.Repo+"\n"+c.Permission]})
		delete(t.repos, c.Repo+"\n"+c.Permission)
	default:
		return o.applyToTeam(c)
	}
	return true
}

// open creates the tenant and its roles.
func (o *org) open() {
	o.plan.Create = Line{
		Command: "create-tenant", At: o.at, Key: "kubernetes-org:" + o.plan.Name,
		Body: map[string]any{"id": o.id("tenant", ""), "name": o.plan.Name, "slug": o.plan.Name},
	}
	role := func(name string, privileges ...string) {
		o.do("create-role", map[string]any{"id": o.id("role", name), "name": name, "privileges": privileges})
	}
	role("org-admin", "org.admin")
	var all []string
	for _, p := range permissions() {
		all = append(all, "repo."+p)
		role("repo-"+p, all...)
	}
}

func (o *org) assign(role string, body map[string]any, to string) string {
	id := o.next("assignment", role+"\n"+to)
	body["id"], body["role_id"] = id, o.id("role", role)
	o.do("assign-role", body)
	return id
}

// join makes an account a user. One that joins a team before the organisation is invited until then, as on GitHub.
func (o *org) join(user, status string) {
	id := o.id("user", user)
	if o.users[user] != "" {
		o.do("reactivate-user", map[string]any{"id": id})
	} else {
		o.do("register-user", map[string]any{"id": id, "display_name": user, "status": status})
		o.do("link-identity", map[string]any{"id": o.id("identity", user), "user_id": id, "issuer": "github", "subject": user})
	}
	o.users[user] = status
}

func (o *org) applyToTeam(c Change) bool {
	t := o.teams[c.Team]
	switch c.Change {
	case "team.added":
		t = &team{id: o.next("group", c.Team), members: map[string]string{}, repos: map[string]string{}}
		body := map[string]any{"id": t.id, "name": c.Team}
		if c.Parent != nil {
			t.parent, body["parent_id"] = *c.Parent, o.teams[*c.Parent].id
		}
		o.teams[c.Team] = t
		o.do("create-group", body)
	case "team.moved":
		t.parent = ""
		body := map[string]any{"id": t.id}
		if c.Parent != nil {
			t.parent, body["parent_id"] = *c.Parent, o.teams[*c.Parent].id
		}
		o.do("move-group", body)
	case "team.removed":
		o.do("delete-group", map[string]any{"id": t.id})
		delete(o.teams, c.Team)
	case "team.joined":
		o.enter(t, c)
	case "team.left":
		if t.members[c.User] == c.Role { // else it is the end of a role that another one has replaced
			o.do("remove-group-member", map[string]any{"group_id": t.id, "user_id": o.id("user", c.User)})
			delete(t.members, c.User)
		}
	default:
		return false
	}
	return true
}

func (o *org) enter(t *team, c Change) {
	if o.users[c.User] == "" {
		o.join(c.User, "invited")
	}
	body := map[string]any{"group_id": t.id, "user_id": o.id("user", c.User), "role": c.Role}
	if t.members[c.User] != "" {
		o.do("change-group-role", body)
	} else {
		body["id"] = o.next("membership", t.id+"\n"+c.User)
		o.do("add-group-member", body)
	}
	t.members[c.User] = c.Role
}
