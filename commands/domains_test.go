package commands_test

import (
	"strings"
	"testing"

	"chancery/commands"
	"chancery/domain"
	"chancery/internal/dcb"
)

func domainAdded(t domain.TenantID, name domain.DomainName) domain.DomainAdded {
	return domain.DomainAdded{Domain: dnsDomain(t.String() + string(name)), Tenant: t, Name: name, Challenge: "prove " + t.String()}
}

func domainVerified(t domain.TenantID, name domain.DomainName) domain.DomainVerified {
	return domain.DomainVerified{Domain: dnsDomain(t.String() + string(name)), Tenant: t, Name: name}
}

func mine(name domain.DomainName) domain.DomainID { return dnsDomain(acme.String() + string(name)) }

func TestADomainIsClaimedInItsASCIIForm(t *testing.T) {
	for in, want := range map[string]domain.DomainName{
		"acme.test": "acme.test", "ACME.Test.": "acme.test", "bücher.example": "xn--bcher-kva.example", "a.b.c.example": "a.b.c.example",
	} {
		events := given().When(commands.AddDomain{ID: dnsDomain("x"), Domain: in}.Decide(env())).Events(t)
		if added := events[0].(domain.DomainAdded); added.Name != want || added.Challenge == "" || added.Tenant != acme {
			t.Errorf("%q was added as %+v, want the name %s and a challenge", in, added, want)
		}
	}
	for _, in := range []string{
		"", "acme", ".", "acme..test", "-acme.test", "acme-.test", "a_b.test", "acme.test/x", "a b.test", "127.0.0.1", "[::1]",
		"*.acme.test", "acme.test..", strings.Repeat("a", 64) + ".test", strings.Repeat("abcdefg.", 32) + "test", "a\x00.test",
	} {
		given().When(commands.AddDomain{ID: dnsDomain("x"), Domain: in}.Decide(env())).ThenInvalid(t, "/domain")
	}
}

func TestTheChallengeIsOfThisClaimAlone(t *testing.T) {
	challenge := func(e commands.Env, name string) string {
		got := commands.AddDomain{ID: dnsDomain(name), Domain: "acme.test"}
		added := given().When(got.Decide(e)).Events(t)[0].(domain.DomainAdded)
		if key, shown := got.Reveal(e); key != "challenge" || shown != added.Challenge {
			t.Errorf("the answer shows %s=%s, the event holds %s", key, shown, added.Challenge)
		}
		return added.Challenge
	}
	other := env()
	other.Tenant = globex
	if a, b, c := challenge(env(), "x"), challenge(env(), "y"), challenge(other, "x"); a == b || a == c {
		t.Errorf("challenges repeat: %s %s %s", a, b, c)
	}
}

func TestADomainIsAddedOnceAndProvedByOneTenant(t *testing.T) {
	c := commands.AddDomain{ID: dnsDomain("x"), Domain: "ACME.test"}
	given(domainAdded(acme, "acme.test")).When(c.Decide(env())).ThenRefused(t, domain.ErrDomainTwice)
	theirs := given().elsewhere(globex, domainAdded(globex, "acme.test"))
	theirs.When(c.Decide(env())).Events(t)
	proved := theirs.elsewhere(globex, domainVerified(globex, "acme.test"))
	proved.When(c.Decide(env())).ThenRefused(t, domain.ErrDomainTaken)
	gone := domain.DomainRemoved{Domain: domainAdded(globex, "acme.test").Domain, Tenant: globex, Name: "acme.test"}
	proved.elsewhere(globex, gone).When(c.Decide(env())).Events(t)

	// An unproved claim that is given up frees nothing.
	proved.and(domainAdded(acme, "acme.test"), domain.DomainRemoved{Domain: mine("acme.test"), Tenant: acme, Name: "acme.test"}).
		When(c.Decide(env())).ThenRefused(t, domain.ErrDomainTaken)
}

func TestADomainIDIsNeverUsedTwice(t *testing.T) {
	used := domainAdded(globex, "other.test")
	given().elsewhere(globex, used).When(commands.AddDomain{ID: used.Domain, Domain: "acme.test"}.Decide(env())).ThenRefused(t, domain.ErrIDTaken)
}

