package projections_test

import (
	"testing"

	"chancery/domain"
	"chancery/projections"
)

func TestAConstraintIsOfOneOfThreeKindsAndIsRemoved(t *testing.T) {
	id := func(n int) domain.ConstraintID { return domain.ConstraintID{UUID: uid(0x12, n)} }
	role := func(n int) domain.RoleID { return domain.RoleID{UUID: uid(0x07, n)} }
	here := acme
	given(
		domain.ConstraintCreated{Constraint: id(1), Tenant: here, Name: "Four eyes", Description: "who pays does not approve", Kind: domain.Exclusive, Roles: []domain.RoleID{role(1), role(2)}, Most: 1},
		domain.ConstraintCreated{Constraint: id(2), Tenant: here, Name: "Few", Kind: domain.Cardinality, Roles: []domain.RoleID{role(1)}, Most: 3},
		domain.ConstraintCreated{Constraint: id(3), Tenant: here, Name: "Trained", Kind: domain.Prerequisite, Roles: []domain.RoleID{role(2)}, Requires: role(3)},
		domain.ConstraintRemoved{Constraint: id(2), Reason: "no more"},
	).expect(t, projections.Core,
		"SELECT id, name, description, kind, array_length(role_ids, 1), role_ids[1], most, requires_role_id, status, created_at, updated_at, version FROM constraints ORDER BY id",
		"1201 Four eyes who pays does not approve exclusive 2 0701 1 - active 08:01 08:01 1",
		"1202 Few  cardinality 1 0701 3 - removed 08:02 08:04 4",
		"1203 Trained  prerequisite 1 0702 - 0703 active 08:03 08:03 3")
}
