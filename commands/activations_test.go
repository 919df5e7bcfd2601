package commands_test

import (
	"context"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"

	"chancery/commands"
	"chancery/domain"
	"chancery/internal/dcb"
)

// vm is the licence under which acme uses globex's app vm; crm is a machine.
var vm = domain.LicenseID{UUID: named("license vm")}

const crm domain.Fingerprint = "board-0815/crm"

func activation(name string) domain.ActivationID {
	return domain.ActivationID{UUID: named("activation " + name)}
}

// vmLicensed is the licence for so many machines, in force until ten days from now with five days of grace.
func vmLicensed(machines int) domain.LicenseIssued {
	return domain.LicenseIssued{
		License: vm, Holder: domain.HomeIn(acme), Vendor: domain.HomeIn(globex), App: domain.OfApp(domain.App("vm").ID()), Held: domain.App("vm").HeldBy(acme), Name: "vm", Revision: 1,
		Terms: domain.Terms{Window: domain.Window{From: now.Add(-day), Until: now.Add(days(10))}, GraceDays: 5, Activations: &machines},
	}
}

func activated(name string, f domain.Fingerprint) domain.LicenseActivated {
	return domain.LicenseActivated{
		Activation: activation(name), Pool: domain.ActivationPool(vm), License: domain.OfLicense(vm), App: "vm", Fingerprint: domain.FingerprintClaim(vm, f),
	}
}

// deactivated ends the activation a.
func deactivated(f domain.Fingerprint) domain.LicenseDeactivated {
	return domain.LicenseDeactivated{
		Activation: activation("a"), Pool: domain.ActivationPool(vm), License: domain.OfLicense(vm), Released: domain.FingerprintClaim(vm, f),
	}
}

// checkedIn is the activation a.
func checkedIn() domain.ActivationCheckedIn {
	return domain.ActivationCheckedIn{Activation: activation("a"), Pool: domain.ActivationPool(vm), License: domain.OfLicense(vm)}
}

// activating is the command for a machine.
func activating(name string, f domain.Fingerprint) commands.ActivateLicense {
	return commands.ActivateLicense{ID: activation(name), License: vm, Fingerprint: f}
}

func TestALicenseIsActivatedOnAsManyMachinesAsItAllows(t *testing.T) {
	c := activating("c", "three")
	c.Label = "CRM, room 7"
	want := activated("c", "three")
	want.Label = c.Label
	two := []dcb.Event{activated("a", "one"), activated("b", "two")}
	given(vmLicensed(3)).and(two...).When(c.Decide(env())).Then(t, want)
	given(vmLicensed(2)).and(two...).When(c.Decide(env())).ThenRefused(t, domain.ErrNoActivation)
	given(vmLicensed(0)).When(c.Decide(env())).ThenRefused(t, domain.ErrNoActivation)
	uncounted := vmLicensed(0)
	uncounted.Terms.Activations = nil
	given(uncounted).and(two...).When(c.Decide(env())).Then(t, want)

	given(vmLicensed(2)).and(two...).and(deactivated("one")).When(c.Decide(env())).Then(t, want)
	raised := domain.LicenseChanged(vmLicensed(3))
	given(vmLicensed(2)).and(two...).and(raised).When(c.Decide(env())).Then(t, want)
	if got := c.Lane(); got != "activations:"+vm.String() {
		t.Errorf("it stands in the lane %q", got)
	}
}

func TestAnotherLicensesActivationsDoNotCount(t *testing.T) {
	other := activated("a", crm)
	other.License.UUID = named("another")
	other.Pool, other.Fingerprint = domain.ActivationPool(domain.LicenseID(other.License)), domain.FingerprintClaim(domain.LicenseID(other.License), crm)
	given(vmLicensed(1), other).When(activating("c", crm).Decide(env())).Then(t, activated("c", crm))
	given(vmLicensed(1)).elsewhere(globex, activated("a", crm)).When(activating("c", crm).Decide(env())).Then(t, activated("c", crm))
	if other.Fingerprint.Tag() == activated("c", crm).Fingerprint.Tag() {
		t.Error("a machine is seen to be the same under two licences")
	}
}

