package app

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"testing"

	"chancery/domain"
	"chancery/readmodels"
)

// outing is a platform on which acme has a group, the crew, and eve belongs to globex.
type outing struct {
	*testing.T
	*App
	root, ann, gus, eve caller // gus is globex's administrator, ann acme's
	group, user         string // the crew, and eve
}

func goingOut(t *testing.T) *outing {
	t.Helper()
	a, root := platform(t)
	o := &outing{T: t, App: a, root: root}
	for _, slug := range []string{"acme", "globex"} {
		root.must(t, "root", "create-tenant", fmt.Sprintf(`{"name":%q,"slug":%[1]q}`, slug))
	}
	o.ann, o.gus, o.eve = root.user(t, "acme", "ann", true), root.user(t, "globex", "gus", true), root.user(t, "globex", "eve", false)
	o.user = o.eve.do("GET", "/v1/me", "").part("user_id")
	o.group = o.ann.must(t, "acme", "create-group", `{"name":"Crew"}`)
	o.policy(o.ann, "acme", domain.OutsideMembers, "true")
	o.policy(o.gus, "globex", domain.JoinOutside, "true")
	return o
}

func (o *outing) policy(c caller, tenant string, s domain.Setting, value string) {
	o.Helper()
	c.must(o.T, tenant, "set-policy", fmt.Sprintf(`{"key":%q,"value":%q}`, s.Key, value))
}

func (o *outing) invite(role string) string {
	o.Helper()
	return o.root.must(o.T, "acme", "invite-to-group", fmt.Sprintf(`{"group_id":%q,"tenant":"globex","user_id":%q,"role":%q}`, o.group, o.user, role))
}

// join is eve in the crew; it returns the invitation.
func (o *outing) join(role string) string {
	o.Helper()
	id := o.invite(role)
	o.eve.must(o.T, "globex", "accept-group-invitation", fmt.Sprintf(`{"id":%q}`, id))
	return id
}

// gives makes the crew give a privilege.
func (o *outing) gives(privilege string) {
	o.Helper()
	role := o.ann.must(o.T, "acme", "create-role", fmt.Sprintf(`{"name":%q,"privileges":[%[1]q]}`, privilege))
	o.ann.must(o.T, "acme", "assign-role", fmt.Sprintf(`{"role_id":%q,"group_id":%q}`, role, o.group))
}

// want is the answer to a request in acme.
func (o *outing) want(c caller, method, address, body string, status int) reply {
	o.Helper()
	r := c.do(method, "/v1/tenants/acme"+address, body)
	if r.status != status {
		o.Errorf("%s %s: %d %s, want %d", method, address, r.status, r.body, status)
	}
	return r
}

