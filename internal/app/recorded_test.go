package app

import (
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"math/rand/v2"
	"net/http"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	diff "github.com/google/go-cmp/cmp"

	"chancery/domain"
)

// day is a random day on a platform with two tenants. What was asked in it, and what was answered, is kept.
type day struct {
	*testing.T
	*rand.Rand
	app   *App
	root  caller
	clock *clock

	ids     map[string][]string // by tenant and kind, as "acme user"
	homes   map[string]string   // of users
	callers map[string]caller   // of users
	offers  []offered
	invited [][2]string // invitation and user

	records []record
	seen    map[string]int
}

// offered is a delegation, its delegate, and the tenant in which it gives rights.
type offered struct{ id, delegate, tenant string }

// record is a question and the answer that was given then.
type record struct {
	tenant, position, instant string
	question                  map[string]any
	answer                    answered
}

type answered struct {
	Decision bool `json:"decision"`
	Context  struct {
		Reason   string `json:"reason"`
		Reasons  []any  `json:"reasons"`
		Position string `json:"position"`
		Error    any    `json:"error"`
	} `json:"context"`
}

func newDay(t *testing.T) *day {
	t.Helper()
	seed := uint64(time.Now().UnixNano())
	if s := os.Getenv("ACCESS_SEED"); s != "" {
		seed, _ = strconv.ParseUint(s, 10, 64)
	}
	t.Logf("ACCESS_SEED=%d", seed)
	d := &day{
		T: t, Rand: rand.New(rand.NewPCG(seed, 0)), clock: newClock(time.Now().UTC().Truncate(time.Second)),
		ids: map[string][]string{}, homes: map[string]string{}, callers: map[string]caller{}, seen: map[string]int{},
	}
	d.app, d.root = platformWith(t, Config{Now: d.clock.now, DueEvery: 24 * time.Hour})
	for _, tenant := range []string{"root", "acme", "globex"} {
		if tenant != "root" {
			d.root.must(t, "root", "create-tenant", fmt.Sprintf(`{"name":%q,"slug":%[1]q}`, tenant))
		}
		for _, s := range []domain.Setting{domain.DelegateIn, domain.DelegateOut, domain.OutsideMembers, domain.JoinOutside} {
			d.root.must(t, tenant, "set-policy", fmt.Sprintf(`{"key":%q,"value":"true"}`, s.Key))
		}
		for n := range 3 {
			d.make(tenant, "department", "create-department", `{"name":"D%d"}`, n)
			d.make(tenant, "group", "create-group", `{"name":"G%d"}`, n)
			d.make(tenant, "role", "create-role", `{"name":"R%d","privileges":[%q]}`, n, []string{"core.groups.*", "core.users.read", "core.departments.*"}[n])
		}
		for n := range 4 {
			d.make(tenant, "user", "register-user", `{"display_name":"U%d","email":"u%[1]d@%s.test","department_id":%q}`, n, tenant, d.some(tenant, "department"))
			user := d.ids[tenant+" user"][n]
			d.homes[user] = tenant
			d.make(tenant, "assignment", "assign-role", `{"role_id":%q,"user_id":%q}`, d.some(tenant, "role"), user)
		}
	}
	d.root.must(t, "root", "set-policy", fmt.Sprintf(`{"key":%q,"value":"core.groups.rename core.users.update"}`, domain.OverrideAllow.Key))
	for _, tenant := range []string{"acme", "globex"} {
		for _, is := range []string{"allow", "deny"} {
			d.make(tenant, "override", "add-override", `{"effect":%q,"privilege":"core.users.update","user_id":%q,"expires_at":%q,"reason":"day"}`, is, d.some(tenant, "user"), d.hours(12))
		}
	}
	return d
}

// make has the administrator do something, and keeps the id of what it made.
func (d *day) make(tenant, kind, command, body string, args ...any) {
	d.Helper()
	if r := d.does(d.root, tenant, command, fmt.Sprintf(body, args...)); r.status == http.StatusOK && kind != "" {
		d.ids[tenant+" "+kind] = append(d.ids[tenant+" "+kind], r.part("id"))
	}
}

// does sends a command, which may be refused but is never wrong.
func (d *day) does(c caller, tenant, command, body string) reply {
	d.Helper()
	r := c.command(tenant, command, body)
	if r.status == 400 || r.status >= 500 {
		d.Errorf("%s in %s: %s: %d %s", command, tenant, body, r.status, r.body)
	}
	if d.seen[command]++; r.status == 200 {
		d.seen["done"]++
	} else {
		d.seen["refused"]++
		d.seen["refused "+command+" "+r.code()]++
	}
	return r
}

