package commands_test

import (
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"chancery/commands"
	"chancery/domain"
	"chancery/internal/dcb"
)

func provider(name string) domain.IssuerID { return domain.IssuerID{UUID: named("issuer " + name)} }

// trusted is an issuer as it usually is.
func trusted(name string, changes ...func(*domain.IssuerAdded)) domain.IssuerAdded {
	e := domain.IssuerAdded{
		Issuer: provider(name), Tenant: acme, Name: name, URL: "https://" + name + ".test", ClientID: "chancery",
		Scopes: []string{"openid", "email", "profile"}, Provisioning: domain.ProvisionNobody, Enabled: true,
	}
	for _, change := range changes {
		change(&e)
	}
	return e
}

func provisioning(e *domain.IssuerAdded) { e.Provisioning = domain.ProvisionVerifiedDomain }

// mapping has values of the claim "groups" lead to groups of the same names.
func mapping(names ...string) func(*domain.IssuerAdded) {
	return func(e *domain.IssuerAdded) {
		e.GroupsClaim = "groups"
		for _, n := range names {
			e.GroupMap = append(e.GroupMap, domain.GroupMapping{Value: n, Group: group(n)})
		}
	}
}

func termed(e domain.IssuerAdded, changes ...func(*domain.IssuerAdded)) domain.IssuerChanged {
	for _, change := range changes {
		change(&e)
	}
	return domain.IssuerChanged(e)
}

func distrusted(e domain.IssuerAdded) domain.IssuerRemoved {
	return domain.IssuerRemoved{Issuer: e.Issuer, Tenant: e.Tenant}
}

func adding(changes ...func(*commands.AddIssuer)) commands.AddIssuer {
	c := commands.AddIssuer{ID: provider("id"), Name: "id", URL: "https://id.test", ClientID: "chancery"}
	for _, change := range changes {
		change(&c)
	}
	return c
}

func TestAnIssuerIsTrustedOnceUnderItsURL(t *testing.T) {
	e := trusted("id")
	given().When(adding().Decide(env())).Then(t, e)
	given(e).When(adding(func(c *commands.AddIssuer) { c.ID = provider("other") }).Decide(env())).ThenRefused(t, domain.ErrIssuerTwice)
	given(e).When(adding(func(c *commands.AddIssuer) { c.URL = "https://other.test" }).Decide(env())).ThenRefused(t, domain.ErrIDTaken)
	given().elsewhere(globex, e).When(adding().Decide(env())).ThenRefused(t, domain.ErrIDTaken)
	given(e, distrusted(e)).When(adding(func(c *commands.AddIssuer) { c.ID = provider("again") }).Decide(env())).Events(t)
	given(e, distrusted(e)).When(adding().Decide(env())).ThenRefused(t, domain.ErrIDTaken)
}

func TestAnIssuersTermsAreChecked(t *testing.T) {
	for pointer, bad := range map[string]func(*commands.AddIssuer){
		"/name":          func(c *commands.AddIssuer) { c.Name = "" },
		"/client_id":     func(c *commands.AddIssuer) { c.ClientID = " " },
		"/client_secret": func(c *commands.AddIssuer) { c.ClientSecret = "hunter2" },
		"/provisioning":  func(c *commands.AddIssuer) { c.Provisioning = "everybody" },
		"/scopes":        func(c *commands.AddIssuer) { c.Scopes = []string{"email"} },
		"/audiences":     func(c *commands.AddIssuer) { c.Audiences = []string{""} },
		"/groups_claim":  func(c *commands.AddIssuer) { c.GroupMap = map[string]domain.GroupID{"a": group("a")} },
		"/group_map": func(c *commands.AddIssuer) {
			c.GroupsClaim, c.GroupMap = "groups", map[string]domain.GroupID{"": group("a")}
		},
	} {
		given(groupMade("a", "")).When(adding(bad).Decide(env())).ThenInvalid(t, pointer)
	}
	given().When(adding(func(c *commands.AddIssuer) { c.Scopes = []string{"openid", `a"b`} }).Decide(env())).ThenInvalid(t, "/scopes")
	given().When(adding(func(c *commands.AddIssuer) { c.Audiences = make([]string, 21) }).Decide(env())).ThenInvalid(t, "/audiences")
	given().When(adding(func(c *commands.AddIssuer) { c.GroupsClaim = "\x00" }).Decide(env())).ThenInvalid(t, "/groups_claim")
	many := map[string]domain.GroupID{}
	for i := range 201 {
		many[strconv.Itoa(i)] = group("a")
	}
	given().When(adding(func(c *commands.AddIssuer) { c.GroupsClaim, c.GroupMap = "groups", many }).Decide(env())).ThenInvalid(t, "/group_map")
	given().When(adding(func(c *commands.AddIssuer) { c.ClientSecret = "secret://sign-in/acme-id" }).Decide(env())).Events(t)
}

