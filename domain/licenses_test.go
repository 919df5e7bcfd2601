package domain_test

import (
	"testing"
	"time"

	"chancery/domain"
)

func TestHowALicenceStandsFollowsFromTheTimeAlone(t *testing.T) {
	at := func(day, nano int) time.Time { return time.Date(2026, 3, day, 0, 0, 0, nano, time.UTC) }
	terms := domain.Terms{Window: domain.Window{From: at(2, 0), Until: at(5, 0)}, GraceDays: 3}
	forever := domain.Terms{Window: domain.Window{From: at(2, 0)}}
	for name, c := range map[string]struct {
		license domain.License
		at      time.Time
		want    domain.LicenseState
		refusal *domain.Refusal // nil: it is in force
	}{
		"before it begins":     {domain.License{Terms: terms}, at(2, -1), domain.LicenseIsEarly, domain.ErrLicenseEarly},
		"when it begins":       {domain.License{Terms: terms}, at(2, 0), domain.LicenseIsActive, nil},
		"at its last moment":   {domain.License{Terms: terms}, at(5, -1), domain.LicenseIsActive, nil},
		"when it ends":         {domain.License{Terms: terms}, at(5, 0), domain.LicenseInGrace, nil},
		"at last of its grace": {domain.License{Terms: terms}, at(8, -1), domain.LicenseInGrace, nil},
		"after its grace":      {domain.License{Terms: terms}, at(8, 0), domain.LicenseIsOver, domain.ErrLicenseOver},
		"without end":          {domain.License{Terms: forever}, at(999, 0), domain.LicenseIsActive, nil},
		"suspended":            {domain.License{Terms: terms, Suspended: true}, at(3, 0), domain.LicenseIsSuspended, domain.ErrLicenseSuspended},
		"revoked":              {domain.License{Terms: terms, Suspended: true, Revoked: true}, at(3, 0), domain.LicenseIsRevoked, domain.ErrLicenseRevoked},
		// What is not said makes no difference; what is said of this end counts, whatever the clock says.
		"said to be over":      {domain.License{Terms: terms, Expired: at(5, 0), Ended: at(8, 0)}, at(6, 0), domain.LicenseIsOver, domain.ErrLicenseOver},
		"said in its window":   {domain.License{Terms: terms, Ended: at(8, 0)}, at(3, 0), domain.LicenseIsOver, domain.ErrLicenseOver},
		"said of another end":  {domain.License{Terms: terms, Ended: at(7, 0)}, at(6, 0), domain.LicenseInGrace, nil},
		"said, and no end now": {domain.License{Terms: forever, Ended: at(8, 0)}, at(9, 0), domain.LicenseIsActive, nil},
		"said to have expired": {domain.License{Terms: terms, Expired: at(5, 0)}, at(4, 0), domain.LicenseIsActive, nil},
		"not said to be over":  {domain.License{Terms: terms}, at(30, 0), domain.LicenseIsOver, domain.ErrLicenseOver},
	} {
		got := c.license.State(c.at)
		if got != c.want || got.InForce() != (c.refusal == nil) || !got.InForce() && got.Refusal() != c.refusal {
			t.Errorf("%s: it is %s (in force: %v, %v), want %s, %v", name, got, got.InForce(), got.Refusal(), c.want, c.refusal)
		}
	}
}

func TestOfSeveralLicencesTheBestCounts(t *testing.T) {
	now := time.Date(2026, 3, 2, 0, 0, 0, 0, time.UTC)
	active := domain.License{Terms: domain.Terms{Window: domain.Window{From: now}}}
	grace := domain.License{Terms: domain.Terms{Window: domain.Window{Until: now}, GraceDays: 1}}
	over := domain.License{Terms: domain.Terms{Window: domain.Window{Until: now}}}
	revoked, suspended := active, active
	revoked.Revoked, suspended.Suspended = true, true
	for _, c := range []struct {
		all  domain.Licenses
		want domain.LicenseState
	}{
		{nil, domain.LicenseIsOver}, {domain.Licenses{revoked}, domain.LicenseIsRevoked}, {domain.Licenses{revoked, over}, domain.LicenseIsOver}, {domain.Licenses{over, suspended}, domain.LicenseIsSuspended},
		{domain.Licenses{revoked, grace, suspended}, domain.LicenseInGrace}, {domain.Licenses{grace, active, over}, domain.LicenseIsActive},
	} {
		if got := c.all.State(now); got != c.want {
			t.Errorf("%d licences: %s, want %s", len(c.all), got, c.want)
		}
	}
}
