package projections_test

import (
	"testing"
	"time"

	"chancery/domain"
	"chancery/projections"
)

func TestAnImpersonationIsAskedForConsentedToStartedAndEnded(t *testing.T) {
	id := func(n int) domain.ImpersonationID { return domain.ImpersonationID{UUID: uid(0x42, n)} }
	user := func(n int) domain.UserID { return domain.UserID{UUID: uid(0x05, n)} }
	admin, target, boss := user(9), user(1), user(2)
	until := func(hour int) time.Time { return time.Date(2026, 1, 2, hour, 0, 0, 0, time.UTC) }
	asked := func(n int) domain.ImpersonationRequested {
		return domain.ImpersonationRequested{
			Impersonation: id(n), Admin: admin, AdminTenant: domain.HomeIn(domain.Root), Target: target, Reason: "invoice", Reference: "T-1", Minutes: 30, ExpiresAt: until(20),
		}
	}
	started := func(n int) domain.ImpersonationStarted {
		return domain.ImpersonationStarted{
			Impersonation: id(n), Admin: admin, AdminTenant: domain.HomeIn(domain.Root), Target: target, Reason: "invoice",
			Scopes: []domain.Pattern{"billing.*"}, Hash: []byte("never shown"), ExpiresAt: until(9),
		}
	}
	given(
		asked(1), domain.ImpersonationConsented{Impersonation: id(1), Admin: admin, Target: target, By: boss}, started(1),
		domain.ImpersonationEnded{Impersonation: id(1), Admin: admin, Target: target, Reason: "left"},
		asked(2), domain.ImpersonationRefused{Impersonation: id(2), Admin: admin, Target: target, By: target, Reason: "no"},
		started(3), domain.ImpersonationExpired{Impersonation: id(3), Admin: admin, Target: target},
		started(4), asked(5), asked(6), domain.ImpersonationConsented{Impersonation: id(6), Admin: admin, Target: target, By: target},
		asked(7), domain.ImpersonationEnded{Impersonation: id(7), Admin: admin, Target: target},
	).expect(t, projections.Core,
		`SELECT id, admin_user_id, admin_tenant_id, target_user_id, scope, reason, reference, minutes, status, consented_by, requested_at, consented_at, started_at,
			expires_at, ended_at, end_reason, version FROM impersonation_sessions ORDER BY id`,
		"4201 0509 0001 0501 [billing.*] invoice T-1 30 ended 0502 08:01 08:02 08:03 09:00 08:04 left 4",
		"4202 0509 0001 0501 - invoice T-1 30 refused - 08:05 - - 20:00 08:06 no 6",
		"4203 0509 0001 0501 [billing.*] invoice - - expired - - - 08:07 09:00 09:00 - 8",
		"4204 0509 0001 0501 [billing.*] invoice - - active - - - 08:09 09:00 - - 9",
		"4205 0509 0001 0501 - invoice T-1 30 requested - 08:10 - - 20:00 - - 10",
		"4206 0509 0001 0501 - invoice T-1 30 consented 0501 08:11 08:12 - 20:00 - - 12",
		"4207 0509 0001 0501 - invoice T-1 30 ended - 08:13 - - 20:00 08:14 - 14")
}
