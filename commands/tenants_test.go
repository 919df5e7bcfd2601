package commands_test

import (
	"strings"
	"testing"

	"chancery/commands"
	"chancery/domain"
	"chancery/internal/dcb"
)

func tenantMade(t domain.TenantID, slug domain.Slug) domain.TenantCreated {
	return domain.TenantCreated{Tenant: t, Name: string(slug), Slug: slug}
}

func TestATenantIsOpenedOnThePlatformOnly(t *testing.T) {
	c := commands.CreateTenant{ID: globex, Name: "Globex", Slug: "globex"}
	given().WhenIn(domain.Root, c.Decide(onPlatform(env()))).
		Then(t, domain.TenantCreated{Tenant: globex, Name: "Globex", Slug: "globex"})
	given().When(c.Decide(env())).ThenRefused(t, domain.ErrNotFound)
}

func TestATenantIDIsNeverUsedTwice(t *testing.T) {
	c := commands.CreateTenant{ID: globex, Name: "Globex", Slug: "other"}
	given(tenantMade(globex, "globex"), domain.TenantClosed{Tenant: globex, Released: "globex"}).
		WhenIn(domain.Root, c.Decide(onPlatform(env()))).ThenRefused(t, domain.ErrIDTaken)
}

func TestTenantNamesHaveALength(t *testing.T) {
	for name, ok := range names() {
		made := given().WhenIn(domain.Root, commands.CreateTenant{ID: globex, Name: name, Slug: "globex"}.Decide(onPlatform(env())))
		changed := given(tenantMade(acme, "acme")).When(commands.RenameTenant{Name: name}.Decide(env()))
		if ok {
			made.Then(t, domain.TenantCreated{Tenant: globex, Name: name, Slug: "globex"})
			changed.Then(t, domain.TenantRenamed{Tenant: acme, Name: name})
		} else {
			made.ThenInvalid(t, "/name")
			changed.ThenInvalid(t, "/name")
		}
	}
}

func TestASlugIsALabelOfAHostName(t *testing.T) {
	good := []domain.Slug{"a", "0", "a-b", "a--b", "1234", domain.Slug(strings.Repeat("a", 63))}
	bad := []domain.Slug{
		"", "-", "-a", "a-", "A", "ä", "a.b", "a b", "a\n", "a\x00", domain.Slug(strings.Repeat("a", 64)),
		"00000000-0000-0000-0000-000000000001", "00000000000000000000000000000001",
	}
	create := func(s domain.Slug) outcome {
		return given().WhenIn(domain.Root, commands.CreateTenant{ID: globex, Name: "x", Slug: s}.Decide(onPlatform(env())))
	}
	for _, s := range good {
		create(s).Then(t, domain.TenantCreated{Tenant: globex, Name: "x", Slug: s})
	}
	for _, s := range bad {
		create(s).ThenInvalid(t, "/slug")
		if s != "" {
			given(tenantMade(acme, "acme")).When(commands.RenameTenant{Slug: s}.Decide(env())).ThenInvalid(t, "/slug")
		}
	}
}

func TestASlugBelongsToOneTenantUntilItIsReleased(t *testing.T) {
	c := commands.CreateTenant{ID: globex, Name: "Globex", Slug: "acme"}.Decide(onPlatform(env()))
	rename := commands.RenameTenant{Slug: "acme"}
	inGlobex := env()
	inGlobex.Tenant = globex
	theirs := given(tenantMade(acme, "acme"))
	theirs.WhenIn(domain.Root, c).ThenRefused(t, domain.ErrSlugTaken)
	theirs.and(tenantMade(globex, "globex")).WhenIn(globex, rename.Decide(inGlobex)).ThenRefused(t, domain.ErrSlugTaken)

	c = commands.CreateTenant{ID: globex, Name: "Globex", Slug: "acme"}.Decide(onPlatform(env()))
	changed := theirs.and(domain.TenantSlugChanged{Tenant: acme, Slug: "acme-2", Released: "acme"})
	changed.WhenIn(domain.Root, c).Then(t, domain.TenantCreated{Tenant: globex, Name: "Globex", Slug: "acme"})
	back := commands.RenameTenant{Slug: "acme"}.Decide(env())
	changed.When(back).Then(t, domain.TenantSlugChanged{Tenant: acme, Slug: "acme", Released: "acme-2"})

	closed := theirs.and(domain.TenantClosed{Tenant: acme, Released: "acme"}, tenantMade(globex, "globex"))
	closed.WhenIn(globex, rename.Decide(inGlobex)).
		Then(t, domain.TenantSlugChanged{Tenant: globex, Slug: "acme", Released: "globex"})
}

