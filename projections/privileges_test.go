package projections_test

import (
	"testing"

	"chancery/domain"
	"chancery/projections"
)

func TestAPrivilegeIsRegisteredAndDescribed(t *testing.T) {
	given().in(domain.Root,
		domain.PrivilegeRegistered{Privilege: "repo.write", Description: "write"},
		domain.PrivilegeRegistered{Privilege: "repo.read"},
		domain.PrivilegeDescribed{Privilege: "repo.write", Description: "push"},
	).expect(t, projections.Core, "SELECT tenant_id, name, description, created_at, updated_at, version FROM privileges ORDER BY name",
		"0001 repo.read  08:02 08:02 2",
		"0001 repo.write push 08:01 08:03 3")
}
