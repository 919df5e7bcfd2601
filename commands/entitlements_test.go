package commands_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"chancery/commands"
	"chancery/domain"
	"chancery/internal/dcb"
)

func usageID(name string) domain.UsageID { return domain.UsageID{UUID: named("usage " + name)} }

// allowing is acme's licence of that name for billing, in force until ten days from now, for good where days is 0.
func allowing(name string, lasts int, what ...domain.Entitlement) domain.LicenseIssued {
	w := domain.Window{From: now.Add(-day)}
	if lasts > 0 {
		w.Until = now.Add(days(lasts))
	}
	return domain.LicenseIssued{
		License: licenseID(name), Holder: domain.HomeIn(acme), Vendor: domain.HomeIn(initech), App: domain.OfApp(domain.App("billing").ID()), Held: domain.App("billing").HeldBy(acme), Name: "billing",
		Revision: 1, Terms: domain.Terms{Window: w, Entitlements: what},
	}
}

func invoices(limit int64) domain.Entitlement {
	return domain.Entitlement{Name: "invoices", Kind: domain.Meter, Limit: limit, Period: domain.PerMonth}
}

func softly(e domain.Entitlement) domain.Entitlement { e.Soft = true; return e }

func consumed(of, name string, amount, total int64) domain.UsageRecorded {
	return domain.UsageRecorded{
		Usage: usageID(name), Meter: domain.MeterKey(licenseID(of), "invoices"), License: domain.OfLicense(licenseID(of)), App: "billing",
		Name: "invoices", Amount: amount, Period: "2026-01", Total: total,
	}
}

func reversing(of, name string, amount, total int64) domain.UsageReversed {
	c := consumed(of, name, amount, total)
	return domain.UsageReversed{
		Usage: c.Usage, Meter: c.Meter, License: c.License, App: c.App, Name: c.Name, Amount: amount, Period: c.Period, Total: total,
	}
}

func consuming(amount int64) commands.Consume {
	return commands.Consume{ID: usageID("new"), App: "billing", Entitlement: "invoices", Amount: amount}
}

func TestAMeterGivesWhatItsLicenseAllowsAndNoMore(t *testing.T) {
	h := given(allowing("a", 10, invoices(100)))
	h.When(consuming(100).Decide(h.knowing(env()))).Then(t, consumed("a", "new", 100, 100))
	h.When(consuming(101).Decide(h.knowing(env()))).ThenRefused(t, domain.ErrAllowance)

	h = h.and(consumed("a", "1", 60, 60), consumed("a", "2", 30, 90))
	c := consuming(10)
	c.Note = "batch of January"
	want := consumed("a", "new", 10, 100)
	want.Note = c.Note
	h.When(c.Decide(h.knowing(env()))).Then(t, want)
	h.When(consuming(11).Decide(h.knowing(env()))).ThenRefused(t, domain.ErrAllowance)
	h.When(consuming(domain.MaxAllowance).Decide(h.knowing(env()))).ThenRefused(t, domain.ErrAllowance)
}

func TestWhatTheSameRequestTookBeforeCounts(t *testing.T) {
	h := given(allowing("a", 10, invoices(100)), consumed("a", "1", 90, 90))
	ahead := []dcb.Event{consumed("a", "2", 9, 99), consumed("b", "of another licence", 5, 5), domain.SeatReleased{}}
	h.When(consuming(1).Decide(h.knowing(env(), ahead...))).Then(t, consumed("a", "new", 1, 100))
	h.When(consuming(2).Decide(h.knowing(env(), ahead...))).ThenRefused(t, domain.ErrAllowance)
	ahead = append(ahead, reversing("a", "2", 9, 90))
	h.When(consuming(2).Decide(h.knowing(env(), ahead...))).Then(t, consumed("a", "new", 2, 92))
}

func TestAMeterBeginsAnewWithItsPeriod(t *testing.T) {
	last := consumed("a", "1", 100, 100)
	last.Period = "2025-12"
	h := given(allowing("a", 10, invoices(100)), last)
	h.When(consuming(100).Decide(h.knowing(env()))).Then(t, consumed("a", "new", 100, 100))
	for period, name := range map[domain.Period]string{domain.PerDay: "2026-01-02", domain.PerYear: "2026", domain.Once: "once"} {
		e := invoices(100)
		e.Period = period
		h := given(allowing("a", 10, e), last)
		want := consumed("a", "new", 100, 100)
		want.Period = name
		h.When(consuming(100).Decide(h.knowing(env()))).Then(t, want)
	}
}

