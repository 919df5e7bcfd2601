package commands_test

import (
	"fmt"
	"testing"

	"chancery/commands"
	"chancery/domain"
	"chancery/internal/dcb"
)

func platformRole(name string) domain.RoleCreated {
	return domain.RoleCreated{Role: role(name), Name: name, Key: domain.RoleKey(domain.Root, name)}
}

func roleGone(name string) domain.RoleDeleted {
	return domain.RoleDeleted{Role: role(name), Released: domain.RoleKey(acme, name)}
}

// registry has the privileges that tests speak of.
func registry() history {
	return given().elsewhere(domain.Root, known("file.read"), known("file.write"), known("repo.read"))
}

func TestARoleIsCreatedWithWhatItHolds(t *testing.T) {
	h := registry().and(roleMade("reader"))
	c := commands.CreateRole{ID: role("writer"), Name: "writer", Privileges: []domain.Pattern{"file.write", "repo.*", "file.write"}, Parents: []domain.RoleID{role("reader"), role("reader")}}
	h.When(c.Decide(env())).Then(t, roleMade("writer"), holds("writer", "file.write"), holds("writer", "repo.*"), inherits("writer", "reader"))
	h.When(commands.CreateRole{ID: role("x"), Name: "x", Description: "\x01"}.Decide(env())).ThenInvalid(t, "/description")
	h.When(commands.CreateRole{ID: role("x"), Name: "x", Parents: []domain.RoleID{role("none")}}.Decide(env())).ThenRefused(t, domain.ErrRoleUnknown)
	h.and(roleGone("reader")).When(c.Decide(env())).ThenRefused(t, domain.ErrRoleUnknown)
}

func TestRoleNamesHaveALength(t *testing.T) {
	for name, ok := range names() {
		made := given().When(commands.CreateRole{ID: role("x"), Name: name}.Decide(env()))
		if ok {
			made.Events(t)
		} else {
			made.ThenInvalid(t, "/name")
		}
		if name == "" {
			continue // an absent name is kept
		}
		changed := given(roleMade("reader")).When(commands.RenameRole{ID: role("reader"), Name: name}.Decide(env()))
		if ok {
			changed.Events(t)
		} else {
			changed.ThenInvalid(t, "/name")
		}
	}
}

func TestARoleIDIsNeverUsedTwice(t *testing.T) {
	c := commands.CreateRole{ID: role("reader"), Name: "other"}
	given(roleMade("reader"), roleGone("reader")).When(c.Decide(env())).ThenRefused(t, domain.ErrIDTaken)
	given().elsewhere(globex, roleMade("reader")).When(c.Decide(env())).ThenRefused(t, domain.ErrIDTaken)
}

func TestARolesNameIsItsOwnUntilItIsGivenUp(t *testing.T) {
	h := given(roleMade("reader"), roleMade("writer"))
	create := func() dcb.Decision { return commands.CreateRole{ID: role("new"), Name: "READER"}.Decide(env()) }
	h.When(create()).ThenRefused(t, domain.ErrRoleName)
	h.When(commands.RenameRole{ID: role("writer"), Name: "Reader"}.Decide(env())).ThenRefused(t, domain.ErrRoleName)
	renamed := domain.RoleRenamed{Role: role("reader"), Name: "viewer", Key: domain.RoleKey(acme, "viewer"), Released: domain.RoleKey(acme, "reader")}
	h.When(commands.RenameRole{ID: role("reader"), Name: "viewer"}.Decide(env())).Then(t, renamed)
	h.and(renamed).When(create()).Events(t)
	h.and(roleGone("reader")).When(create()).Events(t)
	given().elsewhere(globex, roleMade("reader")).elsewhere(domain.Root, platformRole("reader")).When(create()).Events(t)
}