func (d *day) some(tenant, kind string) string {
	all := d.ids[tenant+" "+kind]
	if len(all) == 0 {
		return "00000000-0000-0000-0000-00000000ffff"
	}
	return all[d.IntN(len(all))]
}

// one of these.
func (d *day) one(of ...string) string { return of[d.IntN(len(of))] }

func (d *day) anybody() (user, home string) {
	home = d.one("acme", "acme", "globex", "globex", "root")
	return d.some(home, "user"), home
}

// as is a user with a token that is good, if they may have one.
func (d *day) as(user string) caller {
	d.Helper()
	if c, has := d.callers[user]; has && c.do("GET", "/v1/me", "").status == http.StatusOK {
		return c
	}
	r := d.root.command(d.homes[user], "issue-token", fmt.Sprintf(`{"user_id":%q,"name":"day","expires_at":%q}`, user, d.in(90*24*time.Hour)))
	d.callers[user] = d.root.as(cmp.Or(r.part("token"), "none"))
	return d.callers[user]
}

func (d *day) in(span time.Duration) string { return d.clock.now().Add(span).Format(time.RFC3339) }

func (d *day) hours(most int) string { return d.in(time.Duration(1+d.IntN(most)) * time.Hour) }

// to is a member of a body that names somebody, or a department, or a group of the tenant.
func (d *day) to(tenant string) string {
	kind := d.one("user", "user", "department", "group")
	return fmt.Sprintf(`%q:%q`, kind+"_id", d.some(tenant, kind))
}

func (d *day) privilege() string {
	return d.one("core.groups.create", "core.groups.rename", "core.users.read", "core.users.update", "core.departments.create", "core.group-memberships.add")
}

func (d *day) scope(tenant string) (kind, id string) {
	switch d.IntN(4) {
	case 0:
		return "repo", "web"
	case 1:
		return "group", d.some(tenant, "group")
	}
	return "tenant", tenant
}

// on is the member of a body that names a resource, or nothing.
func (d *day) on(tenant string) string {
	kind, id := d.scope(tenant)
	if kind == "tenant" {
		return ""
	}
	return fmt.Sprintf(`,"scope":%q`, kind+":"+id)
}

// happens does one random thing in a tenant.
func (d *day) happens(t string) {
	d.Helper()
	switch d.IntN(30) {
	case 0, 1, 2, 3:
		d.make(t, "assignment", "assign-role", `{"role_id":%q,%s%s,"until":%q}`, d.some(t, "role"), d.to(t), d.on(t), d.hours(12))
	case 4:
		d.make(t, "assignment", "assign-role", `{"role_id":%q,%s%s,"from":%q}`, d.some(t, "role"), d.to(t), d.on(t), d.hours(5))
	case 5:
		d.make(t, "", "unassign-role", `{"id":%q}`, d.some(t, "assignment"))
	case 6:
		d.make(t, "", "add-role-privilege", `{"id":%q,"privilege":%q}`, d.some(t, "role"), d.one(d.privilege(), "core.groups.*", "core.users.*"))
	case 7:
		d.make(t, "", "remove-role-privilege", `{"id":%q,"privilege":%q}`, d.some(t, "role"), d.one(d.privilege(), "core.groups.*"))
	case 8:
		d.make(t, "", d.one("add-role-parent", "remove-role-parent"), `{"id":%q,"parent_id":%q}`, d.some(t, "role"), d.some(t, "role"))
	case 9:
		d.make(t, "", "add-group-member", `{"group_id":%q,"user_id":%q,"role":%q}`, d.some(t, "group"), d.some(t, "user"), d.one("member", "maintainer", "owner"))
	case 10:
		d.make(t, "", "remove-group-member", `{"group_id":%q,"user_id":%q}`, d.some(t, "group"), d.some(t, "user"))
	case 11:
		d.make(t, "", d.one("move-group", "move-department"), `{"id":%q,"parent_id":%q}`, d.some(t, d.one("group", "department")), d.some(t, d.one("group", "department")))
	case 12:
		d.make(t, "", "move-user", `{"id":%q,"department_id":%q}`, d.some(t, "user"), d.some(t, "department"))
	case 13, 14:
		d.make(t, "override", "add-override", `{"effect":%q,"privilege":%q,%s%s,"expires_at":%q,"reason":"day"}`,
			d.one("deny", "deny", "allow"), d.one("core.groups.rename", "core.users.update", "core.groups.create"), d.to(t), d.on(t), d.hours(6))
	case 15:
		d.make(t, "", "revoke-override", `{"id":%q}`, d.some(t, "override"))
	case 16:
		key := d.one(domain.DelegateIn.Key, domain.DelegateOut.Key, domain.OutsideMembers.Key, domain.JoinOutside.Key, domain.Delegable.Key)
		d.make(t, "", "set-policy", `{"key":%q,"value":%q}`, key, d.one("true", "true", "false"))
	case 17:
		d.make(t, "", d.one("deactivate-user", "reactivate-user", "reactivate-user"), `{"id":%q}`, d.some(t, "user"))
	case 18:
		if t != "root" {
			d.make(t, "", d.one("suspend-tenant", "reactivate-tenant", "reactivate-tenant", "reactivate-tenant"), `{}`)
		}
	case 19:
		d.make(t, "constraint", "create-constraint", `{"name":%q,"kind":%q,"role_ids":[%q,%q],"most":1,"anyway":true}`, d.hours(1000), "exclusive", d.some(t, "role"), d.some(t, "role"))
	case 20:
		d.make(t, "", "remove-constraint", `{"id":%q}`, d.some(t, "constraint"))
	case 21:
		d.invites(t)
	case 22:
		if len(d.invited) > 0 {
			i := d.invited[d.IntN(len(d.invited))]
			d.does(d.as(i[1]), d.homes[i[1]], d.one("accept-group-invitation", "accept-group-invitation", "leave-group"), fmt.Sprintf(`{"id":%q}`, i[0]))
		}
	case 23:
		if len(d.offers) > 0 {
			o := d.offers[d.IntN(len(d.offers))]
			d.does(d.as(o.delegate), d.homes[o.delegate], d.one("revoke-delegation", "decline-delegation", "accept-delegation"), fmt.Sprintf(`{"id":%q}`, o.id))
		}
	default:
		d.delegates()
	}
}