func TestAClockThatIsALittleBehindOpensNoSecondAllowance(t *testing.T) {
	next := consumed("a", "1", 99, 99)
	next.Period = "2026-02" // recorded by another process, whose clock is ahead
	h := given(allowing("a", 10, invoices(100)), next)
	h.When(consuming(2).Decide(h.knowing(env()))).ThenRefused(t, domain.ErrAllowance)
	want := consumed("a", "new", 1, 100)
	want.Period = next.Period
	h.When(consuming(1).Decide(h.knowing(env()))).Then(t, want)
}

func TestASoftMeterRecordsMoreAndSaysSo(t *testing.T) {
	h := given(allowing("a", 10, softly(invoices(100))), consumed("a", "1", 90, 90))
	h.When(consuming(10).Decide(h.knowing(env()))).Then(t, consumed("a", "new", 10, 100))
	over := consumed("a", "new", 11, 101)
	over.Over = true
	h.When(consuming(11).Decide(h.knowing(env()))).Then(t, over)
	h = h.and(consumed("a", "2", 1, 1<<53-10))
	h.When(consuming(11).Decide(h.knowing(env()))).ThenRefused(t, domain.ErrAllowance)
}

func TestOneConsumptionIsTakenFromTheLicenseThatEndsFirstAndHasEnoughLeft(t *testing.T) {
	h := given(allowing("for good", 0, invoices(1000)), allowing("long", 20, invoices(50)), allowing("short", 5, invoices(10)))
	h.When(consuming(10).Decide(h.knowing(env()))).Then(t, consumed("short", "new", 10, 10))
	h.When(consuming(11).Decide(h.knowing(env()))).Then(t, consumed("long", "new", 11, 11))
	h.When(consuming(51).Decide(h.knowing(env()))).Then(t, consumed("for good", "new", 51, 51))
	h.When(consuming(1001).Decide(h.knowing(env()))).ThenRefused(t, domain.ErrAllowance) // the parts of all would do, but it is one

	mixed := given(allowing("soft", 5, softly(invoices(10))), allowing("hard", 20, invoices(50)))
	mixed.When(consuming(50).Decide(mixed.knowing(env()))).Then(t, consumed("hard", "new", 50, 50))
	over := consumed("soft", "new", 51, 51)
	over.Over = true
	mixed.When(consuming(51).Decide(mixed.knowing(env()))).Then(t, over)
}

func TestOnlyLicensesInForceAllowAnything(t *testing.T) {
	use := func(h history, at time.Time) outcome {
		e := h.knowing(env())
		e.Now = at
		return h.When(consuming(1).Decide(e))
	}
	graced := allowing("new", 10, invoices(10))
	graced.Terms.GraceDays = 5
	h := given(graced)
	use(h, now.Add(days(14))).Then(t, consumed("new", "new", 1, 1))
	use(h, now.Add(days(15))).ThenRefused(t, domain.ErrLicenseOver)
	use(h, now.Add(-2*day)).ThenRefused(t, domain.ErrLicenseEarly)
	use(h.and(suspended("unpaid")), now).ThenRefused(t, domain.ErrLicenseSuspended)
	use(h.and(revokedLicense("fraud")), now).ThenRefused(t, domain.ErrLicenseRevoked)
	use(h.and(revokedLicense("fraud"), allowing("b", 10, invoices(10))), now).Then(t, consumed("b", "new", 1, 1))
	use(given(), now).ThenRefused(t, domain.ErrNotEntitled)
	use(given(allowing("a", 10)), now).ThenRefused(t, domain.ErrNotEntitled)
	feature := domain.Entitlement{Name: "invoices", Kind: domain.Feature}
	use(given(allowing("a", 10, feature)), now).ThenRefused(t, domain.ErrNotMetered)
	use(given(allowing("a", 10, feature), allowing("b", 10, invoices(10))), now).Then(t, consumed("b", "new", 1, 1))

	others := allowing("a", 10, invoices(10))
	others.Holder = domain.HomeIn(globex) // the copy of a licence that acme, a vendor, issued
	use(given(others), now).ThenRefused(t, domain.ErrNotEntitled)
	use(given().elsewhere(globex, allowing("a", 10, invoices(10))), now).ThenRefused(t, domain.ErrNotEntitled)
}

func TestAConsumptionIsWellFormedAndRecordedOnce(t *testing.T) {
	h := given(allowing("a", 10, invoices(100)), consumed("a", "new", 1, 1))
	h.When(consuming(1).Decide(h.knowing(env()))).ThenRefused(t, domain.ErrIDTaken)
	for pointer, change := range map[string]func(*commands.Consume){
		"/amount":      func(c *commands.Consume) { c.Amount = 0 },
		"/amount ":     func(c *commands.Consume) { c.Amount = -1 },
		"/amount  ":    func(c *commands.Consume) { c.Amount = domain.MaxAllowance + 1 },
		"/app":         func(c *commands.Consume) { c.App = "Not a name" },
		"/entitlement": func(c *commands.Consume) { c.Entitlement = "" },
		"/note":        func(c *commands.Consume) { c.Note = "\x00" },
	} {
		c := consuming(1)
		change(&c)
		for len(pointer) > 0 && pointer[len(pointer)-1] == ' ' {
			pointer = pointer[:len(pointer)-1]
		}
		h.When(c.Decide(h.knowing(env()))).ThenInvalid(t, pointer)
	}
}

