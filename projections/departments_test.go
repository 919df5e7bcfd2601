package projections_test

import (
	"testing"

	"chancery/domain"
	"chancery/projections"
)

func TestADepartmentIsRenamedMovedAndDeleted(t *testing.T) {
	sales, emea := domain.DepartmentID{UUID: uid(0xde, 1)}, domain.DepartmentID{UUID: uid(0xde, 2)}
	gone := domain.DepartmentID{UUID: uid(0xde, 3)}
	given(
		domain.DepartmentCreated{Department: sales, Name: "Sales"},
		domain.DepartmentCreated{Department: emea, Name: "EMEA"},
		domain.DepartmentCreated{Department: gone, Parent: sales, Name: "Gone"},
		domain.DepartmentMoved{Department: emea, Parent: sales},
		domain.DepartmentRenamed{Department: sales, Name: "Revenue"},
		domain.DepartmentMoved{Department: gone, From: sales},
		domain.DepartmentDeleted{Department: gone},
	).expect(t, projections.Core, "SELECT id, parent_id, name, status, created_at, updated_at, version FROM departments ORDER BY id",
		"de01 - Revenue active 08:01 08:05 5",
		"de02 de01 EMEA active 08:02 08:04 4",
		"de03 - Gone deleted 08:03 08:07 7")
}