func TestAMachineThatIsActiveKeepsItsActivation(t *testing.T) {
	var found []uuid.UUID
	e := env()
	e.Found = func(id uuid.UUID) { found = append(found, id) }
	there := given(vmLicensed(1), activated("a", crm))
	there.When(activating("c", crm).Decide(e)).ThenNothing(t)
	there.When(activating("a", crm).Decide(e)).ThenNothing(t)
	if len(found) != 2 || found[0] != activation("a").UUID || found[1] != activation("a").UUID {
		t.Errorf("found %v", found)
	}
	there.When(activating("a", "other").Decide(e)).ThenRefused(t, domain.ErrIDTaken)
	there.and(deactivated(crm)).When(activating("a", crm).Decide(e)).ThenRefused(t, domain.ErrIDTaken)
	there.and(deactivated(crm)).When(activating("c", crm).Decide(e)).Then(t, activated("c", crm))
	given(vmLicensed(1)).elsewhere(globex, activated("c", "other")).When(activating("c", crm).Decide(e)).ThenRefused(t, domain.ErrIDTaken)
}

func TestALicenseThatIsNotInForceActivatesNothing(t *testing.T) {
	at := func(when time.Time) commands.Env { e := env(); e.Now = when; return e }
	license := domain.LicenseSuspended{License: vm, Holder: domain.HomeIn(acme), Vendor: domain.HomeIn(globex)}
	for name, c := range map[string]struct {
		then []dcb.Event
		at   time.Time
		want *domain.Refusal
	}{
		"in force":   {nil, now, nil},
		"in grace":   {nil, now.Add(days(15) - 1), nil},
		"over":       {nil, now.Add(days(15)), domain.ErrLicenseOver},
		"early":      {nil, now.Add(-day - 1), domain.ErrLicenseEarly},
		"suspended":  {[]dcb.Event{license}, now, domain.ErrLicenseSuspended},
		"reinstated": {[]dcb.Event{license, domain.LicenseReinstated{License: vm, Holder: license.Holder, Vendor: license.Vendor}}, now, nil},
		"revoked":    {[]dcb.Event{domain.LicenseRevoked{License: vm, Holder: license.Holder, Vendor: license.Vendor}}, now, domain.ErrLicenseRevoked},
	} {
		t.Run(name, func(t *testing.T) {
			did := given(vmLicensed(1)).and(c.then...).When(activating("a", crm).Decide(at(c.at)))
			same := given(vmLicensed(1), activated("a", crm)).and(c.then...).When(activating("a", crm).Decide(at(c.at)))
			out := given(vmLicensed(1), activated("a", crm)).and(c.then...).elsewhere(globex, vmKey()).
				When(commands.CheckOutActivation{ID: activation("a"), Fingerprint: crm, Days: 1}.Decide(at(c.at)))
			if c.want == nil {
				did.Then(t, activated("a", crm))
				same.ThenNothing(t)
				out.Events(t)
				return
			}
			for _, did := range []outcome{did, same, out} {
				did.ThenRefused(t, c.want)
			}
		})
	}
}

func TestOnlyItsHolderActivatesALicense(t *testing.T) {
	c := activating("a", crm)
	given().When(c.Decide(env())).ThenRefused(t, domain.ErrLicenseUnknown)
	given().elsewhere(globex, vmLicensed(1)).When(c.Decide(env())).ThenRefused(t, domain.ErrLicenseUnknown)
	there := env()
	there.Tenant = globex
	given().elsewhere(globex, vmLicensed(1)).WhenIn(globex, c.Decide(there)).ThenRefused(t, domain.ErrLicenseUnknown) // the vendor's copy
}