func TestWhoMayConsumeMayOnTheAppAloneAndTheAppItselfMay(t *testing.T) {
	h := given(allowing("a", 10, invoices(100)))
	const consume, scope = domain.Pattern("core.entitlements.consume"), domain.Scope("app:billing")
	app := func(name string, r rights) commands.Env { e := by(r); e.App = name; return unprivileged(e) }
	for name, c := range map[string]struct {
		env  commands.Env
		want bool
	}{
		"everywhere":         {having(consume), true},
		"on the app":         {by(rights{scoped: map[domain.Scope][]domain.Pattern{scope: {consume}}}), true},
		"on another":         {by(rights{scoped: map[domain.Scope][]domain.Pattern{"app:search": {consume}}}), false},
		"nobody":             {unprivileged(having()), false},
		"the app":            {app("billing", rights{}), true},
		"another app":        {app("search", rights{}), false},
		"the app, denied":    {app("billing", rights{denied: map[domain.Scope][]domain.Pattern{scope: {consume}}}), false},
		"the app, with less": {app("billing", rights{ceiling: []domain.Pattern{"billing.*"}}), false},
	} {
		t.Run(name, func(t *testing.T) {
			o := h.When(consuming(1).Decide(h.knowing(c.env)))
			if c.want {
				o.Then(t, consumed("a", "new", 1, 1))
			} else {
				o.ThenRefused(t, domain.ErrNotAllowed)
			}
		})
	}
}

func TestAConsumptionIsTakenBackWithinItsPeriod(t *testing.T) {
	h := given(allowing("a", 10, invoices(100)), consumed("a", "1", 60, 60), consumed("a", "2", 30, 90))
	back := commands.ReverseUsage{ID: usageID("1"), Reason: "twice"}
	want := reversing("a", "1", 60, 30)
	want.Reason = "twice"
	h.When(back.Decide(h.knowing(env()))).Then(t, want)
	done := h.and(want)
	done.When(back.Decide(done.knowing(env()))).ThenNothing(t)
	done.When(consuming(71).Decide(done.knowing(env()))).ThenRefused(t, domain.ErrAllowance)
	done.When(consuming(70).Decide(done.knowing(env()))).Then(t, consumed("a", "new", 70, 100))

	late := h.knowing(env())
	late.Now = time.Date(2026, 2, 1, 0, 0, 0, 0, time.UTC)
	h.When(back.Decide(late)).ThenRefused(t, domain.ErrUsageOld)
	next := consumed("a", "3", 1, 1)
	next.Period = "2026-02"
	moved := h.and(next)
	moved.When(back.Decide(moved.knowing(env()))).ThenRefused(t, domain.ErrUsageOld)

	h.When(commands.ReverseUsage{ID: usageID("none")}.Decide(h.knowing(env()))).ThenRefused(t, domain.ErrUsageUnknown)
	h.When(back.Decide(h.knowing(unprivileged(having())))).ThenRefused(t, domain.ErrUsageUnknown)
	h.When(commands.ReverseUsage{ID: usageID("1"), Reason: "\x00"}.Decide(h.knowing(env()))).ThenInvalid(t, "/reason")
	h.WhenIn(globex, back.Decide(h.knowing(env()))).ThenRefused(t, domain.ErrUsageUnknown)
}

func TestALargeBatchOfConsumptionsIsDecidedInNoTime(t *testing.T) {
	const n, meters = 5000, 500
	var allowed []domain.Entitlement
	for i := range meters {
		e := invoices(n)
		e.Name = fmt.Sprintf("meter-%d", i)
		allowed = append(allowed, e)
	}
	w := countedWorld(t, allowing("a", 10, allowed...))
	began := time.Now()
	got := w.batch(t, acme, false, w.repeated(n, func(i int) any {
		return &commands.Consume{ID: domain.UsageID{UUID: named(fmt.Sprint("use ", i))}, App: "billing", Entitlement: allowed[i%meters].Name, Amount: 1}
	})...)
	took := time.Since(began)
	t.Logf("%d consumptions: %s", n, took)
	if i := slices.IndexFunc(got, func(o commands.Outcome) bool { return o.Err != nil }); i >= 0 || took > 10*time.Second {
		t.Errorf("line %d; it took %s", i, took)
	}
	last := w.stored(t, w.head(t)-1)[0].Event.(domain.UsageRecorded)
	if last.Total != n/meters {
		t.Errorf("the last total is %d", last.Total)
	}
}
