package commands_test

import (
	"testing"

	"chancery/commands"
	"chancery/domain"
	"chancery/internal/dcb"
)

func known(p domain.Privilege) domain.PrivilegeRegistered {
	return domain.PrivilegeRegistered{Privilege: p}
}

func onRoot(h history, c commands.Command) outcome {
	return h.WhenIn(domain.Root, c.Decide(onPlatform(env())))
}

func TestAPrivilegeIsRegisteredOnThePlatform(t *testing.T) {
	c := commands.RegisterPrivilege{Name: "repo.write", Description: "change files"}
	onRoot(given(), c).Then(t, domain.PrivilegeRegistered{Privilege: "repo.write", Description: "change files"})
	given().When(c.Decide(env())).ThenRefused(t, domain.ErrNotFound)
	there := given().elsewhere(domain.Root, domain.PrivilegeRegistered{Privilege: "repo.write", Description: "change files"})
	onRoot(there, c).ThenNothing(t)
	c.Description = "other"
	onRoot(there, c).ThenRefused(t, domain.ErrPrivilegeTwice)
	onRoot(given(), commands.RegisterPrivilege{Name: "core.users.register"}).ThenRefused(t, domain.ErrPrivilegeOurs)
	onRoot(given(), commands.RegisterPrivilege{Name: "corex.users"}).Events(t)
	onRoot(given(), commands.RegisterPrivilege{Name: "repo.read", Description: " x"}).ThenInvalid(t, "/description")
}

func TestAPrivilegeIsOfTwoToSixWords(t *testing.T) {
	for _, ok := range []domain.Privilege{"a.b", "repo.write", "a.b.c.d.e.f", "a-1.b_2", "0.1"} {
		onRoot(given(), commands.RegisterPrivilege{Name: ok}).Events(t)
	}
	for _, bad := range []domain.Privilege{"", "a", "a.b.c.d.e.f.g", "a..b", ".a.b", "a.b.", "A.b", "a b.c", "-a.b", "_a.b", "a.*", "*", "a.b\x00", "é.b"} {
		onRoot(given(), commands.RegisterPrivilege{Name: bad}).ThenInvalid(t, "/name")
	}
}

func TestWhatIsSaidOfAPrivilegeChanges(t *testing.T) {
	there := given().elsewhere(domain.Root, known("repo.write"), known("core.users.register"))
	c := commands.DescribePrivilege{Name: "repo.write", Description: "change files"}
	onRoot(there, c).Then(t, domain.PrivilegeDescribed{Privilege: "repo.write", Description: "change files"})
	onRoot(there, commands.DescribePrivilege{Name: "repo.write"}).ThenNothing(t)
	onRoot(there, commands.DescribePrivilege{Name: "core.users.register", Description: "x"}).ThenRefused(t, domain.ErrPrivilegeOurs)
	onRoot(there, commands.DescribePrivilege{Name: "repo.write", Description: "\x01"}).ThenInvalid(t, "/description")
	for _, o := range []outcome{onRoot(there, commands.DescribePrivilege{Name: "no.such"}), there.When(c.Decide(env()))} {
		r, refused := domain.IsRefusal(o.Err())
		if !refused || r.Kind != domain.Missing {
			t.Errorf("got %v, want that there is no such privilege", o.Err())
		}
	}
}

func TestAPrivilegesIDFollowsFromItsName(t *testing.T) {
	a, b := domain.Privilege("repo.write"), domain.Privilege("repo.read")
	if a.ID() == b.ID() || a.ID() != domain.NamedID(domain.Root, "privilege", "repo.write") {
		t.Errorf("ids %v and %v", a.ID(), b.ID())
	}
	if a.Tag() != dcb.Tag("privilege:"+a.ID().String()) || a.Tag() != domain.Pattern("repo.write").Tag() {
		t.Errorf("tag %s", a.Tag())
	}
}
