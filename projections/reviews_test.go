package projections_test

import (
	"testing"
	"time"

	"chancery/domain"
	"chancery/projections"
)

// campaign is two reviews: of a role, decided and closed, and of a group, open.
func campaign() history {
	ann, bob := domain.UserID{UUID: uid(0x05, 1)}, domain.UserID{UUID: uid(0x05, 2)}
	reader, crew, sales := domain.RoleID{UUID: uid(0x09, 1)}, domain.GroupID{UUID: uid(0x04, 1)}, domain.DepartmentID{UUID: uid(0xde, 1)}
	due := time.Date(2026, 2, 1, 10, 0, 0, 0, time.UTC)
	one, two := domain.ReviewID{UUID: uid(0xf1, 1)}, domain.ReviewID{UUID: uid(0xf1, 2)}
	return given(
		domain.ReviewStarted{Review: one, Name: "Readers", Role: reader, DueAt: due, Silence: domain.RevokeOnSilence, Items: []domain.ReviewItem{
			{Item: uid(0x0a, 1), User: ann, Role: reader}, {Item: uid(0x0a, 2), Department: sales, Role: reader}, {Item: uid(0x0a, 3), Group: crew, Role: reader},
		}},
		domain.ReviewStarted{Review: two, Name: "Crew", Group: crew, DueAt: due, Silence: domain.KeepOnSilence, Items: []domain.ReviewItem{
			{Item: uid(0x0b, 1), User: ann, Group: crew}, {Item: uid(0x0a, 1), User: bob, Group: crew},
		}},
		domain.ReviewDecided{Review: one, Item: uid(0x0a, 1), Keep: true, By: bob, Decided: 1},
		domain.ReviewDecided{Review: one, Item: uid(0x0a, 2), By: bob, Reason: "left", Already: true, Decided: 2},
		domain.ReviewDecided{Review: one, Item: uid(0x0a, 3), Reason: "nobody decided", Decided: 3},
		domain.ReviewDecided{Review: two, Item: uid(0x0b, 1), Keep: true, By: bob, Reason: "ok", Decided: 1},
		domain.ReviewClosed{Review: one, Reason: "it was due"},
	)
}

func TestAReviewCountsWhatIsDecidedUntilItIsClosed(t *testing.T) {
	campaign().expect(t, projections.Core,
		"SELECT id, name, role_id, group_id, status, on_silence, due_at, items, decided, created_by, created_at, closed_at, close_reason, version FROM reviews ORDER BY id",
		"f101 Readers 0901 - closed revoke 10:00 3 3 - 08:01 08:07 it was due 7",
		"f102 Crew - 0401 open keep 10:00 2 1 - 08:02 -  6")
}

func TestAnItemUnderReviewIsUndecidedUntilItIsKeptOrRevoked(t *testing.T) {
	campaign().expect(t, projections.Core,
		`SELECT review_id, item_id, user_id, department_id, group_id, role_id, status, already, decided_by, decided_at, reason, version
			FROM review_items ORDER BY review_id, item_id`,
		"f101 0a01 0501 - - 0901 kept false 0502 08:03  3",
		"f101 0a02 - de01 - 0901 revoked true 0502 08:04 left 4",
		"f101 0a03 - - 0401 0901 revoked false - 08:05 nobody decided 5",
		"f102 0a01 0502 - 0401 - undecided false - -  2",
		"f102 0b01 0501 - 0401 - kept false 0502 08:06 ok 6")
}