func TestAGuestActsInTheGroupsTenantWithExactlyWhatTheGroupGives(t *testing.T) {
	o := goingOut(t)
	id := o.invite("member")
	if r := o.eve.do("GET", "/v1/tenants/globex/group-invitations?status=open&user_id="+o.user, "", "Chancery-Min-Position", strconv.FormatInt(o.headForTest(t), 10)); r.status != 200 || !strings.Contains(r.body, id) {
		t.Errorf("the invited user does not see it: %d %s", r.status, r.body)
	}
	o.want(o.eve, "GET", "/users", "", http.StatusNotFound) // who is only invited does not even know of the tenant
	o.eve.must(t, "globex", "accept-group-invitation", fmt.Sprintf(`{"id":%q}`, id))

	// The group gives nothing yet: eve may come in, and sees nothing.
	for _, c := range readmodels.Collections {
		thing := "00000000-0000-7000-8000-000000000000"
		if c.Name == "groups" {
			thing = o.group
		}
		o.want(o.eve, "GET", "/"+c.Name, "", http.StatusForbidden)
		o.want(o.eve, "GET", "/"+c.Name+"/"+thing, "", http.StatusForbidden)
		o.want(o.eve, "GET", "/"+c.Name+"?as_of=1", "", http.StatusForbidden)
		if c.Kind != "" {
			o.want(o.eve, "GET", "/"+c.Name+"/"+thing+"/history", "", http.StatusForbidden)
		}
	}
	for _, address := range []string{"", "/history", "/users?user_id=" + o.user, "/users/" + o.user, "/sessions?user_id=" + o.user, "/audit?effective_user_id=" + o.user} {
		o.want(o.eve, "GET", address, "", http.StatusForbidden)
	}
	for name, body := range map[string]string{
		"create-group": `{"name":"x"}`, "rename-group": fmt.Sprintf(`{"id":%q,"name":"x"}`, o.group), "set-password": `{"password":"eve has a password here"}`,
		"add-group-member": fmt.Sprintf(`{"group_id":%q,"user_id":%q}`, o.group, o.user), "end-sessions": `{}`,
		"issue-token": fmt.Sprintf(`{"user_id":%q,"name":"x","expires_at":%q}`, o.user, soon()),
	} {
		o.want(o.eve, "POST", "/commands/"+name, body, http.StatusForbidden)
	}
	if r := o.eve.do("GET", "/v1/tenants", ""); strings.Contains(r.body, "acme") {
		t.Errorf("a guest's tenants are more than their own: %s", r.body)
	}

	o.gives("core.users.read")
	r := o.want(o.eve, "GET", "/users", "", http.StatusOK)
	if strings.Contains(r.body, o.user) || !strings.Contains(r.body, "ann@acme.test") {
		t.Errorf("the users of the tenant are %s", r.body)
	}
	o.want(o.eve, "GET", "/groups", "", http.StatusForbidden)
	ask := fmt.Sprintf(`{"subject":{"type":"user","id":%q},"action":{"name":"core.users.read"},"resource":{"type":"tenant","id":"acme"}}`, o.user)
	if r := o.want(o.eve, "POST", "/access/v1/evaluation", ask, http.StatusOK); r.body != `{"decision":true}` {
		t.Errorf("a guest asks about themselves: %s", r.body)
	}
	o.want(o.eve, "POST", "/access/v1/evaluation", strings.ReplaceAll(ask, o.user, o.group), http.StatusForbidden)
	if r := o.eve.do("POST", "/access/v1/evaluation", ask); !strings.Contains(r.body, `"decision":false`) {
		t.Errorf("the same at home: %s", r.body)
	}
}

func TestWhatAGuestHasEndsWithTheVeryNextRequest(t *testing.T) {
	o := goingOut(t)
	o.gives("core.users.read")
	id := o.join("member")
	in := func(want bool) {
		t.Helper()
		status := map[bool]int{true: http.StatusOK, false: http.StatusNotFound}[want]
		if r := o.eve.do("GET", "/v1/tenants/acme/users", ""); r.status != status && (want || r.status != http.StatusUnauthorized) {
			t.Errorf("eve is answered %d %s", r.status, r.body)
		}
	}
	tenant := func(slug string) string {
		return o.root.do("GET", "/v1/tenants/"+slug, "").part("id")
	}
	ids := map[string]string{"acme": tenant("acme"), "globex": tenant("globex")}
	suspended := func(name, slug string) func() {
		return func() { o.root.must(t, "root", name+"-tenant", fmt.Sprintf(`{"id":%q}`, ids[slug])) }
	}
	set := func(slug string, s domain.Setting, value string) func() {
		return func() { o.policy(o.root, slug, s, value) }
	}
	does := func(tenant, command, body string) func() {
		return func() { o.root.must(t, tenant, command, body) }
	}
	it, crew := fmt.Sprintf(`{"id":%q}`, o.user), fmt.Sprintf(`{"id":%q}`, o.group)
	again := func() { id = o.join("member") }
	for _, end := range []struct {
		name   string
		by     func()
		undone func()
	}{
		{"the policy of the group's tenant", set("acme", domain.OutsideMembers, "false"), set("acme", domain.OutsideMembers, "true")},
		{"the policy of their tenant", set("globex", domain.JoinOutside, "false"), set("globex", domain.JoinOutside, "true")},
		{"the group's tenant is suspended", suspended("suspend", "acme"), suspended("reactivate", "acme")},
		{"their tenant is suspended", suspended("suspend", "globex"), suspended("reactivate", "globex")},
		{"they are deactivated", does("globex", "deactivate-user", it), does("globex", "reactivate-user", it)},
		{"they leave", func() { o.eve.must(t, "globex", "leave-group", fmt.Sprintf(`{"id":%q}`, id)) }, again},
		{"their tenant takes them out", func() { o.root.must(t, "globex", "leave-group", fmt.Sprintf(`{"id":%q}`, id)) }, again},
		{"they are removed", does("acme", "remove-group-member", fmt.Sprintf(`{"group_id":%q,"user_id":%q}`, o.group, o.user)), again},
		{"the group is deleted", does("acme", "delete-group", crew), nil},
	} {
		t.Run(end.name, func(t *testing.T) {
			in(true)
			end.by()
			in(false)
			if end.undone != nil {
				end.undone()
			}
			o.eve = o.eve.as(o.root.issue(t, "globex", o.user)) // some of these end the tokens that there were
		})
	}
	o.settled(t)
	for _, slug := range []string{"acme", "globex"} {
		r := o.root.do("GET", "/v1/tenants/"+slug+"/group-invitations?user_id="+o.user, "")
		if n := strings.Count(r.body, `"status":"ended"`); n != 4 || strings.Count(r.body, `"status"`) != 4 {
			t.Errorf("%s has on record: %s", slug, r.body)
		}
	}
	if r := o.root.do("GET", "/v1/tenants/acme/group-memberships?user_id="+o.user, ""); strings.Contains(r.body, o.user) {
		t.Errorf("a membership is left: %s", r.body)
	}
}