func TestAnIssuersURLIsOneThatCanBeTrusted(t *testing.T) {
	for url, ok := range map[string]bool{
		"https://id.test": true, "https://id.test/realms/acme/": true, "https://id.test:8443": true, "http://127.0.0.1:9999/op": true,
		"http://localhost:1": true, "http://[::1]:1": true, "http://id.test": false, "http://10.0.0.1": false, "https://": false, "id.test": false,
		"https://a:b@id.test": false, "https://id.test?x": false, "https://id.test#x": false, "ftp://id.test": false, "": false,
		"https://id.test/ x": false, "https://ïd.test": false, "https://id.test\\x": false, "http://localhost.evil.test": false,
		"https://" + strings.Repeat("a", 200): false, "javascript:alert(1)": false,
	} {
		got := given().When(adding(func(c *commands.AddIssuer) { c.URL = url }).Decide(env()))
		if ok {
			got.Events(t)
		} else {
			got.ThenInvalid(t, "/url")
		}
	}
}

// Whoever runs an issuer can be every user who is linked to it.
func TestOnlyThoseFromWhomNothingIsKeptSayWhomToBelieve(t *testing.T) {
	given().When(adding().Decide(having("core.issuers.add"))).ThenRefused(t, domain.ErrMayNotGive)
	h := given(trusted("id"))
	text, audiences, yes, no := "secret://a/b", []string{"api"}, true, false
	for _, c := range []commands.ChangeIssuer{{ClientID: "other"}, {ClientSecret: &text}, {Audiences: &audiences}} {
		c.ID = provider("id")
		h.When(c.Decide(having("core.issuers.change"))).ThenRefused(t, domain.ErrMayNotGive)
		h.When(c.Decide(env())).Events(t)
	}
	off := h.and(termed(trusted("id"), func(e *domain.IssuerAdded) { e.Enabled = false }))
	off.When(commands.ChangeIssuer{ID: provider("id"), Enabled: &yes}.Decide(having("core.issuers.change"))).ThenRefused(t, domain.ErrMayNotGive)
	h.When(commands.ChangeIssuer{ID: provider("id"), Enabled: &no}.Decide(having("core.issuers.change"))).Events(t)
	h.When(commands.ChangeIssuer{ID: provider("id"), Name: "New"}.Decide(having("core.issuers.change"))).
		Then(t, termed(trusted("id"), func(e *domain.IssuerAdded) { e.Name = "New" }))
}

