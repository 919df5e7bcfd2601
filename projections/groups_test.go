package projections_test

import (
	"testing"

	"chancery/domain"
	"chancery/projections"
)

func TestAGroupIsRenamedMovedAndDeleted(t *testing.T) {
	staff, night := domain.GroupID{UUID: uid(0x60, 1)}, domain.GroupID{UUID: uid(0x60, 2)}
	gone := domain.GroupID{UUID: uid(0x60, 3)}
	given(
		domain.GroupCreated{Group: staff, Name: "Staff", Description: "all"},
		domain.GroupCreated{Group: night, Name: "Night", Parent: staff},
		domain.GroupCreated{Group: gone, Name: "Gone"},
		domain.GroupRenamed{Group: night, Name: "Late", Description: "after ten"},
		domain.GroupMoved{Group: gone, Parent: staff},
		domain.GroupDeleted{Group: gone, Parent: staff},
	).expect(t, projections.Core, "SELECT id, parent_id, name, description, status, created_at, updated_at, version FROM groups ORDER BY id",
		"6001 - Staff all active 08:01 08:01 1",
		"6002 6001 Late after ten active 08:02 08:04 4",
		"6003 6001 Gone  deleted 08:03 08:06 6")
}
