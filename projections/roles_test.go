package projections_test

import (
	"testing"

	"chancery/domain"
	"chancery/projections"
)

func TestARoleIsRenamedAndDeleted(t *testing.T) {
	one, two := domain.RoleID{UUID: uid(0x40, 1)}, domain.RoleID{UUID: uid(0x40, 2)}
	given(
		domain.RoleCreated{Role: one, Name: "Dev", Description: "writes", Builtin: true},
		domain.RoleCreated{Role: two, Name: "Ops"},
		domain.RoleRenamed{Role: one, Name: "Engineer", Description: "reviews"},
		domain.RoleDeleted{Role: two},
	).expect(t, projections.Core, "SELECT id, name, description, builtin, status, created_at, updated_at, version FROM roles ORDER BY id",
		"4001 Engineer reviews true active 08:01 08:03 3",
		"4002 Ops  false deleted 08:02 08:04 4")
}

func TestWhatARoleHoldsComesAndGoesAndChangesTheRole(t *testing.T) {
	one, parent := domain.RoleID{UUID: uid(0x40, 1)}, domain.RoleID{UUID: uid(0x40, 2)}
	h := given(
		domain.RoleCreated{Role: one, Name: "Dev"},
		domain.RolePrivilegeAdded{Role: one, Privilege: "repo.*"},
		domain.RolePrivilegeAdded{Role: one, Privilege: "repo.read"},
		domain.RolePrivilegeRemoved{Role: one, Privilege: "repo.*"},
		domain.RolePrivilegeAdded{Role: one, Privilege: "build.run"},
		domain.RolePrivilegeAdded{Role: one, Privilege: "repo.*"},
		domain.RolePrivilegeRemoved{Role: one, Privilege: "build.run"},
	)
	h.expect(t, projections.Core, "SELECT role_id, privilege, created_at, version FROM role_privileges ORDER BY privilege",
		"4001 repo.* 08:06 6", "4001 repo.read 08:03 3")
	h.expect(t, projections.Core, "SELECT created_at, updated_at, version FROM roles", "08:01 08:07 7")

	h = given(
		domain.RoleCreated{Role: one, Name: "Dev"},
		domain.RoleCreated{Role: parent, Name: "Staff"},
		domain.RoleParentAdded{Role: one, Parent: parent},
		domain.RoleParentRemoved{Role: one, Parent: parent},
		domain.RoleParentAdded{Role: one, Parent: parent},
	)
	h.expect(t, projections.Core, "SELECT role_id, parent_id, created_at, version FROM role_parents", "4001 4002 08:05 5")
	h.expect(t, projections.Core, "SELECT id, version FROM roles ORDER BY id", "4001 5", "4002 2")
}