func TestNobodyMapsIntoGroupsWhoseRightsTheyLack(t *testing.T) {
	h := given(trusted("id"), groupMade("plain", ""), groupMade("above", ""), groupMade("admins", "above"), roleMade("boss"), holds("boss", "core.users.*"),
		domain.RoleAssigned{Assignment: assignment("a"), Role: role("boss"), Group: group("above"), Window: always()})
	claim := "groups"
	into := func(names ...string) commands.ChangeIssuer {
		m := map[string]domain.GroupID{}
		for _, n := range names {
			m[n] = group(n)
		}
		return commands.ChangeIssuer{ID: provider("id"), GroupsClaim: &claim, GroupMap: &m}
	}
	h.When(into("admins").Decide(having("core.issuers.change"))).ThenRefused(t, domain.ErrMayNotGive)
	h.When(into("admins").Decide(having("core.users.*"))).Then(t, termed(trusted("id"), mapping("admins")))
	h.When(into("plain").Decide(having())).Then(t, termed(trusted("id"), mapping("plain")))
	h.When(into("nowhere").Decide(env())).ThenRefused(t, domain.ErrGroupUnknown)

	standing := h.and(termed(trusted("id"), mapping("admins")))
	standing.When(into("admins", "plain").Decide(having())).Then(t, termed(trusted("id"), mapping("admins", "plain")))
	other := "departments"
	standing.When(commands.ChangeIssuer{ID: provider("id"), GroupsClaim: &other}.Decide(having())).ThenRefused(t, domain.ErrMayNotGive)
	standing.When(into().Decide(having())).Events(t)

	// Where it registers people from now on, its word leads more of them there.
	more := commands.ChangeIssuer{ID: provider("id"), Provisioning: domain.ProvisionVerifiedDomain}
	standing.When(more.Decide(having())).ThenRefused(t, domain.ErrMayNotGive)
	standing.When(more.Decide(having("core.users.*"))).Then(t, termed(trusted("id"), mapping("admins"), provisioning))
	less := commands.ChangeIssuer{ID: provider("id"), Provisioning: domain.ProvisionNobody}
	standing.and(termed(trusted("id"), mapping("admins"), provisioning)).When(less.Decide(having())).Events(t)
}

func TestNobodyHasOthersTakenOutOfGroupsWhoseDeniesHoldThemBack(t *testing.T) {
	h := given(groupMade("above", ""), groupMade("crew", "above"), trusted("id", mapping("crew")), deniedAt(atGroup("above")))
	claim, nobody := "departments", map[string]domain.GroupID{}
	for name, c := range map[string]commands.ChangeIssuer{
		"unmapped": {GroupMap: &nobody}, "by another claim": {GroupsClaim: &claim}, "without the claim's scope": {Scopes: []string{"openid"}},
	} {
		t.Log(name)
		c.ID = provider("id")
		h.When(c.Decide(having("core.issuers.change"))).ThenRefused(t, domain.ErrMayNotGive)
		h.When(c.Decide(having("core.issuers.change", "file.read"))).Events(t)
		h.When(c.Decide(env())).Events(t)
	}
	h.When(commands.ChangeIssuer{ID: provider("id"), Name: "New"}.Decide(having("core.issuers.change"))).Events(t)
}

func TestWhatIsAbsentInAChangeStays(t *testing.T) {
	e := trusted("id", mapping("a"), func(e *domain.IssuerAdded) { e.Audiences, e.ClientSecret = []string{"api"}, "secret://a/b" })
	h := given(groupMade("a", ""), e)
	h.When(commands.ChangeIssuer{ID: provider("id")}.Decide(env())).ThenNothing(t)
	h.When(commands.ChangeIssuer{ID: provider("id"), Name: "id"}.Decide(env())).ThenNothing(t)
	empty, none, nobody := "", []string{}, map[string]domain.GroupID{}
	got := h.When(commands.ChangeIssuer{
		ID: provider("id"), ClientSecret: &empty, Audiences: &none, GroupsClaim: &empty, GroupMap: &nobody, Scopes: []string{"openid"},
		Provisioning: domain.ProvisionVerifiedDomain,
	}.Decide(env())).Events(t)[0].(domain.IssuerChanged)
	if got.ClientSecret != "" || len(got.Audiences) != 0 || got.GroupsClaim != "" || got.GroupMap != nil || got.URL != e.URL || got.Name != e.Name {
		t.Errorf("became %+v", got)
	}
	h.When(commands.ChangeIssuer{ID: provider("id"), GroupsClaim: &empty}.Decide(env())).ThenInvalid(t, "/groups_claim")
	h.When(commands.ChangeIssuer{ID: provider("x"), Name: "n"}.Decide(env())).ThenRefused(t, domain.ErrIssuerUnknown)
	given().elsewhere(globex, e).When(commands.ChangeIssuer{ID: provider("id"), Name: "n"}.Decide(env())).ThenRefused(t, domain.ErrIssuerUnknown)
}