func TestRenamingARoleKeepsWhatIsNotSaid(t *testing.T) {
	made := roleMade("reader")
	made.Description = "reads"
	h := given(made)
	rename := func(c commands.RenameRole) outcome { c.ID = role("reader"); return h.When(c.Decide(env())) }
	rename(commands.RenameRole{}).ThenNothing(t)
	rename(commands.RenameRole{Name: "reader", Description: new("reads")}).ThenNothing(t)
	rename(commands.RenameRole{Description: new("looks")}).Then(t, domain.RoleRenamed{Role: role("reader"), Name: "reader", Description: "looks", Key: made.Key})
	rename(commands.RenameRole{Description: new("\x01")}).ThenInvalid(t, "/description")
}

// changes are all commands that change a role.
func changes(name string) map[string]commands.Command {
	return map[string]commands.Command{
		"rename":           commands.RenameRole{ID: role(name), Name: "other"},
		"delete":           commands.DeleteRole{ID: role(name)},
		"add privilege":    commands.AddRolePrivilege{ID: role(name), Privilege: "file.read"},
		"remove privilege": commands.RemoveRolePrivilege{ID: role(name), Privilege: "file.read"},
		"add parent":       commands.AddRoleParent{ID: role(name), Parent: role("base")},
		"remove parent":    commands.RemoveRoleParent{ID: role(name), Parent: role("base")},
	}
}

func TestOnlyATenantsOwnRolesChange(t *testing.T) {
	builtin := platformRole("builtin")
	builtin.Builtin = true
	h := registry().and(roleMade("base")).elsewhere(domain.Root, platformRole("shared"), builtin, platformRole("base-of-root")).elsewhere(globex, roleMade("theirs"))
	for what := range changes("x") {
		t.Run(what, func(t *testing.T) {
			h.When(changes("none")[what].Decide(env())).ThenRefused(t, domain.ErrRoleUnknown)
			h.When(changes("theirs")[what].Decide(env())).ThenRefused(t, domain.ErrRoleUnknown)
			h.and(roleMade("gone"), roleGone("gone")).When(changes("gone")[what].Decide(env())).ThenRefused(t, domain.ErrRoleUnknown)
			h.When(changes("shared")[what].Decide(env())).ThenRefused(t, domain.ErrRoleForeign)
			h.WhenIn(domain.Root, changes("builtin")[what].Decide(onPlatform(env()))).ThenRefused(t, domain.ErrRoleBuiltin)
		})
	}
}

func TestARoleGoesWithWhatItHoldsOnceNobodyNeedsIt(t *testing.T) {
	h := registry().and(roleMade("base"), roleMade("reader"), holds("reader", "file.write"), holds("reader", "file.read"), inherits("reader", "base"))
	remove := func(name string) dcb.Decision { return commands.DeleteRole{ID: role(name)}.Decide(env()) }
	events := []dcb.Event{
		domain.RolePrivilegeRemoved{Role: role("reader"), Privilege: "file.read"}, domain.RolePrivilegeRemoved{Role: role("reader"), Privilege: "file.write"},
		domain.RoleParentRemoved{Role: role("reader"), Parent: role("base")}, roleGone("reader"),
	}
	h.When(remove("reader")).Then(t, events...)
	h.When(remove("base")).ThenRefused(t, domain.ErrRoleInUse)
	h.and(events...).When(remove("base")).Then(t, roleGone("base"))
	h.and(domain.RoleParentRemoved{Role: role("reader"), Parent: role("base")}).When(remove("base")).Events(t)

	assigned := domain.RoleAssigned{Assignment: assignment("a"), Role: role("reader"), User: user("ann"), Window: always()}
	h.and(assigned).When(remove("reader")).ThenRefused(t, domain.ErrRoleInUse)
	h.and(assigned, domain.RoleUnassigned{Assignment: assignment("a"), Role: role("reader"), User: user("ann")}).When(remove("reader")).Events(t)
}

