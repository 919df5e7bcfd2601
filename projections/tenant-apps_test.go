package projections_test

import (
	"testing"

	"chancery/domain"
	"chancery/internal/dcb"
	"chancery/projections"
)

// appLife is one app through all that may happen to it in a tenant, and another one that is only enabled.
func appLife() []dcb.Event {
	id, other := domain.App("billing").In(acme), domain.App("plain").In(acme)
	brings := func(names ...domain.Privilege) (all []domain.Brought) {
		for _, n := range names {
			all = append(all, domain.Brought{Privilege: n, Description: "of " + string(n)})
		}
		return all
	}
	return []dcb.Event{
		domain.AppEnabled{TenantApp: id, Name: "billing", Number: "1.0.0", Brings: brings("billing.read", "billing.void"), LicenseRequired: true, Resumes: true},
		domain.AppConfigured{TenantApp: id, Name: "billing", Config: `{"a":1}`},
		domain.AppPinned{TenantApp: id, Name: "billing", Number: "1.0.0"},
		domain.AppUnpinned{TenantApp: id, Name: "billing"},
		domain.AppUpgraded{TenantApp: id, Name: "billing", From: "1.0.0", Number: "1.1.0", Brings: brings("billing.read", "billing.send"), Drops: []domain.Privilege{"billing.void"}},
		domain.AppRolledBack{TenantApp: id, Name: "billing", From: "1.1.0", Number: "1.0.0", Brings: brings("billing.read", "billing.void"), Drops: []domain.Privilege{"billing.send"}, LicenseRequired: true},
		domain.AppDisabled{TenantApp: id, Name: "billing", Drops: []domain.Privilege{"billing.read", "billing.void"}, Reason: "license-ended"},
		domain.AppEnabled{TenantApp: other, Name: "plain", Number: "0.1.0"},
		domain.AppEnabled{TenantApp: id, Name: "billing", Number: "2.0.0", Previous: "1.0.0", Brings: brings("billing.read")},
	}
}

const tenantAppRows = `SELECT app, enabled, app_version, previous_version, version_pinned, config::text, license_required, resumes, disabled_reason,
	created_at, enabled_at, changed_at, disabled_at, configured_at, updated_at, version FROM tenant_apps ORDER BY app`

func TestAnAppInATenantIsOneRowThroughAllItsLife(t *testing.T) {
	given(appLife()...).expect(t, projections.Core, tenantAppRows,
		`billing true 2.0.0 1.0.0 - {"a": 1} false false - 08:01 08:09 08:09 - 08:02 08:09 9`,
		`plain true 0.1.0 - - {} false false - 08:08 08:08 08:08 - - 08:08 8`)
	given(appLife()[:7]...).expect(t, projections.Core, tenantAppRows,
		`billing false 1.0.0 1.1.0 - {"a": 1} true true license-ended 08:01 08:01 08:06 08:07 08:02 08:07 7`)
	given(appLife()[:3]...).expect(t, projections.Core, tenantAppRows,
		`billing true 1.0.0 - 1.0.0 {"a": 1} true true - 08:01 08:01 08:01 - 08:02 08:03 3`)
}

func TestWhatAnAppBringsIsAPrivilegeWhileTheAppIsThere(t *testing.T) {
	const rows = `SELECT tenant_id, name, description, app, status, created_at, updated_at, version FROM privileges ORDER BY name`
	given(appLife()[:5]...).expect(t, projections.Core, rows,
		"acce billing.read of billing.read billing active 08:01 08:05 5",
		"acce billing.send of billing.send billing active 08:05 08:05 5",
		"acce billing.void of billing.void billing dropped 08:01 08:05 5")
	given(appLife()...).expect(t, projections.Core, rows,
		"acce billing.read of billing.read billing active 08:01 08:09 9",
		"acce billing.send of billing.send billing dropped 08:05 08:06 6",
		"acce billing.void of billing.void billing dropped 08:01 08:07 7")
}

func TestWhatHappensToAnAppInATenantIsAudited(t *testing.T) {
	given(appLife()...).expect(t, projections.Audit,
		`SELECT DISTINCT action FROM audit_log WHERE object_ref = 'tenant-app:`+domain.App("billing").In(acme).String()+`' ORDER BY action`,
		"tenant-app.configured", "tenant-app.disabled", "tenant-app.enabled", "tenant-app.pinned", "tenant-app.rolled-back", "tenant-app.unpinned", "tenant-app.upgraded")
}
