package projections_test

import (
	"strings"
	"testing"
	"time"

	"chancery/domain"
	"chancery/internal/dcb"
	"chancery/projections"
)

var (
	machine      = domain.ActivationID{UUID: uid(0x58, 1)}
	underLicense = domain.OfLicense{UUID: uid(0x55, 1)}
)

func machineActive() domain.LicenseActivated {
	return domain.LicenseActivated{Activation: machine, License: underLicense, App: "vm", Fingerprint: hashed("fingerprint:0815"), Label: "CRM"}
}

func machineOut(hour int) domain.ActivationCheckedOut {
	return domain.ActivationCheckedOut{Activation: machine, License: underLicense, Kid: "k", Until: time.Date(2026, 1, 9, hour, 0, 0, 0, time.UTC)}
}

const selectActivations = "SELECT id, license_id, app, label, fingerprint_hash, status, checked_out_until, created_at, ended_at, end_reason, version FROM license_activations ORDER BY id"

func TestAnActivationIsShownWithTheHashOfItsMachine(t *testing.T) {
	given(
		machineActive(),
		domain.LicenseActivated{Activation: domain.ActivationID{UUID: uid(0x58, 2)}, License: underLicense, App: "vm", Fingerprint: hashed("fingerprint:0816")},
		domain.LicenseDeactivated{Activation: machine, License: underLicense, Released: hashed("fingerprint:0815"), Reason: "sold"},
	).expect(t, projections.Core, selectActivations,
		"5801 5501 vm CRM fingerprint:0815 ended - 08:01 08:03 sold 3",
		"5802 5501 vm  fingerprint:0816 active - 08:02 - - 2")
}

func TestAnActivationIsAwayUntilTheEndOfItsLastFile(t *testing.T) {
	given(machineActive(), machineOut(9)).expect(t, projections.Core, selectActivations,
		"5801 5501 vm CRM fingerprint:0815 checked-out 09:00 08:01 - - 2")
	given(machineActive(), machineOut(9), machineOut(11)).expect(t, projections.Core, selectActivations,
		"5801 5501 vm CRM fingerprint:0815 checked-out 11:00 08:01 - - 3")
}

func TestAnActivationThatIsCheckedInIsActiveUnlessItHasEnded(t *testing.T) {
	in, end := domain.ActivationCheckedIn{Activation: machine, License: underLicense}, domain.LicenseDeactivated{Activation: machine, License: underLicense}
	given(machineActive(), machineOut(9), in).expect(t, projections.Core, selectActivations,
		"5801 5501 vm CRM fingerprint:0815 active - 08:01 - - 3")
	given(machineActive(), machineOut(9), in, machineOut(7)).expect(t, projections.Core, selectActivations,
		"5801 5501 vm CRM fingerprint:0815 checked-out 07:00 08:01 - - 4")
	given(machineActive(), machineOut(9), end).expect(t, projections.Core, selectActivations,
		"5801 5501 vm CRM fingerprint:0815 ended 09:00 08:01 08:03 - 3")
	given(machineActive(), machineOut(9), end, in).expect(t, projections.Core, selectActivations,
		"5801 5501 vm CRM fingerprint:0815 ended - 08:01 08:03 - 4")
}

func TestAFingerprintInTheClearNeverReachesATable(t *testing.T) {
	e := machineActive()
	e.Fingerprint = dcb.Claimed("fingerprint", "plain")
	err := projections.Core.Apply(t.Context(), nil, given(e))
	if err == nil || strings.Contains(err.Error(), "plain") {
		t.Errorf("it was taken, or told: %v", err)
	}
}