func TestAnIssuerIsRemovedOnce(t *testing.T) {
	e := trusted("id")
	remove := commands.RemoveIssuer{ID: provider("id")}.Decide(having())
	given(e).When(remove).Then(t, distrusted(e))
	given(e, distrusted(e)).When(commands.RemoveIssuer{ID: provider("id")}.Decide(having())).ThenNothing(t)
	given().When(commands.RemoveIssuer{ID: provider("id")}.Decide(having())).ThenRefused(t, domain.ErrIssuerUnknown)
	given().elsewhere(globex, e).When(commands.RemoveIssuer{ID: provider("id")}.Decide(having())).ThenRefused(t, domain.ErrIssuerUnknown)
}

var (
	knock = domain.SessionID{UUID: named("session knock")}
	once  = domain.TicketID{UUID: named("ticket once")}
)

func vouched(subject string, changes ...func(*commands.Vouched)) commands.Vouched {
	v := commands.Vouched{Issuer: provider("id"), URL: "https://id.test", Client: "chancery", Subject: subject}
	for _, change := range changes {
		change(&v)
	}
	return v
}

func mailed(address string, verified bool) func(*commands.Vouched) {
	return func(v *commands.Vouched) { v.Email, v.EmailVerified, v.Name = address, verified, "Zoe Zander" }
}

func claiming(groups ...string) func(*commands.Vouched) {
	return func(v *commands.Vouched) { v.Groups = groups }
}

func signIn(v commands.Vouched) dcb.Decision {
	return commands.SignInByIssuer{ID: knock, Ticket: once, Vouched: v}.Decide(env())
}

func madeBy(session domain.SessionID, what string) uuid.UUID {
	return uuid.NewSHA1(session.UUID, []byte(what))
}

func entered(who domain.UserID, changes ...func(*domain.SessionStarted)) domain.SessionStarted {
	_, hash := hashed("secret session " + knock.String())
	e := domain.SessionStarted{
		Session: knock, User: who, Hash: hash, Methods: []string{"fed"}, Ticket: once, Issuer: provider("id"), Idle: 3600,
		ExpiresAt: now.Add(24 * time.Hour).Truncate(time.Second),
	}
	for _, change := range changes {
		change(&e)
	}
	return e
}

func TestWhoIsLinkedSignsInByTheirIssuer(t *testing.T) {
	h := given(trusted("id"), registered("ann"), linked("a", "ann", "https://id.test", "42"))
	h.When(signIn(vouched("42"))).Then(t, entered(user("ann")))
	h.When(signIn(vouched("42", func(v *commands.Vouched) { v.Many, v.SeenAt = true, now.Add(-time.Hour) }))).
		Then(t, entered(user("ann"), func(e *domain.SessionStarted) {
			e.Methods, e.ProvenAt = []string{"fed", "mfa"}, now.Add(-time.Hour)
		}))
	h.When(signIn(vouched("43"))).ThenRefused(t, domain.ErrIdentityAlone)
	h.When(signIn(vouched(""))).ThenInvalid(t, "/sub")
	h.and(unlinked(linked("a", "ann", "https://id.test", "42"))).When(signIn(vouched("42"))).ThenRefused(t, domain.ErrIdentityAlone)
	h.and(domain.UserDeactivated{User: user("ann")}).When(signIn(vouched("42"))).ThenRefused(t, domain.ErrUserNotActive)
	h.and(entered(user("ann"))).When(signIn(vouched("42"))).ThenRefused(t, domain.ErrTicket)
	given(registered("ann"), linked("a", "ann", "https://id.test", "42")).elsewhere(globex, trusted("id")).
		When(signIn(vouched("42"))).ThenRefused(t, domain.ErrIssuerChanged)
}