func TestADomainIsVerifiedByItsChallengeInDNS(t *testing.T) {
	h := given(domainAdded(acme, "acme.test"))
	asking := func(z zone) commands.Env { e := env(); e.Resolver = z; return e }
	c := commands.VerifyDomain{ID: mine("acme.test")}
	host := "_chancery-challenge.acme.test"
	right := "prove " + acme.String()

	h.When(c.Decide(asking(zone{}))).ThenRefused(t, domain.ErrDomainChallenge)
	h.When(c.Decide(asking(zone{host: {"v=spf1", right + "x", strings.ToUpper(right)}}))).ThenRefused(t, domain.ErrDomainChallenge)
	h.When(c.Decide(asking(zone{"acme.test": {right}}))).ThenRefused(t, domain.ErrDomainChallenge)
	found := asking(zone{host: {"v=spf1", right}})
	h.When(c.Decide(found)).Then(t, domainVerified(acme, "acme.test"), domain.DomainMadePrimary{Domain: mine("acme.test"), Tenant: acme})

	first := domain.DomainMadePrimary{Domain: mine("first.test"), Tenant: acme}
	given(domainAdded(acme, "first.test"), domainVerified(acme, "first.test"), first, domainAdded(acme, "acme.test")).
		When(c.Decide(found)).Then(t, domainVerified(acme, "acme.test"))
}

func TestAFaultOfTheResolverIsToldAsARefusal(t *testing.T) {
	e := env()
	e.Resolver = zone{"_chancery-challenge.acme.test": {"fault"}}
	given(domainAdded(acme, "acme.test")).When(commands.VerifyDomain{ID: mine("acme.test")}.Decide(e)).ThenRefused(t, domain.ErrDomainLookup)
}

func TestDNSIsNotAskedInVain(t *testing.T) {
	e := env()
	e.Resolver = zone{"_chancery-challenge.acme.test": {"fault"}}
	c := commands.VerifyDomain{ID: mine("acme.test")}
	given().When(c.Decide(e)).ThenRefused(t, domain.ErrDomainUnknown)
	given().elsewhere(globex, domain.DomainAdded{Domain: c.ID, Tenant: globex, Name: "acme.test"}).When(c.Decide(e)).ThenRefused(t, domain.ErrDomainUnknown)
	given(domainAdded(acme, "acme.test"), domainVerified(acme, "acme.test")).When(c.Decide(e)).ThenNothing(t)
	given(domainAdded(acme, "acme.test")).elsewhere(globex, domainAdded(globex, "acme.test"), domainVerified(globex, "acme.test")).
		When(c.Decide(e)).ThenRefused(t, domain.ErrDomainTaken)
}

func TestThePrimaryDomainIsAVerifiedOne(t *testing.T) {
	one, two := mine("one.test"), mine("two.test")
	h := given(domainAdded(acme, "one.test"), domainVerified(acme, "one.test"), domain.DomainMadePrimary{Domain: one, Tenant: acme}, domainAdded(acme, "two.test"))
	set := func(id domain.DomainID) dcb.Decision { return commands.SetPrimaryDomain{ID: id}.Decide(env()) }
	h.When(set(two)).ThenRefused(t, domain.ErrDomainNotVerified)
	h.When(set(one)).ThenNothing(t)
	h.When(set(dnsDomain("none"))).ThenRefused(t, domain.ErrDomainUnknown)
	h = h.and(domainVerified(acme, "two.test"))
	moved := domain.DomainMadePrimary{Domain: two, Tenant: acme, Previous: one}
	h.When(set(two)).Then(t, moved)
	h.and(moved).When(set(two)).ThenNothing(t)
	h.and(moved).When(set(one)).Then(t, domain.DomainMadePrimary{Domain: one, Tenant: acme, Previous: two})
}

func TestThePrimaryDomainLeavesLast(t *testing.T) {
	one, two := mine("one.test"), mine("two.test")
	h := given(domainAdded(acme, "one.test"), domainVerified(acme, "one.test"), domain.DomainMadePrimary{Domain: one, Tenant: acme}, domainAdded(acme, "two.test"))
	remove := func(id domain.DomainID) dcb.Decision { return commands.RemoveDomain{ID: id}.Decide(env()) }
	h.When(remove(one)).ThenRefused(t, domain.ErrDomainPrimary)
	gone := domain.DomainRemoved{Domain: two, Tenant: acme, Name: "two.test"}
	h.When(remove(two)).Then(t, gone)
	h.and(gone).When(remove(one)).Then(t, domain.DomainRemoved{Domain: one, Tenant: acme, Name: "one.test"})
	h.and(gone).When(remove(two)).ThenRefused(t, domain.ErrDomainUnknown)
	h.and(gone).When(commands.AddDomain{ID: dnsDomain("again"), Domain: "two.test"}.Decide(env())).Events(t)
}