func TestWhatMachinesMayBeDoneByWhom(t *testing.T) {
	on := func(app domain.App, patterns ...domain.Pattern) commands.Env {
		return unprivileged(by(rights{scoped: map[domain.Scope][]domain.Pattern{app.Scope(): patterns}}))
	}
	own := func(app string, r rights) commands.Env { e := unprivileged(by(r)); e.App = app; return e }
	there := given(vmLicensed(2), activated("a", crm), vmOut(now.Add(days(3)))).elsewhere(globex, vmKey())
	for name, c := range map[string]struct {
		command commands.Command
		unknown *domain.Refusal
	}{
		"core.activations.activate":   {activating("b", "other"), domain.ErrLicenseUnknown},
		"core.activations.deactivate": {commands.DeactivateLicense{ID: activation("a")}, domain.ErrActivationUnknown},
		"core.activations.check-out":  {commands.CheckOutActivation{ID: activation("a"), Fingerprint: crm, Days: 5}, domain.ErrActivationUnknown},
		"core.activations.check-in":   {commands.CheckInActivation{ID: activation("a")}, domain.ErrActivationUnknown},
	} {
		p := domain.Pattern(name)
		for _, may := range []commands.Env{
			env(), having(p), on("vm", p), own("vm", rights{}), own("vm", rights{ceiling: []domain.Pattern{p}}),
			own("vm", rights{denied: map[domain.Scope][]domain.Pattern{"app:crm": {p}}}),
		} {
			if len(there.When(c.command.Decide(may)).Events(t)) != 1 {
				t.Errorf("%s: nothing is done", name)
			}
		}
		for _, stranger := range []commands.Env{
			having(), on("crm", p), on("vm", "core.secrets.*"), own("crm", rights{}), own("vm", rights{ceiling: []domain.Pattern{"core.secrets.*"}}),
			own("vm", rights{denied: map[domain.Scope][]domain.Pattern{"app:vm": {p}}}), own("vm", rights{denied: map[domain.Scope][]domain.Pattern{"": {p}}}),
		} {
			there.When(c.command.Decide(stranger)).ThenRefused(t, c.unknown)
			given().When(c.command.Decide(stranger)).ThenRefused(t, c.unknown)
		}
		for _, reader := range []commands.Env{having("core.licenses.read"), on("vm", "core.activations.read")} {
			there.When(c.command.Decide(reader)).ThenRefused(t, domain.ErrNotAllowed)
			given().When(c.command.Decide(reader)).ThenRefused(t, c.unknown)
		}
	}
}

func TestAFingerprintIsText(t *testing.T) {
	for f, ok := range map[domain.Fingerprint]bool{
		"": false, "x": true, "é/ü": true, "a\x00b": false, "a\nb": false, "machine-id\n": false, domain.Fingerprint(" x"): false, "\xff": false,
		domain.Fingerprint(strings.Repeat("x", 500)): true, domain.Fingerprint(strings.Repeat("x", 501)): false, domain.Fingerprint(strings.Repeat("é", 251)): false,
	} {
		did := given(vmLicensed(1)).When(activating("a", f).Decide(env()))
		out := given(vmLicensed(1), activated("a", f)).elsewhere(globex, vmKey()).
			When(commands.CheckOutActivation{ID: activation("a"), Fingerprint: f, Days: 1}.Decide(env()))
		if ok {
			did.Events(t)
			out.Events(t)
			continue
		}
		did.ThenInvalid(t, "/fingerprint")
		out.ThenInvalid(t, "/fingerprint")
		if strings.Contains(fmt.Sprint(did.Err()), string(f)) && f != "" {
			t.Errorf("the refusal repeats it: %v", did.Err())
		}
	}
	for label, ok := range names() {
		c := activating("a", crm)
		c.Label = label
		if did := given(vmLicensed(1)).When(c.Decide(env())); ok || label == "" {
			did.Events(t)
		} else {
			did.ThenInvalid(t, "/label")
		}
	}
}

func TestAFingerprintOnItsWayInIsNeverPrinted(t *testing.T) {
	var logged strings.Builder
	c := activating("a", "canary")
	slog.New(slog.NewJSONHandler(&logged, nil)).Info("x", "command", c, "fingerprint", c.Fingerprint)
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d"} {
		fmt.Fprintf(&logged, verb+verb, c, c.Fingerprint)
	}
	if strings.Contains(logged.String(), "canary") || strings.Contains(logged.String(), fmt.Sprintf("%x", "canary")) {
		t.Errorf("printed: %s", logged.String())
	}
}

