package projections_test

import (
	"testing"

	"chancery/domain"
	"chancery/projections"
)

func TestAnErasureIsRequestedAndCancelledOrDone(t *testing.T) {
	ann, bob, cat := domain.UserID{UUID: uid(0x05, 1)}, domain.UserID{UUID: uid(0x05, 2)}, domain.UserID{UUID: uid(0x05, 3)}
	one, two, three := domain.ErasureID{UUID: uid(0xee, 1)}, domain.ErasureID{UUID: uid(0xee, 2)}, domain.ErasureID{UUID: uid(0xee, 3)}
	given(
		domain.ErasureRequested{Erasure: one, User: ann, By: bob, Reason: "asked"},
		domain.ErasureRequested{Erasure: two, User: cat, By: bob, Reason: "left"},
		domain.ErasureCancelled{Erasure: one, User: ann},
		domain.UserErased{User: cat, Erases: cat.UUID, Erasure: two},
		domain.UserErased{User: ann, Erases: ann.UUID, Erasure: three, Reason: "at once"},
	).expect(t, projections.Core,
		"SELECT id, user_id, reason, status, requested_by, ended_by, created_at, ended_at, version FROM erasures ORDER BY id",
		"ee01 0501 asked cancelled 0502 - 08:01 08:03 3",
		"ee02 0503 left done 0502 - 08:02 08:04 4",
		"ee03 0501 at once done - - 08:05 08:05 5")
}

func TestOfAnErasedUserARowStaysThatNobodyCanRead(t *testing.T) {
	ann, bob := domain.UserID{UUID: uid(0x05, 1)}, domain.UserID{UUID: uid(0x05, 2)}
	sales := domain.DepartmentID{UUID: uid(0xde, 1)}
	given(
		domain.UserRegistered{User: ann, Email: sealed("ann"), EmailKey: hashed("email:aa"), DisplayName: sealed("Ann"), Department: sales, Status: domain.UserActive},
		domain.UserRegistered{User: bob, Email: sealed("bob"), EmailKey: hashed("email:bb"), DisplayName: sealed("Bob"), Status: domain.UserActive},
		domain.UserErased{User: ann, Erases: ann.UUID, Department: sales, Released: hashed("email:aa")},
		domain.UserErased{User: bob, Erases: bob.UUID},
		domain.UserRegistered{User: domain.UserID{UUID: uid(0x05, 3)}, Email: sealed("ann"), EmailKey: hashed("email:aa"), DisplayName: sealed("Ann"), Status: domain.UserActive},
	).expect(t, projections.Core,
		"SELECT id, email, email_key, display_name, department_id, status, updated_at, version FROM users ORDER BY id",
		"0501 - - sealed:Ann - erased 08:03 3",
		"0502 - email:bb sealed:Bob - erased 08:04 4",
		"0503 sealed:ann email:aa sealed:Ann - active 08:05 5")
}
