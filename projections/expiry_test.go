package projections_test

import (
	"testing"
	"time"

	"chancery/domain"
	"chancery/projections"
)

func TestWhatIsOverIsShownAsExpired(t *testing.T) {
	ann, until := domain.UserID{UUID: uid(0x05, 1)}, time.Date(2026, 1, 2, 8, 0, 0, 0, time.UTC)
	one, two := domain.TokenID{UUID: uid(0x70, 1)}, domain.TokenID{UUID: uid(0x70, 2)}
	role, a, o := domain.RoleID{UUID: uid(0x20, 1)}, domain.AssignmentID{UUID: uid(0x30, 1)}, domain.OverrideID{UUID: uid(0x40, 1)}
	l := domain.LinkID{UUID: uid(0x50, 1)}
	h := given(
		domain.TokenIssued{Token: one, User: ann, Name: "one", Hash: []byte{1}, ExpiresAt: until},
		domain.TokenIssued{Token: two, User: ann, Name: "two", Hash: []byte{1}, ExpiresAt: until},
		domain.RoleAssigned{Assignment: a, Role: role, User: ann, Window: domain.Window{Until: until}},
		domain.OverrideAdded{Override: o, Effect: domain.Deny, Privilege: "file.read", User: ann, ExpiresAt: until},
		domain.LinkIssued{Link: l, User: ann, Purpose: domain.Invitation, ExpiresAt: until},
		domain.LinkMailed{Link: l, User: ann},
		domain.TokenExpired{Token: one, User: ann},
		domain.TokenExpired{Token: two, User: ann},
		domain.AssignmentExpired{Assignment: a, Role: role, User: ann},
		domain.OverrideExpired{Override: o, User: ann},
		domain.LinkExpired{Link: l, User: ann},
		domain.TokenRotated{Token: two, User: ann, Hash: []byte{2}, ExpiresAt: until.Add(time.Hour)},
	)
	h.expect(t, projections.Core, `
		SELECT id, status, expires_at, NULL, version FROM api_tokens
		UNION ALL SELECT id, status, valid_until, ended_at, version FROM assignments
		UNION ALL SELECT id, status, expires_at, revoked_at, version FROM policy_overrides
		UNION ALL SELECT id, status, expires_at, ended_at, version FROM links ORDER BY id`,
		"3001 expired 08:00 08:09 9",
		"4001 expired 08:00 - 10",
		"5001 expired 08:00 08:11 11",
		"7001 expired 08:00 - 7",
		"7002 active 09:00 - 12")
}