func (d *day) invites(t string) {
	d.Helper()
	user, home := d.anybody()
	if home == t {
		return
	}
	r := d.does(d.root, t, "invite-to-group", fmt.Sprintf(`{"group_id":%q,"tenant":%q,"user_id":%q}`, d.some(t, "group"), home, user))
	if r.status != http.StatusOK {
		return
	}
	d.invited = append(d.invited, [2]string{r.part("id"), user})
	d.does(d.as(user), home, "accept-group-invitation", fmt.Sprintf(`{"id":%q}`, r.part("id")))
}

// delegates has somebody delegate what is theirs, or hand on what was delegated to them; mostly it is accepted.
func (d *day) delegates() {
	d.Helper()
	from, home := d.anybody()
	tenant, more := home, ""
	if len(d.offers) > 0 && d.IntN(2) == 0 {
		up := d.offers[d.IntN(len(d.offers))]
		from, tenant, more = up.delegate, up.tenant, fmt.Sprintf(`,"parent_id":%q`, up.id)
		home = d.homes[from]
	}
	to, toHome := d.anybody()
	switch d.IntN(6) {
	case 0:
		more += fmt.Sprintf(`,"privileges":[%q]`, d.one("core.groups.*", "core.users.read"))
	case 1:
		more += fmt.Sprintf(`,"roles":[%q]`, d.some(tenant, "role"))
	case 2:
		more += `,"resources":["repo:web"]`
	}
	if !strings.Contains(more, "parent_id") {
		more += `,"redelegations":2`
	} else if d.IntN(2) == 0 {
		more += `,"redelegations":1`
	}
	if !strings.Contains(more, "parent_id") || d.IntN(3) == 0 {
		more += fmt.Sprintf(`,"until":%q`, d.hours(20))
	}
	r := d.does(d.as(from), home, "grant-delegation", fmt.Sprintf(`{"delegate_user_id":%q,"delegate_tenant":%q%s}`, to, toHome, more))
	if r.status != http.StatusOK {
		return
	}
	d.offers = append(d.offers, offered{r.part("id"), to, tenant})
	if d.IntN(6) > 0 {
		d.does(d.as(to), toHome, "accept-delegation", fmt.Sprintf(`{"id":%q}`, r.part("id")))
	}
}