func TestMembersSeeOneAnotherAsTheGroupsTenantHasIt(t *testing.T) {
	o := goingOut(t)
	o.join("member")
	zoe := o.root.user(t, "globex", "zoe", false)
	theirs := zoe.do("GET", "/v1/me", "").part("user_id")
	id := o.ann.must(t, "acme", "invite-to-group", fmt.Sprintf(`{"group_id":%q,"tenant":"globex","user_id":%q}`, o.group, theirs))
	zoe.must(t, "globex", "accept-group-invitation", fmt.Sprintf(`{"id":%q}`, id))
	mate := o.ann.must(t, "acme", "register-user", `{"display_name":"Mate","email":"mate@acme.test"}`)
	o.ann.must(t, "acme", "add-group-member", fmt.Sprintf(`{"group_id":%q,"user_id":%q}`, o.group, mate))
	o.settled(t)
	address := "/groups/" + o.group + "/members"
	type member struct {
		User string  `json:"user_id"`
		Home *string `json:"home_tenant_id"`
		Name *string `json:"display_name"`
	}
	sees := func(c caller) (users []string) {
		t.Helper()
		o.settled(t)
		var page struct {
			Items []member `json:"items"`
		}
		if err := json.Unmarshal([]byte(o.want(c, "GET", address, "", http.StatusOK).body), &page); err != nil {
			t.Fatal(err)
		}
		for _, m := range page.Items {
			users = append(users, m.User)
			if (m.Home == nil) != (m.User == mate) || (m.Name == nil) == (m.User == mate) {
				t.Errorf("shown as %+v", m)
			}
		}
		slices.Sort(users)
		return users
	}
	sorted := func(users ...string) []string { slices.Sort(users); return users }
	for _, c := range []struct {
		policy string
		want   []string
	}{
		{"", sorted(o.user, theirs)}, {domain.SeeAll, sorted(o.user, theirs, mate)}, {domain.SeeNobody, []string{o.user}}, {domain.SeeOwn, sorted(o.user, theirs)},
	} {
		if c.policy != "" {
			o.policy(o.ann, "acme", domain.MembersSee, c.policy)
		}
		if got := sees(o.eve); !slices.Equal(got, c.want) {
			t.Errorf("%q: eve sees %v, want %v", c.policy, got, c.want)
		}
		if got := sees(o.ann); len(got) != 3 {
			t.Errorf("%q: who may read memberships sees %v", c.policy, got)
		}
	}
	other := o.ann.must(t, "acme", "create-group", `{"name":"Other"}`)
	matey := o.ann.as(o.ann.issue(t, "acme", mate))
	for name, r := range map[string]reply{
		"a group of which they are no member":   o.eve.do("GET", "/v1/tenants/acme/groups/"+other+"/members", ""),
		"a group that is none":                  o.eve.do("GET", "/v1/tenants/acme/groups/"+mate+"/members", ""),
		"no id":                                 o.eve.do("GET", "/v1/tenants/acme/groups/x/members", ""),
		"a group that is none, to an auditor":   o.ann.do("GET", "/v1/tenants/acme/groups/"+mate+"/members", ""),
		"somebody of the tenant without rights": matey.do("GET", "/v1/tenants/acme"+address, ""),
		"a stranger":                            o.gus.do("GET", "/v1/tenants/acme"+address, ""),
	} {
		if r.status != http.StatusNotFound {
			t.Errorf("%s: %d %s", name, r.status, r.body)
		}
	}
	o.want(o.eve, "GET", address+"?as_of=1", "", http.StatusBadRequest)
	o.want(o.eve, "GET", address+"?role=owner", "", http.StatusBadRequest)
	o.want(o.ann, "GET", address+"?as_of=1", "", http.StatusNotFound) // there was no group
	if r := o.want(o.ann, "GET", address+"?limit=1", "", http.StatusOK); r.part("next") == "" {
		t.Errorf("a page of three: %s", r.body)
	}
}

