package projections_test

import (
	"testing"
	"time"

	"chancery/domain"
	"chancery/internal/dcb"
	"chancery/projections"
)

var (
	smtp   = domain.SecretID{UUID: uid(0x80, 1)}
	first  = domain.VersionID{UUID: uid(0x81, 1)}
	second = domain.VersionID{UUID: uid(0x81, 2)}
	due    = time.Date(2026, 4, 2, 12, 0, 0, 0, time.UTC)
)

func hidden(s string) (v dcb.Sealed) {
	if err := v.UnmarshalText([]byte("sealed:2:" + s)); err != nil {
		panic(err)
	}
	return v
}

// then goes on with a history.
func (h history) then(events ...dcb.Event) history { return h.in(acme, events...) }

func twoVersions() history {
	return given(
		domain.SecretCreated{Secret: smtp, App: "billing", Name: "smtp", Description: "mail"},
		domain.SecretRotated{Secret: smtp, Version: first, Number: 1, Value: hidden("one")},
		domain.SecretScheduled{Secret: smtp, EveryDays: 90, DueAt: due},
		domain.SecretRotated{Secret: smtp, Version: second, Number: 2, Value: hidden("two"), Previous: first, GraceUntil: due, DueAt: due.Add(time.Hour)},
	)
}

const (
	selectSecrets  = "SELECT id, app_id, name, description, encrypted_blob, current_version, status, rotate_every_days, due_at, remind_at, created_at, rotated_at, version FROM secrets"
	selectVersions = "SELECT id, secret_id, number, status, created_at, replaced_at, grace_until, destroyed_at, version FROM secret_versions ORDER BY number"
)

func TestASecretHoldsTheSealedValueOfItsNewestVersion(t *testing.T) {
	twoVersions().expect(t, projections.Core, selectSecrets, "8001 billing smtp mail sealed:2:two 2 active 90 13:00 13:00 08:01 08:04 4")
	twoVersions().expect(t, projections.Core, selectVersions,
		"8101 8001 1 replaced 08:02 08:04 12:00 - 4", "8102 8001 2 current 08:04 - - - 4")
}

func TestAReminderIsGivenOnceAndADisabledSecretKeepsItsDate(t *testing.T) {
	twoVersions().then(domain.SecretRotationDue{Secret: smtp, Version: second, DueAt: due.Add(time.Hour)}, domain.SecretDisabled{Secret: smtp}).
		expect(t, projections.Core, selectSecrets, "8001 billing smtp mail sealed:2:two 2 disabled 90 13:00 - 08:01 08:04 6")
	twoVersions().then(domain.SecretDisabled{Secret: smtp}, domain.SecretEnabled{Secret: smtp}, domain.SecretScheduled{Secret: smtp}).
		expect(t, projections.Core, selectSecrets, "8001 billing smtp mail sealed:2:two 2 active 0 - - 08:01 08:04 7")
}

func TestWhatIsDestroyedKeepsItsRowWithoutAValue(t *testing.T) {
	gone := twoVersions().then(
		domain.SecretVersionDestroyed{Secret: smtp, Version: first, Number: 1, Erases: first},
		domain.SecretVersionDestroyed{Secret: smtp, Version: second, Number: 2, Erases: second},
		domain.SecretDestroyed{Secret: smtp},
	)
	gone.expect(t, projections.Core, selectSecrets, "8001 billing smtp mail  2 destroyed 90 - - 08:01 08:04 7")
	gone.expect(t, projections.Core, selectVersions,
		"8101 8001 1 destroyed 08:02 08:04 12:00 08:05 5", "8102 8001 2 destroyed 08:04 - - 08:06 6")
}

func TestAReadingGetsARowThatSaysByWhatItWasRead(t *testing.T) {
	h := twoVersions().then(
		domain.SecretRead{Secret: domain.Reading(smtp), Version: second, Number: 2, Purpose: "mail"},
		domain.SecretRead{Secret: domain.Reading(smtp), Version: first, Number: 1},
		domain.SecretRead{Secret: domain.Reading(smtp), Version: second, Number: 2},
	)
	h[4].Provenance = dcb.Provenance{
		Actor: uid(0x05, 1), ActorTenant: acme.UUID, Token: uid(0x70, 1), App: "billing", Session: uid(0x71, 1),
		IP: dcb.FromCiphertext("sealed:ip"), Agent: dcb.FromCiphertext("sealed:agent"),
	}
	h[5].Provenance = h[4].Provenance
	h[5].ActorTenant, h[5].App, h[5].Token, h[5].Session = domain.Root.UUID, "", uid(0x70, 2), uid(0x71, 2)
	h.expect(t, projections.Core,
		"SELECT position, id, secret_id, version_id, number, user_id, app_id, token_id, session_id, delegation_id, purpose, ip, user_agent, created_at FROM secret_access_log ORDER BY position",
		"5 6505 8001 8102 2 0501 billing 7001 7101 - mail sealed:ip sealed:agent 08:05",
		"6 6506 8001 8101 1 0501 - 7002 7102 -  - - 08:06",
		"7 6507 8001 8102 2 - - - - -  - - 08:07")
}