func TestAPlatformRoleStaysWhileATenantUsesIt(t *testing.T) {
	h := given().elsewhere(domain.Root, platformRole("shared"))
	remove := func() dcb.Decision { return commands.DeleteRole{ID: role("shared")}.Decide(onPlatform(env())) }
	h.WhenIn(domain.Root, remove()).Events(t)
	h.and(domain.RoleAssigned{Assignment: assignment("a"), Role: role("shared"), User: user("ann"), Window: always()}).WhenIn(domain.Root, remove()).ThenRefused(t, domain.ErrRoleInUse)
	h.and(roleMade("own"), inherits("own", "shared")).WhenIn(domain.Root, remove()).ThenRefused(t, domain.ErrRoleInUse)
}

func TestARoleHoldsRegisteredPrivilegesAndPatterns(t *testing.T) {
	h := registry().and(roleMade("reader"))
	add := func(p domain.Pattern) dcb.Decision {
		return commands.AddRolePrivilege{ID: role("reader"), Privilege: p}.Decide(env())
	}
	create := func(p domain.Pattern) dcb.Decision {
		return commands.CreateRole{ID: role("new"), Name: "new", Privileges: []domain.Pattern{"file.read", p}}.Decide(env())
	}
	h.When(add("file.read")).Then(t, holds("reader", "file.read"))
	h.When(add("other.*")).Then(t, holds("reader", "other.*"))
	h.and(holds("reader", "file.read")).When(add("file.read")).ThenNothing(t)
	h.and(holds("reader", "file.*")).When(add("file.read")).Events(t)
	for p, want := range map[domain.Pattern]*domain.Refusal{"file.delete": domain.ErrPrivilegeUnknown, domain.Everything: domain.ErrRoleEverything, "file": domain.ErrInvalid, "": domain.ErrInvalid} {
		h.When(add(p)).ThenRefused(t, want)
		h.When(create(p)).ThenRefused(t, want)
	}
	h.elsewhere(globex, known("theirs.only")).When(add("theirs.only")).ThenRefused(t, domain.ErrPrivilegeUnknown)

	drop := func(p domain.Pattern) dcb.Decision {
		return commands.RemoveRolePrivilege{ID: role("reader"), Privilege: p}.Decide(having())
	}
	h.and(holds("reader", "file.read")).When(drop("file.read")).Then(t, domain.RolePrivilegeRemoved{Role: role("reader"), Privilege: "file.read"})
	h.When(drop("file.read")).ThenNothing(t)
	h.and(holds("reader", "file.*")).When(drop("file.read")).ThenNothing(t)
}

func TestPuttingAPrivilegeIntoARoleNeedsIt(t *testing.T) {
	h := registry().and(roleMade("reader"))
	for _, c := range []commands.Command{commands.AddRolePrivilege{ID: role("reader"), Privilege: "file.*"}, commands.CreateRole{ID: role("new"), Name: "new", Privileges: []domain.Pattern{"file.*"}}} {
		h.When(c.Decide(having("file.read"))).ThenRefused(t, domain.ErrMayNotGive)
		h.When(c.Decide(by(rights{scoped: map[domain.Scope][]domain.Pattern{"repo:web": {"file.*"}}}))).ThenRefused(t, domain.ErrMayNotGive)
		h.When(c.Decide(having("file.*"))).Events(t)
	}
}

func TestInheritingNeedsAllThatIsInherited(t *testing.T) {
	h := given(roleMade("reader"), roleMade("mid"), inherits("mid", "top")).
		elsewhere(domain.Root, platformRole("top"), holds("top", "file.read"), platformRole("above"), holds("above", "file.write"), inherits("top", "above"))
	for _, c := range []commands.Command{commands.AddRoleParent{ID: role("reader"), Parent: role("mid")}, commands.CreateRole{ID: role("new"), Name: "new", Parents: []domain.RoleID{role("mid")}}} {
		h.When(c.Decide(having("file.read"))).ThenRefused(t, domain.ErrMayNotGive)
		h.When(c.Decide(having("file.write"))).ThenRefused(t, domain.ErrMayNotGive)
		h.When(c.Decide(having("file.*"))).Events(t)
	}
	drop := commands.RemoveRoleParent{ID: role("mid"), Parent: role("top")}
	h.When(drop.Decide(having())).Then(t, domain.RoleParentRemoved{Role: role("mid"), Parent: role("top")})
	h.When(commands.RemoveRoleParent{ID: role("reader"), Parent: role("top")}.Decide(having())).ThenNothing(t)
}