func TestAMaintainerFromOutsideKeepsTheGroupAndGetsNoFurther(t *testing.T) {
	o := goingOut(t)
	o.join("maintainer")
	mate := o.ann.must(t, "acme", "register-user", `{"display_name":"Mate","email":"mate@acme.test"}`)
	of := func(user string) string { return fmt.Sprintf(`"group_id":%q,"user_id":%q`, o.group, user) }
	o.want(o.eve, "POST", "/commands/add-group-member", `{`+of(mate)+`}`, http.StatusOK)
	o.want(o.eve, "POST", "/commands/remove-group-member", `{`+of(mate)+`}`, http.StatusOK)
	for _, c := range []struct{ command, body, code string }{
		{"change-group-role", `{` + of(o.user) + `,"role":"owner"}`, "may-not-grant"},
		{"add-group-member", `{` + of(mate) + `,"role":"maintainer"}`, "may-not-grant"},
		{"invite-to-group", `{` + of(o.user) + `,"tenant":"globex"}`, "not-oneself"},
		{"rename-group", fmt.Sprintf(`{"id":%q,"name":"Mine"}`, o.group), "not-allowed"},
		{"delete-group", fmt.Sprintf(`{"id":%q}`, o.group), "not-allowed"},
		{"add-group-member", fmt.Sprintf(`{"group_id":%q,"user_id":%q}`, mate, o.user), "not-allowed"},
	} {
		if r := o.eve.command("acme", c.command, c.body); r.code() != c.code {
			t.Errorf("%s %s: %d %s, want %s", c.command, c.body, r.status, r.body, c.code)
		}
	}
	if r := o.ann.command("acme", "change-group-role", `{`+of(o.user)+`,"role":"owner"}`); r.code() != "outside-owner" {
		t.Errorf("an administrator makes a guest an owner: %d %s", r.status, r.body)
	}
	if r := o.want(o.eve, "GET", "/commands", "", http.StatusOK); !strings.Contains(r.body, `"invite-to-group"`) || strings.Contains(r.body, `"rename-group"`) {
		t.Errorf("a maintainer from outside is offered %s", r.body)
	}
	// What the group gives and its maintainer lacks, they do not hand on.
	o.ann.must(t, "acme", "add-override", fmt.Sprintf(`{"effect":"deny","privilege":"core.roles.read","group_id":%q,"expires_at":%q,"reason":"test"}`, o.group, soon()))
	o.gives("core.roles.read")
	if r := o.eve.command("acme", "add-group-member", `{`+of(mate)+`}`); r.code() != "may-not-grant" {
		t.Errorf("a maintainer gives what is denied to them: %d %s", r.status, r.body)
	}
}

func TestThePastKnowsWhoWasAGuest(t *testing.T) {
	o := goingOut(t)
	o.gives("core.users.read")
	before := o.headForTest(t)
	id := o.join("member")
	during := o.headForTest(t)
	o.eve.must(t, "globex", "leave-group", fmt.Sprintf(`{"id":%q}`, id))
	after := o.headForTest(t)
	o.join("member")
	for at, want := range map[int64]bool{before: false, during: true, after: false} {
		ask := fmt.Sprintf(`{"subject":{"type":"user","id":%q},"action":{"name":"core.users.read"},"resource":{"type":"tenant","id":"acme"},"context":{"as_of":%d}}`, o.user, at)
		if r := o.want(o.ann, "POST", "/access/v1/evaluation", ask, http.StatusOK); strings.Contains(r.body, `"decision":true`) != want {
			t.Errorf("as of %d: %s", at, r.body)
		}
	}
}
