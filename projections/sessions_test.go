package projections_test

import (
	"testing"
	"time"

	"chancery/domain"
	"chancery/projections"
)

func TestASessionIsSeenElevatedAndEnded(t *testing.T) {
	id := func(n int) domain.SessionID { return domain.SessionID{UUID: uid(0x5e, n)} }
	ann := domain.UserID{UUID: uid(0x05, 1)}
	until := time.Date(2026, 1, 2, 20, 0, 0, 0, time.UTC)
	bounded := domain.SessionStarted{
		Session: id(2), User: ann, Hash: []byte{2}, Methods: []string{"pwd"}, Idle: 60, ExpiresAt: until, Scopes: []domain.Pattern{domain.Enrolling},
	}
	other := bounded
	other.Session = id(3)
	given(
		domain.SessionStarted{
			Session: id(1), User: ann, Hash: []byte{1}, Methods: []string{"fed"}, Issuer: domain.IssuerID{UUID: uid(0x15, 1)}, Idle: 3600,
			ExpiresAt: until, IP: sealed("ip"), Agent: sealed("agent"), ProvenAt: time.Date(2026, 1, 2, 7, 30, 0, 0, time.UTC),
		},
		bounded, other,
		domain.SessionSeen{Session: id(1), User: ann},
		domain.SessionElevated{Session: id(2), User: ann, Methods: []string{"otp", "mfa"}},
		domain.SessionElevated{Session: id(3), User: ann, Methods: []string{"pwd"}},
		domain.SessionEnded{Session: id(1), User: ann, Reason: domain.SignedOut},
	).expect(t, projections.Core,
		"SELECT id, user_id, status, methods, last_proof, issuer_id, scopes, ip, user_agent, idle_seconds, started_at, authenticated_at, last_seen_at, expires_at, ended_at, end_reason, version FROM sessions ORDER BY id",
		"5e01 0501 ended [fed] [fed] 1501 - sealed:ip sealed:agent 3600 08:01 07:30 08:04 20:00 08:07 signed-out 7",
		"5e02 0501 active [pwd] [otp mfa] - - - - 60 08:02 08:05 08:05 20:00 - - 5",
		"5e03 0501 active [pwd] [pwd] - [core.credentials.enroll.*] - - 60 08:03 08:06 08:06 20:00 - - 6")
}
