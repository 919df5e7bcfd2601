package projections_test

import (
	"testing"
	"time"

	"chancery/domain"
	"chancery/projections"
)

func TestAnAssignmentNamesOneSubjectAndEnds(t *testing.T) {
	one, two, three := domain.AssignmentID{UUID: uid(0xa5, 1)}, domain.AssignmentID{UUID: uid(0xa5, 2)}, domain.AssignmentID{UUID: uid(0xa5, 3)}
	role, ann := domain.RoleID{UUID: uid(0x40, 1)}, domain.UserID{UUID: uid(0x05, 1)}
	sales, staff := domain.DepartmentID{UUID: uid(0xde, 1)}, domain.GroupID{UUID: uid(0x60, 1)}
	from := time.Date(2026, 2, 1, 10, 0, 0, 0, time.UTC)
	given(
		domain.RoleAssigned{Assignment: one, Role: role, User: ann, Scope: "repo:web", Window: domain.Window{From: from, Until: from.Add(time.Hour)}, Reason: "on call"},
		domain.RoleAssigned{Assignment: two, Role: role, Department: sales, Window: domain.Window{From: from}},
		domain.RoleAssigned{Assignment: three, Role: role, Group: staff},
		domain.RoleUnassigned{Assignment: two, Role: role, Department: sales, Reason: "over"},
	).expect(t, projections.Core,
		`SELECT id, role_id, user_id, department_id, group_id, scope, valid_from, valid_until, reason, status, created_at, ended_at, version
		 FROM assignments ORDER BY id`,
		"a501 4001 0501 - - repo:web 10:00 11:00 on call active 08:01 - 1",
		"a502 4001 - de01 -  10:00 -  ended 08:02 08:04 4",
		"a503 4001 - - 6001  - -  active 08:03 - 3")
}
