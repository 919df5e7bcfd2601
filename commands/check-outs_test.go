package commands_test

import (
	"crypto/ed25519"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"chancery/commands"
	"chancery/domain"
	"chancery/internal/dcb"
	"chancery/license"
)

// vmKey is the key that globex signs with.
func vmKey() domain.SigningKeyCreated { return vmKeyNamed("vm") }

func vmKeyNamed(name string) domain.SigningKeyCreated {
	e := keyMade(name)
	e.Vendor = domain.VendorIn(globex)
	return e
}

// vmOut is the activation a.
func vmOut(until time.Time) domain.ActivationCheckedOut {
	return domain.ActivationCheckedOut{
		Activation: activation("a"), Pool: domain.ActivationPool(vm), License: domain.OfLicense(vm), Revision: 1, Kid: vmKey().Kid,
		IssuedAt: now, Until: until,
	}
}

// active is the one machine on which the licence is active.
func active(then ...dcb.Event) history {
	return given(vmLicensed(1), activated("a", crm)).and(then...).elsewhere(globex, vmKey())
}

func TestAMachineGoesAwayWithAFile(t *testing.T) {
	out := func(change func(*commands.CheckOutActivation)) outcome {
		c := commands.CheckOutActivation{ID: activation("a"), Fingerprint: crm}
		change(&c)
		return active().When(c.Decide(env()))
	}
	forDays := func(n int) outcome { return out(func(c *commands.CheckOutActivation) { c.Days = n }) }
	until := func(end time.Time) outcome {
		return out(func(c *commands.CheckOutActivation) { c.Until = end })
	}
	forDays(1).Then(t, vmOut(now.Add(day)))
	forDays(15).Then(t, vmOut(now.Add(days(15))))
	forDays(90).Then(t, vmOut(now.Add(days(15)))) // the licence ends then, with its time of grace
	until(now.Add(time.Second)).Then(t, vmOut(now.Add(time.Second)))
	until(now.Add(time.Hour+time.Millisecond).In(time.FixedZone("", 3600))).Then(t, vmOut(now.Add(time.Hour)))
	until(now.Add(days(15))).Then(t, vmOut(now.Add(days(15))))
	until(now.Add(days(15)+time.Second)).ThenInvalid(t, "/until")
	until(now).ThenInvalid(t, "/until")
	until(now.Add(time.Millisecond)).ThenInvalid(t, "/until") // which is now, in whole seconds
	until(now.Add(days(90)+1)).ThenInvalid(t, "/until")
	forDays(-1).ThenInvalid(t, "/days")
	forDays(91).ThenInvalid(t, "/days")
	forDays(0).ThenInvalid(t, "/days")
	out(func(c *commands.CheckOutActivation) { c.Days, c.Until = 1, now.Add(day) }).ThenInvalid(t, "/days")
	out(func(c *commands.CheckOutActivation) { c.Days, c.Fingerprint = 1, "other" }).ThenRefused(t, domain.ErrFingerprint)
	out(func(c *commands.CheckOutActivation) { c.Days, c.ID = 1, activation("b") }).ThenRefused(t, domain.ErrActivationUnknown)

	endless := vmLicensed(1)
	endless.Terms.Window.Until = time.Time{}
	given(endless, activated("a", crm)).elsewhere(globex, vmKey()).
		When(commands.CheckOutActivation{ID: activation("a"), Fingerprint: crm, Days: 90}.Decide(env())).Then(t, vmOut(now.Add(days(90))))
}

func TestALicenseInItsLastSecondGivesNoFile(t *testing.T) {
	e := env()
	l := vmLicensed(1)
	l.Terms.Window.Until, l.Terms.GraceDays = now.Add(900*time.Millisecond), 0
	given(l, activated("a", crm)).elsewhere(globex, vmKey()).
		When(commands.CheckOutActivation{ID: activation("a"), Fingerprint: crm, Days: 1}.Decide(e)).ThenRefused(t, domain.ErrLicenseOver)
}

