package commands_test

import (
	"testing"

	"chancery/commands"
	"chancery/domain"
	"chancery/internal/dcb"
)

func install(reads ...domain.Privilege) commands.Install {
	return commands.Install{Privileges: []domain.PrivilegeRegistered{{Privilege: "core.users.read", Description: "Read users."}}, Reads: reads}
}

func TestThePlatformIsMadeAtTheFirstStartAndCompletedAtLaterOnes(t *testing.T) {
	first := given().WhenIn(domain.Root, install("core.users.read").Decide(onPlatform(env()))).Events(t)
	if want := (domain.TenantCreated{Tenant: domain.Root, Name: "Platform", Slug: "root"}); first[0] != dcb.Event(want) {
		t.Fatalf("the first event is %v, want %v", first[0], want)
	}
	h := given().elsewhere(domain.Root, first...)
	h.WhenIn(domain.Root, install("core.users.read").Decide(onPlatform(env()))).ThenNothing(t)
	newer := install("core.users.read", "core.groups.read")
	newer.Privileges[0].Description = "See users."
	newer.Privileges = append(newer.Privileges, known("core.groups.read"))
	h.WhenIn(domain.Root, newer.Decide(onPlatform(env()))).Then(t,
		domain.PrivilegeDescribed{Privilege: "core.users.read", Description: "See users."}, known("core.groups.read"),
		domain.RolePrivilegeAdded{Role: domain.TenantAuditor, Privilege: "core.groups.read"})
}

func TestTheFirstAdministratorIsMadeOnce(t *testing.T) {
	c := commands.Bootstrap{User: user("ann"), Token: apiToken("first"), Assignment: assignment("first"), Email: "Ann@acme.test", DisplayName: "ann"}
	do := func(h history, c commands.Bootstrap) outcome {
		return h.WhenIn(domain.Root, c.Decide(onPlatform(env())))
	}
	events := do(given(), c).Events(t)
	do(given().elsewhere(domain.Root, events...), c).ThenRefused(t, domain.ErrBootstrapped)
	if name, value := c.Reveal(env()); name != "token" || value == "" {
		t.Errorf("the answer shows %s=%s", name, value)
	}
	last := commands.UnassignRole{ID: assignment("first")}.Decide(onPlatform(env()))
	given().elsewhere(domain.Root, events...).WhenIn(domain.Root, last).ThenRefused(t, domain.ErrLastAdmin)

	c.Email = ""
	do(given(), c).ThenInvalid(t, "/email")
	c.Email = "ann"
	do(given(), c).ThenInvalid(t, "/email")
	c.Email, c.DisplayName = "ann@acme.test", ""
	do(given(), c).ThenInvalid(t, "/display_name")
}
