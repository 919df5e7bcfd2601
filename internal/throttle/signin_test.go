package throttle_test

import (
	"fmt"
	"testing"
	"time"

	"chancery/internal/pgtest"
	"chancery/internal/throttle"
)

func TestAnAttackerFromAnywhereDoesNotLockAKnownDeviceOut(t *testing.T) {
	th, _ := open(t, pgtest.URL(t))
	at := noon
	for i := range 300 {
		attacker := throttle.Attempt{Tenant: "t", Account: "ann@example.org", Address: address(i)}
		at = at.Add(10 * time.Second)
		take(t, th, at, attacker.Tries()...)
	}
	ann := throttle.Attempt{Tenant: "t", Account: "ann@example.org", Address: address(7)}
	if wait := take(t, th, at, ann.Tries()...); wait == 0 {
		t.Error("after many failures in a row an unknown device is admitted")
	}
	ann.Device = "d"
	if wait := take(t, th, at, ann.Tries()...); wait != 0 {
		t.Errorf("the owner's own device is to wait %s", wait)
	}
	other := throttle.Attempt{Tenant: "t", Account: "abe@example.org", Address: "192.0.2.1"}
	if wait := take(t, th, at, other.Tries()...); wait != 0 {
		t.Errorf("another account is to wait %s", wait)
	}
}

func TestAfterAHundredFailuresInARowAnAccountAdmitsOneADayOrWhoeverFollowedALink(t *testing.T) {
	th, _ := open(t, pgtest.URL(t))
	at, admitted := noon, 0
	attempt := throttle.Attempt{Tenant: "t", Account: "ann@example.org"}
	for i := range 500 {
		attempt.Address = address(i)
		at = at.Add(2 * time.Minute)
		if take(t, th, at, attempt.Tries()...) == 0 {
			admitted++
		}
	}
	if admitted != 100 {
		t.Errorf("%d are admitted, want 100", admitted)
	}
	at = at.Add(24 * time.Hour)
	if first, second := take(t, th, at, attempt.Tries()...), take(t, th, at, attempt.Tries()...); first != 0 || second == 0 {
		t.Errorf("a day later one is to wait %s, the next one %s", first, second)
	}
	if err := th.Forget(t.Context(), attempt.Redeemed()...); err != nil {
		t.Fatal(err)
	}
	if wait := take(t, th, at, attempt.Tries()...); wait != 0 {
		t.Errorf("whoever has followed a link is to wait %s", wait)
	}
}

func TestASuccessEndsARowOfFailures(t *testing.T) {
	th, _ := open(t, pgtest.URL(t))
	for _, device := range []string{"", "d"} {
		attempt := throttle.Attempt{Tenant: "t", Account: "ann@example.org", Address: "192.0.2.1", Device: device}
		at := noon
		for i := range 250 {
			at = at.Add(time.Hour)
			if wait := take(t, th, at, attempt.Tries()...); wait != 0 {
				t.Fatalf("device %q, try %d: wait %s", device, i, wait)
			}
			if i%90 == 89 {
				if err := th.Forget(t.Context(), attempt.Passed()...); err != nil {
					t.Fatal(err)
				}
			}
		}
	}
}

func TestAStolenDeviceGuessesAHundredTimes(t *testing.T) {
	th, _ := open(t, pgtest.URL(t))
	attempt := throttle.Attempt{Tenant: "t", Account: "ann@example.org", Address: "192.0.2.1", Device: "d"}
	at, admitted := noon, 0
	for range 300 {
		at = at.Add(2 * time.Minute)
		if take(t, th, at, attempt.Tries()...) == 0 {
			admitted++
		}
	}
	if admitted != 100 {
		t.Errorf("%d are admitted, want 100", admitted)
	}
}

func TestOnePlaceTriesFewAccounts(t *testing.T) {
	th, _ := open(t, pgtest.URL(t))
	admitted := 0
	for i := range 200 {
		attempt := throttle.Attempt{Tenant: "t", Account: fmt.Sprint(i, "@example.org"), Address: fmt.Sprintf("2001:db8::%x", i)}
		if take(t, th, noon, attempt.Tries()...) == 0 {
			admitted++
		}
	}
	if admitted != 50 {
		t.Errorf("%d are admitted, want 50", admitted)
	}
}

func TestNobodysMailboxIsFlooded(t *testing.T) {
	th, _ := open(t, pgtest.URL(t))
	admitted := 0
	for i := range 50 {
		attempt := throttle.Attempt{Tenant: "t", Account: "ann@example.org", Address: address(i)}
		if take(t, th, noon, attempt.Links()...) == 0 {
			admitted++
		}
	}
	if admitted != 3 {
		t.Errorf("%d mails, want 3", admitted)
	}
}

func TestALimitByAddressCountsNetworks(t *testing.T) {
	for address, want := range map[string]string{
		"192.0.2.1": "192.0.2.1", "::ffff:192.0.2.1": "192.0.2.1", "2001:db8:1:2:3:4:5:6": "2001:db8:1:2::/64",
		"fe80::1%eth0": "fe80::/64", "": "", "nonsense": "nonsense",
	} {
		if got := throttle.Network(address); got != want {
			t.Errorf("%q counts as %q, want %q", address, got, want)
		}
	}
}

func address(i int) string { return fmt.Sprintf("10.0.%d.%d", i/250, i%250) }