func TestAnotherMachineGetsNoFileOfAnActivation(t *testing.T) {
	c := commands.CheckOutActivation{ID: activation("a"), Fingerprint: "two", Days: 1}
	two := given(vmLicensed(2), activated("a", "one"), activated("b", "two")).elsewhere(globex, vmKey())
	two.When(c.Decide(env())).ThenRefused(t, domain.ErrFingerprint)
	c.Fingerprint = "one"
	two.When(c.Decide(env())).Then(t, vmOut(now.Add(day)))
	active(deactivated(crm)).When(commands.CheckOutActivation{ID: activation("a"), Fingerprint: crm, Days: 1}.Decide(env())).
		ThenRefused(t, domain.ErrActivationEnded)
}

func TestTheVendorsNewestKeySignsTheFile(t *testing.T) {
	c := commands.CheckOutActivation{ID: activation("a"), Fingerprint: crm, Days: 1}
	there := given(vmLicensed(1), activated("a", crm))
	there.When(c.Decide(env())).ThenRefused(t, domain.ErrNoSigningKey)
	there.and(keyMade("own")).When(c.Decide(env())).ThenRefused(t, domain.ErrNoSigningKey) // a holder's own key is not the vendor's
	claimed := vmKey()
	there.and(claimed).When(c.Decide(env())).ThenRefused(t, domain.ErrNoSigningKey) // nor one that the holder's log says is
	newer := vmOut(now.Add(day))
	newer.Kid = vmKeyNamed("newer").Kid
	there.elsewhere(globex, vmKey(), vmKeyNamed("newer")).When(c.Decide(env())).Then(t, newer)
	retired := domain.SigningKeyRetired{Key: vmKey().Key, Vendor: vmKey().Vendor}
	there.elsewhere(globex, vmKey(), retired).When(c.Decide(env())).ThenRefused(t, domain.ErrNoSigningKey)
}

func TestWhatIsAwayCountsUntilTheEndOfItsLastFile(t *testing.T) {
	at := func(when time.Time) commands.Env { e := env(); e.Now = when; return e }
	long, short := vmOut(now.Add(days(3))), vmOut(now.Add(day))
	out := commands.CheckOutActivation{ID: activation("a"), Fingerprint: crm, Days: 1}
	active(long).When(out.Decide(env())).ThenInvalid(t, "/days")
	out.Days, out.Until = 0, now.Add(days(3)-time.Second)
	active(long).When(out.Decide(env())).ThenInvalid(t, "/until")
	out.Until = now.Add(days(3))
	active(long).When(out.Decide(env())).Then(t, long)
	out.Until = now.Add(day)
	active(long, checkedIn()).When(out.Decide(env())).Then(t, short)
	active(long).When(out.Decide(at(now.Add(day-time.Second)))).ThenInvalid(t, "/until")
	for name, then := range map[string][]dcb.Event{
		"one file":                      {long, deactivated(crm)},
		"a longer one came after":       {short, long, deactivated(crm)},
		"one was checked in before":     {vmOut(now.Add(days(9))), checkedIn(), long, deactivated(crm)},
		"the same machine takes it too": {long, deactivated(crm)},
	} {
		t.Run(name, func(t *testing.T) {
			other := activating("c", "other")
			if strings.HasPrefix(name, "the same machine") {
				other = activating("c", crm)
			}
			there := active(then...)
			there.When(other.Decide(env())).ThenRefused(t, domain.ErrNoActivation)
			there.When(other.Decide(at(now.Add(days(3)-1)))).ThenRefused(t, domain.ErrNoActivation)
			there.When(other.Decide(at(now.Add(days(3))))).Then(t, activated("c", other.Fingerprint))
			there.and(checkedIn()).When(other.Decide(env())).Then(t, activated("c", other.Fingerprint))
		})
	}
}