func TestTheWordOfAnIssuerCountsAsLongAsItIsTrustedAsItWas(t *testing.T) {
	e := trusted("id")
	h := given(e, registered("ann"), linked("a", "ann", "https://id.test", "42"))
	for _, event := range []dcb.Event{
		distrusted(e), termed(e, func(e *domain.IssuerAdded) { e.Enabled = false }), termed(e, func(e *domain.IssuerAdded) { e.ClientID = "x" }),
	} {
		h.and(event).When(signIn(vouched("42"))).ThenRefused(t, domain.ErrIssuerChanged)
	}
}

// The same subject at another issuer is somebody else, and so is whoever has the same address.
func TestAnAddressLinksNobody(t *testing.T) {
	ann := registered("ann")
	ann.Email, ann.EmailKey = dcb.Plain("ann@acme.test"), domain.Email("ann@acme.test").Claim()
	h := given(trusted("id", provisioning), trusted("evil", provisioning), ann, linked("a", "ann", "https://id.test", "42"),
		verifiedDomain("acme.test"), domain.DomainVerified{Domain: dnsDomain("acme.test"), Tenant: acme, Name: "acme.test"})
	foreign := vouched("42", func(v *commands.Vouched) { v.Issuer, v.URL = provider("evil"), "https://evil.test" })
	h.When(signIn(foreign)).ThenRefused(t, domain.ErrIdentityAlone)
	h.When(signIn(vouched("43", mailed("ann@acme.test", true)))).ThenRefused(t, domain.ErrIdentityAlone)
}

func verifiedDomain(name string) domain.DomainAdded {
	return domain.DomainAdded{Domain: dnsDomain(name), Tenant: acme, Name: domain.DomainName(name), Challenge: "c"}
}

func TestSomebodyOfAVerifiedDomainIsRegisteredAtTheFirstSignIn(t *testing.T) {
	added, proven := verifiedDomain("acme.test"), domain.DomainVerified{Domain: dnsDomain("acme.test"), Tenant: acme, Name: "acme.test"}
	h := given(trusted("id", provisioning), added, proven)
	zoe := domain.UserID{UUID: madeBy(knock, "user")}
	key := domain.IdentityClaim("https://id.test", "42")
	register := func(name string) domain.UserRegistered {
		return domain.UserRegistered{
			User: zoe, Email: dcb.Plain("zoe@acme.test"), EmailKey: domain.Email("zoe@acme.test").Claim(), DisplayName: dcb.Plain(name), Status: domain.UserActive,
		}
	}
	link := domain.IdentityLinked{
		Identity: domain.IdentityID{UUID: madeBy(knock, "identity")}, User: zoe, Issuer: "https://id.test", Subject: dcb.Plain("42"), Key: key,
	}
	h.When(signIn(vouched("42", mailed("Zoe@Acme.test", true)))).Then(t, register("Zoe Zander"), link, entered(zoe))
	h.When(signIn(vouched("42", mailed("zoe@acme.test", true), func(v *commands.Vouched) { v.Name = "\x00" }))).
		Then(t, register("zoe"), link, entered(zoe))
	for name, alone := range map[string]outcome{
		"not verified":     h.When(signIn(vouched("42", mailed("zoe@acme.test", false)))),
		"another domain":   h.When(signIn(vouched("42", mailed("zoe@evil.test", true)))),
		"a subdomain":      h.When(signIn(vouched("42", mailed("zoe@sub.acme.test", true)))),
		"no address":       h.When(signIn(vouched("42", mailed("", true)))),
		"no such address":  h.When(signIn(vouched("42", mailed("zoe", true)))),
		"not provisioning": given(trusted("id"), added, proven).When(signIn(vouched("42", mailed("zoe@acme.test", true)))),
		"a claimed domain": given(trusted("id", provisioning), added).When(signIn(vouched("42", mailed("zoe@acme.test", true)))),
		"a former domain": h.and(domain.DomainRemoved{Domain: dnsDomain("acme.test"), Tenant: acme, Name: "acme.test"}).
			When(signIn(vouched("42", mailed("zoe@acme.test", true)))),
	} {
		t.Log(name)
		alone.ThenRefused(t, domain.ErrIdentityAlone)
	}
}