func TestAnActivationIsEndedOnceAndHoweverItsLicenseStands(t *testing.T) {
	c := commands.DeactivateLicense{ID: activation("a"), Reason: "sold"}
	want := deactivated(crm)
	want.Reason = "sold"
	there := given(vmLicensed(1), activated("a", crm))
	there.When(c.Decide(env())).Then(t, want)
	there.and(domain.LicenseRevoked{License: vm, Holder: domain.HomeIn(acme), Vendor: domain.HomeIn(globex)}).When(c.Decide(env())).Then(t, want)
	there.and(want).When(c.Decide(env())).ThenNothing(t)
	given(vmLicensed(1)).When(c.Decide(env())).ThenRefused(t, domain.ErrActivationUnknown)
	given(vmLicensed(1)).elsewhere(globex, activated("a", crm)).When(c.Decide(env())).ThenRefused(t, domain.ErrActivationUnknown)
	c.Reason = "\x01"
	there.When(c.Decide(env())).ThenInvalid(t, "/reason")
}

func TestRacersForTheLastActivationsGetThemAndNoMore(t *testing.T) {
	w := newWorld(t)
	w.record(t, acme, vmLicensed(3))
	before := w.head(t)
	var all sync.WaitGroup
	errs := make([]error, 40)
	for i := range errs {
		all.Go(func() {
			c := commands.ActivateLicense{License: vm, Fingerprint: domain.Fingerprint(fmt.Sprintf("machine %d", i))}
			_, errs[i] = w.do(w.order(acme, &c))
		})
	}
	all.Wait()
	got := 0
	for _, err := range errs {
		if err == nil {
			got++
		} else if !isRefusal(err, domain.ErrNoActivation) {
			t.Error(err)
		}
	}
	if n := w.head(t) - before; got != 3 || n != 3 {
		t.Errorf("%d were told yes, there are %d events; want 3", got, n)
	}
}

func TestTheAnswerNamesTheActivationThatTheMachineHas(t *testing.T) {
	w := newWorld(t)
	w.record(t, acme, vmLicensed(2))
	same := func(changes ...func(*commands.Order)) commands.Order {
		o := w.order(acme, &commands.ActivateLicense{License: vm, Fingerprint: crm}, changes...)
		o.Fingerprint = []byte("the same body")
		return o
	}
	first := w.batch(t, acme, true, same(), same())
	before, id := w.head(t), first[0].Result.ID
	if id == uuid.Nil || first[1].Result.ID != id || len(first[1].Result.Events) != 0 {
		t.Fatalf("answered %+v, then %+v", first[0].Result, first[1].Result)
	}
	for i, o := range []commands.Order{same(), same(keyed("k")), same(keyed("k"))} {
		if r := w.must(t, o); r.ID != id || len(r.Events) != 0 || r.Replayed != (i == 2) {
			t.Errorf("answered %+v, want the id %s", r, id)
		}
	}
	if n := w.head(t) - before; n != 0 {
		t.Errorf("%d events say so", n)
	}
	w.must(t, w.order(acme, &commands.DeactivateLicense{ID: domain.ActivationID{UUID: id}}))
	if r := w.must(t, same(keyed("k"))); r.ID != uuid.Nil || !r.Replayed {
		t.Errorf("answered %+v, which is no longer there", r)
	}
	if r := w.must(t, same()); r.ID == id || r.ID == uuid.Nil || len(r.Events) != 1 {
		t.Errorf("answered %+v, want a new one", r)
	}
}

// record puts events into the log as if they had been decided.
func (w *world) record(t testing.TB, tenant domain.TenantID, events ...dcb.Event) {
	t.Helper()
	part := dcb.Part{ID: uuid.New(), Fingerprint: []byte("x")}
	for _, e := range events {
		part.Events = append(part.Events, dcb.Pending{Tenant: tenant.UUID, Event: e})
	}
	if _, _, err := w.Store.Append(context.Background(), []dcb.Part{part}, nil); err != nil {
		t.Fatal(err)
	}
}