func TestNoRoleInheritsFromItselfHoweverLongTheWay(t *testing.T) {
	h := given(roleMade("r0"))
	add := func(id, parent string) dcb.Decision {
		return commands.AddRoleParent{ID: role(id), Parent: role(parent)}.Decide(env())
	}
	h.When(add("r0", "r0")).ThenRefused(t, domain.ErrRoleCycle)
	for i := 1; i < 50; i++ {
		h = h.and(roleMade(fmt.Sprint("r", i)), inherits(fmt.Sprint("r", i), fmt.Sprint("r", i-1)))
		h.When(add("r0", fmt.Sprint("r", i))).ThenRefused(t, domain.ErrRoleCycle)
	}
	h.When(add("r49", "r0")).Events(t)
	h.When(add("r49", "r48")).ThenNothing(t)
	h.and(domain.RoleParentRemoved{Role: role("r20"), Parent: role("r19")}).When(add("r0", "r49")).Events(t)
}

func TestARoleInheritsFromRolesOfItsTenantOrThePlatform(t *testing.T) {
	h := given(roleMade("own")).elsewhere(globex, roleMade("theirs")).elsewhere(domain.Root, platformRole("shared"), platformRole("other"))
	add := func(id, parent string, e commands.Env) dcb.Decision {
		return commands.AddRoleParent{ID: role(id), Parent: role(parent)}.Decide(e)
	}
	h.When(add("own", "shared", env())).Then(t, inherits("own", "shared"))
	h.When(add("own", "theirs", env())).ThenRefused(t, domain.ErrRoleUnknown)
	h.WhenIn(domain.Root, add("shared", "own", onPlatform(env()))).ThenRefused(t, domain.ErrRoleUnknown)
	h.WhenIn(domain.Root, add("shared", "other", onPlatform(env()))).Events(t)
}

func TestWhatAnAppBringsMayStandInRolesOfItsTenantAndOfNoOther(t *testing.T) {
	brings := []domain.Brought{{Privilege: "billing.read", Description: "look"}}
	in := func(tenant domain.TenantID) domain.AppEnabled {
		return domain.AppEnabled{TenantApp: domain.App("billing").In(tenant), Name: "billing", Number: "1.0.0", Brings: brings}
	}
	out := func(tenant domain.TenantID) domain.AppDisabled {
		return domain.AppDisabled{TenantApp: domain.App("billing").In(tenant), Name: "billing", Drops: []domain.Privilege{"billing.read"}}
	}
	add := commands.AddRolePrivilege{ID: role("reader"), Privilege: "billing.read"}.Decide(env())
	added := domain.RolePrivilegeAdded{Role: role("reader"), Privilege: "billing.read"}
	base := given(domain.RoleCreated{Role: role("reader"), Name: "reader", Key: domain.RoleKey(acme, "reader")})
	root := func(e dcb.Event) dcb.Event { return dcb.In(domain.Root.UUID, e) }

	base.and(in(acme)).When(add).Then(t, added)
	base.and(in(acme), out(acme)).When(add).ThenRefused(t, domain.ErrPrivilegeUnknown)
	base.and(root(in(domain.Root))).When(add).ThenRefused(t, domain.ErrPrivilegeUnknown)
	base.and(in(acme), root(in(domain.Root)), root(out(domain.Root))).When(add).Then(t, added)
}
