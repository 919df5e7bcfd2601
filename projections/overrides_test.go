package projections_test

import (
	"testing"
	"time"

	"chancery/domain"
	"chancery/projections"
)

func TestAnOverrideIsOfOneSubjectOrOfTheTenantAndIsRevoked(t *testing.T) {
	one, two := domain.OverrideID{UUID: uid(0x08, 1)}, domain.OverrideID{UUID: uid(0x08, 2)}
	ann := domain.UserID{UUID: uid(0x05, 1)}
	until := time.Date(2026, 2, 1, 10, 0, 0, 0, time.UTC)
	given(
		domain.OverrideAdded{Override: one, Effect: domain.Deny, Privilege: "repo.*", User: ann, Scope: "repo:web", ExpiresAt: until, Reason: "review"},
		domain.OverrideAdded{Override: two, Effect: domain.Allow, Privilege: "repo.read", ExpiresAt: until, Reason: "fair"},
		domain.OverrideRevoked{Override: one, User: ann},
	).expect(t, projections.Core,
		"SELECT id, effect, privilege, user_id, department_id, group_id, scope, expires_at, reason, status, created_at, revoked_at, version FROM policy_overrides ORDER BY id",
		"0801 deny repo.* 0501 - - repo:web 10:00 review revoked 08:01 08:03 3",
		"0802 allow repo.read - - -  10:00 fair active 08:02 - 2")
}
