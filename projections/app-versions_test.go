package projections_test

import (
	"fmt"
	"strings"
	"testing"

	"chancery/domain"
	"chancery/projections"
)

func TestAVersionKeepsItsManifestAndWhatBecomesOfIt(t *testing.T) {
	app := domain.App("billing").ID()
	published := func(n domain.Semver, id int) domain.AppVersionPublished {
		return domain.AppVersionPublished{
			Version: domain.AppVersionID{UUID: uid(0x32, id)}, App: app, Name: "billing", Number: n, Hash: "5a17", Grows: id == 2,
		}
	}
	one, two, three := published("1.0.0", 1), published("1.1.0-rc.1", 2), published("2.0.0", 3)
	said := domain.ManifestPublished{
		Version: one.Version, Manifest: `{"app":"billing","compatibility":{"apps":[{"app":"ledger","range":"^1"}],"core":">=1"},"license_required":true,"version":"1.0.0"}`,
	}
	given(one).in(domain.Root, one, said, two, three,
		domain.AppVersionDeprecated{Version: one.Version, App: app, Message: "take 2"},
		domain.AppVersionDeprecated{Version: two.Version, App: app},
		domain.AppVersionUndeprecated{Version: two.Version, App: app},
		domain.AppVersionYanked{Version: three.Version, App: app, Reason: "lost invoices"},
	).in(acme, domain.AppVersionYanked{Version: one.Version, App: app}, domain.AppVersionDeprecated{Version: two.Version, App: app, Message: "x"}).
		expect(t, projections.Core, `SELECT tenant_id, id, app, app_version, prerelease, manifest_json::text, manifest_hash, core_range, requires::text,
			license_required, grows, status, message, published_at, updated_at, version FROM app_versions WHERE app_id = '`+app.String()+`' ORDER BY id`,
			"0001 3201 billing 1.0.0 false "+said.Manifest+` 5a17 >=1 [{"app":"ledger","range":"^1"}] true false deprecated take 2 08:02 08:06 6`,
			"0001 3202 billing 1.1.0-rc.1 true {} 5a17 - [] false true published  08:04 08:08 8",
			"0001 3203 billing 2.0.0 false {} 5a17 - [] false false yanked lost invoices 08:05 08:09 9")
}

func TestTheTablesSortVersionsAsSemanticVersioningDoes(t *testing.T) {
	numbers := []domain.Semver{
		"0.9.10", "0.10.0-alpha", "0.10.0", "1.0.0-1", "1.0.0-2", "1.0.0-10", "1.0.0--", "1.0.0-A", "1.0.0-alpha", "1.0.0-alpha.1", "1.0.0-alpha.beta", "1.0.0-alpha1",
		"1.0.0-beta.2", "1.0.0-beta.11", "1.0.0-rc.1", "1.0.0", "2.0.0", "10.0.0",
	}
	h := given()
	for i, n := range numbers {
		h = h.in(domain.Root, domain.AppVersionPublished{
			Version: domain.AppVersionID{UUID: uid(0x32, len(numbers)-i)}, App: domain.App("a").ID(), Name: "a", Number: n, Hash: "00",
		})
	}
	want := strings.Fields(strings.Trim(fmt.Sprint(numbers), "[]"))
	h.expect(t, projections.Core, "SELECT app_version FROM app_versions ORDER BY precedence", want...)
}