func followedInto(name string) domain.MemberAdded {
	return domain.MemberAdded{
		Membership: domain.MembershipID{UUID: madeBy(knock, "membership in "+group(name).String())}, Group: group(name),
		User: user("ann"), Role: domain.Member, Issuer: provider("id"),
	}
}

func TestMembershipsFollowTheGroupsClaim(t *testing.T) {
	h := given(trusted("id", mapping("a", "b", "gone")), registered("ann"), linked("x", "ann", "https://id.test", "42"),
		groupMade("a", ""), groupMade("b", ""), groupMade("c", ""))
	h.When(signIn(vouched("42", claiming("a", "c", "A", "gone")))).Then(t, followedInto("a"), entered(user("ann")))
	byClaim := joined("ann", "a", domain.Member)
	byClaim.Issuer = provider("id")
	gone := domain.MemberRemoved{Membership: byClaim.Membership, Group: group("a"), User: user("ann"), Role: domain.Member}

	h.and(byClaim).When(signIn(vouched("42", claiming("a")))).Then(t, entered(user("ann")))
	h.and(byClaim).When(signIn(vouched("42", claiming("b")))).Then(t, gone, followedInto("b"), entered(user("ann")))
	h.and(byClaim).When(signIn(vouched("42"))).Then(t, gone, entered(user("ann")))
	h.and(byClaim, termed(trusted("id"))).When(signIn(vouched("42", claiming("a")))).Then(t, gone, entered(user("ann")))

	// What somebody did by hand, or another issuer's claim, is none of this one's business.
	h.and(joined("ann", "a", domain.Member)).When(signIn(vouched("42"))).Then(t, entered(user("ann")))
	h.and(joined("ann", "a", domain.Owner)).When(signIn(vouched("42", claiming("a")))).Then(t, entered(user("ann")))
	h.and(byClaim, gone, joined("ann", "a", domain.Member)).When(signIn(vouched("42"))).Then(t, entered(user("ann")))
	h.and(byClaim, domain.MemberRoleChanged{Membership: byClaim.Membership, Group: group("a"), User: user("ann"), Role: domain.Owner, Was: domain.Member}).
		When(signIn(vouched("42"))).Then(t, entered(user("ann")))
	others := byClaim
	others.Issuer = provider("other")
	h.and(others).When(signIn(vouched("42"))).Then(t, entered(user("ann")))
	h.and(domain.GroupDeleted{Group: group("a")}).When(signIn(vouched("42", claiming("a")))).Then(t, entered(user("ann")))

	long := make([]string, 2001)
	long[2000] = "a"
	h.When(signIn(vouched("42", claiming(long...)))).Then(t, entered(user("ann")))
}

func TestASignedInUserLinksTheirAccount(t *testing.T) {
	h := given(trusted("id"), registered("ann"), registered("bob"), entered(user("ann")))
	link := func(v commands.Vouched) dcb.Decision {
		return commands.LinkByIssuer{ID: identity("a"), Session: knock, User: user("ann"), Vouched: v}.Decide(env())
	}
	h.When(link(vouched("42"))).Then(t, linked("a", "ann", "https://id.test", "42"))
	h.and(linked("x", "ann", "https://id.test", "42")).When(link(vouched("42"))).ThenNothing(t)
	h.and(linked("x", "bob", "https://id.test", "42")).When(link(vouched("42"))).ThenRefused(t, domain.ErrIdentityTaken)
	h.and(distrusted(trusted("id"))).When(link(vouched("42"))).ThenRefused(t, domain.ErrIssuerChanged)
	h.and(domain.SessionEnded{Session: knock, User: user("ann")}).When(link(vouched("42"))).ThenRefused(t, domain.ErrLinkSession)
	h.and(domain.UserDeactivated{User: user("ann")}).When(link(vouched("42"))).ThenRefused(t, domain.ErrLinkSession)
	given(trusted("id"), registered("ann"), entered(user("bob"))).When(link(vouched("42"))).ThenRefused(t, domain.ErrLinkSession)
}