func TestAFileIsCheckedInBeforeItsEnd(t *testing.T) {
	c := commands.CheckInActivation{ID: activation("a")}
	out := vmOut(now.Add(day))
	active(out).When(c.Decide(env())).Then(t, checkedIn())
	active(out, deactivated(crm)).When(c.Decide(env())).Then(t, checkedIn())
	active(out, domain.LicenseRevoked{License: vm, Holder: domain.HomeIn(acme), Vendor: domain.HomeIn(globex)}).When(c.Decide(env())).Then(t, checkedIn())
	active().When(c.Decide(env())).ThenRefused(t, domain.ErrNotActivated)
	active(out, checkedIn()).When(c.Decide(env())).ThenRefused(t, domain.ErrNotActivated)
	active(vmOut(now)).When(c.Decide(env())).ThenRefused(t, domain.ErrNotActivated) // that one is over
	given(vmLicensed(1)).When(c.Decide(env())).ThenRefused(t, domain.ErrActivationUnknown)
	given(vmLicensed(1)).elsewhere(globex, activated("a", crm), out).When(c.Decide(env())).ThenRefused(t, domain.ErrActivationUnknown)
}

// away is a world in which globex's licence is active on one machine of acme.
func away(t *testing.T) (*world, func(...func(*commands.Order)) commands.Order) {
	w := newWorld(t)
	w.must(t, w.order(domain.Root, &commands.AdmitVendor{Tenant: globex}))
	w.must(t, w.order(globex, &commands.CreateSigningKey{ID: signingKey("vm")}))
	l := vmLicensed(1)
	l.Terms.Entitlements = []domain.Entitlement{{Name: "export", Kind: "feature"}}
	w.record(t, acme, l)
	w.must(t, w.order(acme, &commands.ActivateLicense{ID: activation("a"), License: vm, Fingerprint: crm}))
	return w, func(changes ...func(*commands.Order)) commands.Order {
		return w.order(acme, &commands.CheckOutActivation{ID: activation("a"), Fingerprint: crm, Days: 7}, append(changes, keyed("out"))...)
	}
}

// vendorsKeys opens the keys of globex, as nobody else but this test and who signs may.
func (w *world) vendorsKeys(t *testing.T) domain.SigningKeys {
	t.Helper()
	f := domain.SigningKeysOf(globex)
	if err := w.Ask(t.Context(), globex, dcb.From(f).Unsealing()); err != nil {
		t.Fatal(err)
	}
	return f.Value
}

func TestTheFileOfACheckOutIsTheSameForARepeatedRequestAndKeptNowhere(t *testing.T) {
	w, out := away(t)
	first := w.must(t, out())
	file := first.Reveal[1]
	if first.Reveal[0] != "activation" || strings.Count(file, ".") != 2 {
		t.Fatalf("answered %+v", first)
	}
	keys, err := license.ParseKeys([]byte(`{"keys":[` + w.vendorsKeys(t)[0].Public + `]}`))
	if err != nil {
		t.Fatal(err)
	}
	claims, err := license.VerifyCheckout(file, keys, license.Want{Issuer: globex.String(), Tenant: acme.String(), App: "vm", Fingerprint: string(crm), Now: now})
	if err != nil {
		t.Fatal(err)
	}
	one := 1
	want := license.CheckoutClaims{
		Issuer: globex.String(), ID: activation("a").String(), Tenant: acme.String(), App: "vm", License: vm.String(),
		Fingerprint: license.HashFingerprint(vm.String(), string(crm)),
		Terms: license.Terms{
			StartsAt: now.Add(-day), EndsAt: now.Add(days(10)), GraceDays: 5, Activations: &one,
			Entitlements: []license.Entitlement{{Name: "export", Kind: "feature"}},
		},
	}
	want.IssuedAt, want.ExpiresAt = claims.IssuedAt, claims.ExpiresAt
	if diff := cmp.Diff(want, claims.CheckoutClaims); diff != "" || !claims.IssuedAt.Time().Equal(now) || !claims.ExpiresAt.Time().Equal(now.Add(days(7))) {
		t.Errorf("it says something else, or of %v to %v:\n%s", claims.IssuedAt.Time().UTC(), claims.ExpiresAt.Time().UTC(), diff)
	}

	changed := domain.LicenseChanged(vmLicensed(9)) // since then the terms changed, a newer key signs, and the one of then is retired
	changed.Revision = 2
	w.record(t, acme, changed)
	w.must(t, w.order(globex, &commands.CreateSigningKey{ID: signingKey("newer")}))
	w.must(t, w.order(globex, &commands.RetireSigningKey{ID: signingKey("vm")}))
	again := w.must(t, out())
	if again.Reveal != first.Reveal || !again.Replayed || again.Position != first.Position {
		t.Errorf("answered %+v, first %+v", again, first)
	}
	everything := w.everything(t)
	for part := range strings.SplitSeq(file, ".") {
		if strings.Contains(everything, part) {
			t.Errorf("the log has a part of the file: %s", part)
		}
	}
	w.must(t, w.order(globex, &commands.RevokeSigningKey{ID: signingKey("vm")}))
	w.refused(t, out(), domain.ErrNoSigningKey) // nobody would believe it
}

