package projections_test

import (
	"testing"
	"time"

	"chancery/domain"
	"chancery/projections"
)

func licensed(n int, what ...domain.Entitlement) domain.LicenseIssued {
	return domain.LicenseIssued{
		License: domain.LicenseID{UUID: uid(0x31, n)}, Holder: domain.HomeIn(acme), Vendor: domain.HomeIn(domain.Root), App: domain.OfApp(domain.App("billing").ID()),
		Name: "billing", Revision: 1, File: domain.File{Blob: "a.b.c", Kid: "k", ExpiresAt: time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)},
		Terms: domain.Terms{
			Window:    domain.Window{From: time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC), Until: time.Date(2026, 12, 31, 0, 0, 0, 0, time.UTC)},
			GraceDays: 1, Entitlements: what,
		},
	}
}

// used is of the first licence.
func used(n int, amount, total int64) domain.UsageRecorded {
	l := licensed(1).License
	return domain.UsageRecorded{
		Usage: domain.UsageID{UUID: uid(0x32, n)}, Meter: domain.MeterKey(l, "invoices"), License: domain.OfLicense(l), App: "billing", Name: "invoices",
		Amount: amount, Period: "2026-01", Total: total, Over: total > 100, Note: "n",
	}
}

const entitlementRows = `SELECT right(license_id::text, 4), app, name, kind, allowance, period, soft, used, used_period, starts_at::date::text, ends_at::date::text, revision, created_at, updated_at, version
	FROM license_entitlements ORDER BY license_id, name`

func TestEntitlementsAreASnapshotOfWhatLicensesAllow(t *testing.T) {
	changed := domain.LicenseChanged(licensed(1,
		domain.Entitlement{Name: "invoices", Kind: domain.Meter, Limit: 200, Period: domain.PerMonth, Soft: true}, domain.Entitlement{Name: "sso", Kind: domain.Feature}))
	changed.Revision, changed.Terms.Window.Until = 2, time.Time{}
	changed.Terms.GraceDays = 0
	back := domain.UsageReversed{
		Usage: used(1, 0, 0).Usage, Meter: used(1, 0, 0).Meter, License: used(1, 0, 0).License, App: "billing", Name: "invoices", Amount: 3,
		Period: "2026-01", Total: 5, Reason: "twice",
	}
	events := given(
		licensed(1, domain.Entitlement{Name: "exports", Kind: domain.Feature}, domain.Entitlement{Name: "invoices", Kind: domain.Meter, Limit: 100, Period: domain.PerMonth}),
		licensed(2, domain.Entitlement{Name: "projects", Kind: domain.Limit, Limit: 50}),
		used(1, 3, 3), used(2, 5, 8), changed, back, used(3, 100, 105))
	events.in(domain.Root, licensed(3, domain.Entitlement{Name: "exports", Kind: domain.Feature})). // the vendor's copy
													expect(t, projections.Core, entitlementRows,
			"3101 billing exports feature - - false 0 - 2026-01-01 2027-01-01 1 08:01 08:01 1",
			"3101 billing invoices meter 200 month true 105 2026-01 2026-01-01 - 2 08:01 08:07 7",
			"3101 billing sso feature - - false 0 - 2026-01-01 - 2 08:05 08:05 5",
			"3102 billing projects limit 50 - false 0 - 2026-01-01 2027-01-01 1 08:02 08:02 2")
	events.expect(t, projections.Core,
		"SELECT id, license_id, app, name, amount, period, total, over, note, status, reverse_reason, created_at, reversed_at, version FROM license_usage ORDER BY id",
		"3201 3101 billing invoices 3 2026-01 3 false n reversed twice 08:03 08:06 6",
		"3202 3101 billing invoices 5 2026-01 8 false n recorded - 08:04 - 4",
		"3203 3101 billing invoices 100 2026-01 105 true n recorded - 08:07 - 7")
}

func TestWhatIsTakenOfLicensesIsAboutTheThingTaken(t *testing.T) {
	s := taken(1, "ci", "")
	given(used(1, 3, 3), s, domain.SeatLapsed{Seat: s.Seat, Pool: s.Pool, License: s.License, Ended: s.Until}).expect(t, projections.Audit,
		"SELECT action, object_ref FROM audit_log ORDER BY position",
		"usage.recorded usage:"+uid(0x32, 1).String(), "seat.taken "+string(s.Seat.Tag()), "seat.lapsed "+string(s.Seat.Tag()))
}