// asks puts some questions about a tenant, and keeps what is answered. Its newest event is of this instant.
func (d *day) asks(tenant string) {
	d.Helper()
	touched := d.root.command(tenant, "update-user", fmt.Sprintf(`{"id":%q,"display_name":"N%d"}`, d.ids[tenant+" user"][0], len(d.records)))
	d.app.cascaded(d.T)
	var questions []map[string]any
	for range 5 {
		user := d.some(tenant, "user")
		if d.IntN(4) == 0 {
			user, _ = d.anybody()
		}
		kind, id := d.scope(tenant)
		context := map[string]any{"explain": true}
		if here := slices.DeleteFunc(slices.Clone(d.offers), func(o offered) bool { return o.tenant != tenant }); len(here) > 0 && d.IntN(2) == 0 {
			o := here[len(here)-1-d.IntN(min(len(here), 8))]
			user, context["delegation"] = o.delegate, o.id
		}
		questions = append(questions, map[string]any{
			"subject": map[string]any{"type": "user", "id": user}, "action": map[string]any{"name": d.privilege()},
			"resource": map[string]any{"type": kind, "id": id}, "context": context,
		})
	}
	answers, position := d.evaluate(tenant, questions)
	if touched.status != http.StatusOK { // as of a position is as of the tenant's newest event then, which is older
		position = ""
	}
	for i, a := range answers {
		d.records = append(d.records, record{tenant, position, d.clock.now().Format(time.RFC3339Nano), questions[i], a})
		d.seen["answered "+a.Context.Reason]++
		if _, acting := questions[i]["context"].(map[string]any)["delegation"]; acting && a.Decision {
			d.seen["allowed by a delegation"]++
		}
	}
}

func (d *day) evaluate(tenant string, questions []map[string]any) ([]answered, string) {
	d.Helper()
	body, err := json.Marshal(map[string]any{"evaluations": questions})
	if err != nil {
		d.Fatal(err)
	}
	r := d.root.do("POST", "/v1/tenants/"+tenant+"/access/v1/evaluations", string(body))
	var all struct {
		Evaluations []answered `json:"evaluations"`
	}
	if err := json.Unmarshal([]byte(r.body), &all); err != nil || len(all.Evaluations) != len(questions) {
		d.Fatalf("%s in %s: %d %s", body, tenant, r.status, r.body)
	}
	for i := range all.Evaluations {
		all.Evaluations[i].Context.Position = ""
	}
	return all.Evaluations, r.header.Get("Chancery-Position")
}

// repeat asks the same as of a moment, and wants the same answers, for the same reasons.
func (d *day) repeat(records []record, asOf string) {
	d.Helper()
	var questions []map[string]any
	for _, r := range records {
		context := map[string]any{"as_of": asOf}
		maps.Copy(context, r.question["context"].(map[string]any))
		questions = append(questions, map[string]any{"subject": r.question["subject"], "action": r.question["action"], "resource": r.question["resource"], "context": context})
	}
	answers, _ := d.evaluate(records[0].tenant, questions)
	for i, r := range records {
		if d.seen["repeated"]++; diff.Diff(r.answer, answers[i]) != "" {
			d.Errorf("in %s at %s, position %s, %v; as of %s (-then +now):\n%s", r.tenant, r.instant, r.position, r.question, asOf, diff.Diff(r.answer, answers[i]))
		}
	}
}

// busy is what must have been asked for the day to prove anything.
var busy = map[string]int{
	"done": 150, "answered granted": 40, "answered denied-by-override": 2, "answered not-granted": 50, "allowed by a delegation": 3, "answered delegation-over": 5,
}

// quiet names what has been asked too seldom.
func (d *day) quiet() (what []string) {
	for name, least := range busy {
		if d.seen[name] < least {
			what = append(what, fmt.Sprintf("%s: %d of %d", name, d.seen[name], least))
		}
	}
	return what
}

func TestADayAskedAboutAgainIsAnsweredAsItWasThen(t *testing.T) {
	d := newDay(t)
	for step := 0; step < 110 || step < 500 && len(d.quiet()) > 0; step++ {
		d.clock.forward(time.Duration(1+d.IntN(600)) * time.Second)
		if d.IntN(5) == 0 {
			if err := d.app.due.Round(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		tenant := d.one("acme", "acme", "globex", "globex", "root")
		for range 1 + d.IntN(3) {
			d.happens(d.one(tenant, tenant, "acme", "globex"))
		}
		d.asks(tenant)
	}
	d.clock.forward(time.Hour)
	for at := 0; at < len(d.records) && !t.Failed(); {
		n := slices.IndexFunc(d.records[at:], func(r record) bool { return r.instant != d.records[at].instant })
		if n < 0 {
			n = len(d.records) - at
		}
		d.repeat(d.records[at:at+n], d.records[at].instant)
		if p := d.records[at].position; p != "" {
			d.repeat(d.records[at:at+n], p)
		}
		at += n
	}
	t.Log(d.seen)
	if quiet := d.quiet(); len(quiet) > 0 || d.seen["repeated"] < 800 {
		t.Errorf("the day was too quiet: %v; %d answers repeated", quiet, d.seen["repeated"])
	}
}