// everything is the log as it is stored.
func (w *world) everything(t *testing.T) string {
	t.Helper()
	raws, err := w.log.Page(t.Context(), 0, 1<<20)
	if err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	for _, r := range raws {
		fmt.Fprintf(&b, "%s %s %v\n", r.Payload, r.Metadata, r.Tags)
	}
	return b.String()
}

func TestALesserTokenDoesNotComeByAFileThroughItsIdempotencyKey(t *testing.T) {
	w, out := away(t)
	with := func(token string, r rights) func(*commands.Order) {
		return func(o *commands.Order) { o.Rights, o.By.Token = r, uuid.NewSHA1(uuid.Nil, []byte(token)) }
	}
	narrow := rights{all: true, ceiling: []domain.Pattern{"core.activations.*"}}
	first := w.must(t, out(with("app", narrow)))
	w.refused(t, out(with("other", narrow)), domain.ErrMayNotGive)
	if again := w.must(t, out(with("app", narrow))); again.Reveal != first.Reveal {
		t.Errorf("answered %+v, first %+v", again, first)
	}
}

// What a vendor signs with is opened for the signature alone: no command of the holder's gets to see or to tell it.
func TestTheHoldersCommandsNeverTellTheVendorsKey(t *testing.T) {
	w, out := away(t)
	w.must(t, w.order(acme, &commands.CreateSecret{ID: smtp, App: "vm", Name: "smtp", Value: "x"}))
	all := func() []commands.Order {
		return []commands.Order{
			w.order(acme, &commands.CheckOutActivation{ID: activation("a"), Fingerprint: crm, Days: 8}),
			w.order(acme, &commands.ReadSecret{ID: smtp}),
			w.order(acme, &commands.ReadSecret{ID: domain.SecretID(signingKey("vm"))}),
			w.order(acme, &commands.RevokeSigningKey{ID: signingKey("vm")}),
			w.order(acme, &commands.CheckInActivation{ID: activation("a")}),
		}
	}
	orders, told := all(), strings.Builder{}
	for _, o := range append(orders, out(), out()) {
		r, err := w.do(o)
		fmt.Fprintf(&told, "%+v %v\n", r, err)
	}
	for _, o := range w.batch(t, acme, false, all()...) {
		fmt.Fprintf(&told, "%+v\n", o)
	}
	if n := strings.Count(told.String(), "[activation ey"); n != 4 {
		t.Fatalf("%d files are handed out, want 4: %s", n, told.String())
	}
	seed, err := base64.RawURLEncoding.DecodeString(w.vendorsKeys(t)[0].Private.Reveal())
	if err != nil || len(seed) != ed25519.SeedSize {
		t.Fatalf("the seed has %d bytes: %v", len(seed), err)
	}
	told.WriteString(w.everything(t))
	for _, form := range []string{string(seed), hex.EncodeToString(seed), base64.RawURLEncoding.EncodeToString(seed), base64.StdEncoding.EncodeToString(seed)} {
		if strings.Contains(told.String(), form) {
			t.Error("the vendor's seed is told or stored in the clear")
		}
	}
	var opened []string // what the decisions that record something want opened
	for _, o := range orders {
		d := o.Command.Decide(env())
		if d.Opens() != dcb.Nothing {
			opened = append(opened, o.Spec.Name)
		}
	}
	if len(opened) > 0 {
		t.Errorf("these open what is sealed before anything is recorded: %v", opened)
	}
}
