package projections_test

import (
	"testing"
	"time"

	"chancery/domain"
	"chancery/internal/dcb"
	"chancery/projections"
)

func TestALinkIsMailedAndUsedOrGivenUpAndRevoked(t *testing.T) {
	link := func(n int) domain.LinkID { return domain.LinkID{UUID: uid(0x71, n)} }
	ann := domain.UserID{UUID: uid(0x05, 1)}
	until := time.Date(2026, 6, 1, 12, 0, 0, 0, time.UTC)
	issued := func(n int, p domain.LinkPurpose) domain.LinkIssued {
		return domain.LinkIssued{Link: link(n), User: ann, Purpose: p, Hash: []byte{1}, Token: dcb.Hide("t"), ExpiresAt: until}
	}
	given(
		issued(1, domain.Invitation), issued(2, domain.PasswordReset), issued(3, domain.PasswordReset), issued(4, domain.Invitation),
		domain.LinkMailed{Link: link(1), User: ann},
		domain.LinkUsed{Link: link(1), User: ann},
		domain.LinkUndeliverable{Link: link(2), User: ann, Reason: domain.MailRefused},
		domain.LinkRevoked{Link: link(2), User: ann},
		domain.LinkMailed{Link: link(3), User: ann},
	).expect(t, projections.Core,
		"SELECT id, user_id, purpose, status, reason, expires_at, created_at, mailed_at, ended_at, version FROM links ORDER BY id",
		"7101 0501 invitation used  12:00 08:01 08:05 08:06 6",
		"7102 0501 password-reset revoked refused 12:00 08:02 - 08:08 8",
		"7103 0501 password-reset mailed  12:00 08:03 08:09 - 9",
		"7104 0501 invitation issued  12:00 08:04 - - 4")
}