func TestRenamingATenantChangesWhatDiffers(t *testing.T) {
	h := given(domain.TenantCreated{Tenant: acme, Name: "Acme", Slug: "acme"})
	h.When(commands.RenameTenant{Name: "Acme", Slug: "acme"}.Decide(env())).ThenNothing(t)
	h.When(commands.RenameTenant{}.Decide(env())).ThenInvalid(t, "/name")
	h.When(commands.RenameTenant{Name: "Acme Inc.", Slug: "inc"}.Decide(env())).Then(t,
		domain.TenantRenamed{Tenant: acme, Name: "Acme Inc."},
		domain.TenantSlugChanged{Tenant: acme, Slug: "inc", Released: "acme"})
}

func TestThePlatformKeepsItsSlugAndIsNeverStopped(t *testing.T) {
	h := given(tenantMade(domain.Root, "root"))
	for _, c := range []commands.Command{commands.RenameTenant{Slug: "platform"}, commands.SuspendTenant{}, commands.CloseTenant{}} {
		h.WhenIn(domain.Root, c.Decide(onPlatform(env()))).ThenRefused(t, domain.ErrRootTenant)
	}
	h.WhenIn(domain.Root, commands.RenameTenant{Name: "Us"}.Decide(onPlatform(env()))).Then(t, domain.TenantRenamed{Tenant: domain.Root, Name: "Us"})
}

func TestASuspensionIsEndedOnce(t *testing.T) {
	open := given(tenantMade(acme, "acme"))
	open.When(commands.SuspendTenant{Reason: "unpaid"}.Decide(env())).Then(t, domain.TenantSuspended{Tenant: acme, Reason: "unpaid"})
	open.When(commands.SuspendTenant{Reason: "\x00"}.Decide(env())).ThenInvalid(t, "/reason")
	open.When(commands.ReactivateTenant{}.Decide(env())).ThenNothing(t)
	open.and(domain.TenantSuspended{Tenant: acme}).When(commands.ReactivateTenant{}.Decide(env())).Then(t, domain.TenantReactivated{Tenant: acme})
	open.and(domain.TenantClosed{Tenant: acme, Released: "acme"}).When(commands.ReactivateTenant{}.Decide(env())).ThenRefused(t, domain.ErrTenantClosed)
	given().When(commands.ReactivateTenant{}.Decide(env())).ThenRefused(t, domain.ErrTenantUnknown)
}

func TestClosingATenantFreesItsSlugAndItsDomains(t *testing.T) {
	var removed []dcb.Event
	h := given(tenantMade(acme, "acme"))
	for _, name := range []string{"one", "two", "three"} {
		name := domain.DomainName(name + ".test")
		h = h.and(domain.DomainAdded{Domain: dnsDomain(string(name)), Tenant: acme, Name: name})
	}
	h = h.and(domain.DomainVerified{Domain: dnsDomain("one.test"), Tenant: acme, Name: "one.test"})
	events := h.When(commands.CloseTenant{Reason: "gone"}.Decide(env())).Events(t)
	if len(events) != 4 {
		t.Fatalf("decided %v, want three domains removed and the tenant closed", events)
	}
	removed = events[:3]
	last := events[3]
	if want := (domain.TenantClosed{Tenant: acme, Released: "acme", Reason: "gone"}); last != want {
		t.Fatalf("the last event is %v, want %v", last, want)
	}
	inGlobex := env()
	inGlobex.Tenant = globex
	claim := commands.AddDomain{ID: dnsDomain("theirs"), Domain: "one.test"}
	h.WhenIn(globex, claim.Decide(inGlobex)).ThenRefused(t, domain.ErrDomainTaken)
	h.and(removed...).WhenIn(globex, claim.Decide(inGlobex)).Events(t)

	h.When(commands.CloseTenant{Reason: "\x00"}.Decide(env())).ThenInvalid(t, "/reason")
	h.and(last).When(commands.CloseTenant{}.Decide(env())).ThenNothing(t)
}

func TestACommandAboutATenantGoesToTheOneNamedOnlyFromThePlatform(t *testing.T) {
	c := commands.TenantNamed{ID: globex}
	if got := c.Destination(domain.Root); got != globex {
		t.Errorf("sent to the platform it goes to %v, want %v", got, globex)
	}
	if got := c.Destination(acme); got != acme {
		t.Errorf("sent to a tenant it goes to %v, want %v", got, acme)
	}
	if got := (commands.TenantNamed{}).Destination(domain.Root); got != domain.Root {
		t.Errorf("without an id it goes to %v, want the platform", got)
	}
}
