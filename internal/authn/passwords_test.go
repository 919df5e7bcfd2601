package authn_test

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"strings"
	"sync"
	"testing"

	"chancery/internal/authn"
)

const pass = "a long enough sentence"

func hash(t testing.TB, e *authn.Engine, account string, strong bool) string {
	t.Helper()
	h, err := e.HashPassword(t.Context(), pass, account, strong)
	if err != nil {
		t.Fatal(err)
	}
	return h
}

// verify answers ok and stale.
func verify(t testing.TB, e *authn.Engine, hash, password, account string, strong bool) [2]bool {
	t.Helper()
	ok, stale, err := e.VerifyPassword(t.Context(), hash, password, account, strong)
	if err != nil {
		t.Fatal(err)
	}
	return [2]bool{ok, stale}
}

var (
	right = [2]bool{true, false}
	stale = [2]bool{true, true}
	wrong = [2]bool{false, false}
)

// accounts of each strength, found by looking.
func accounts(t testing.TB, e *authn.Engine) (ordinary, strong string) {
	t.Helper()
	for i := 0; ordinary == "" || strong == ""; i++ {
		a := fmt.Sprint("account ", i)
		if strings.Contains(hash(t, e, a, false), "m=65536") {
			strong = a
		} else {
			ordinary = a
		}
	}
	return ordinary, strong
}

func TestAPasswordIsKnownAgainAndNoOtherIs(t *testing.T) {
	e := engine(t, authn.Config{})
	ordinary, _ := accounts(t, e)
	for strong, params := range map[bool]string{false: "p1:$argon2id$v=19$m=19456,t=2,p=1$", true: "p1:$argon2id$v=19$m=65536,t=3,p=1$"} {
		h := hash(t, e, ordinary, strong)
		if !strings.HasPrefix(h, params) || strings.Contains(h, pass) {
			t.Errorf("stored as %s, want %s…", h, params)
		}
		if h == hash(t, e, ordinary, strong) {
			t.Error("two hashes of one password are the same")
		}
		if got := verify(t, e, h, pass, ordinary, strong); got != right {
			t.Errorf("ok and stale are %v", got)
		}
		for _, other := range []string{pass + " ", "A long enough sentence", ""} {
			if got := verify(t, e, h, other, ordinary, strong); got != wrong {
				t.Errorf("%q: ok and stale are %v", other, got)
			}
		}
	}
}

func TestAPasswordIsTheSameHoweverItsAccentsAreTyped(t *testing.T) {
	e := engine(t, authn.Config{})
	h, err := e.HashPassword(t.Context(), "cafe\u0301 au lait, s'il vous plai\u0302t", "", false)
	if err != nil {
		t.Fatal(err)
	}
	if got := verify(t, e, h, "caf\u00e9 au lait, s'il vous pla\u00eet", "", false); got != right {
		t.Errorf("ok and stale are %v", got)
	}
}

func TestAHashOfOtherDaysIsStale(t *testing.T) {
	before := engine(t, authn.Config{})
	ordinary, drawn := accounts(t, before)
	h := hash(t, before, ordinary, false)
	later := engine(t, authn.Config{Keys: keys{today: "p2", old: []string{"p1"}}})
	if got := verify(t, later, h, pass, ordinary, false); got != stale {
		t.Errorf("after the pepper changed: ok and stale are %v", got)
	}
	if got := verify(t, later, h, "another", ordinary, false); got != wrong {
		t.Errorf("after the pepper changed, a wrong password: ok and stale are %v", got)
	}
	if got := verify(t, before, h, pass, ordinary, true); got != stale {
		t.Errorf("of somebody who became an administrator: ok and stale are %v", got)
	}
	if got := verify(t, before, hash(t, before, ordinary, true), pass, ordinary, false); got != stale {
		t.Errorf("of somebody who is no administrator any more: ok and stale are %v", got)
	}
	if got := verify(t, before, h, pass, drawn, false); got != stale {
		t.Errorf("of somebody whose new address is of the other strength: ok and stale are %v", got)
	}
}

func TestAHashWhosePepperIsGoneOrThatIsDamagedIsAFaultThatQuotesNothing(t *testing.T) {
	h := hash(t, engine(t, authn.Config{}), "", false)
	e := engine(t, authn.Config{Keys: keys{today: "p2"}})
	_, phc, _ := strings.Cut(h, ":")
	for what, stored := range map[string]string{
		"pepper gone": h, "cut short": "p2:" + phc[:20], "no rounds": "p2:" + strings.Replace(phc, "t=2", "t=0", 1),
		"no lanes": "p2:" + strings.Replace(phc, "p=1", "p=0", 1), "no pepper": phc, "another kind": "p2:$2y$10$abc",
	} {
		ok, _, err := e.VerifyPassword(t.Context(), stored, pass, "", false)
		if ok || err == nil || strings.Contains(err.Error(), phc[30:]) {
			t.Errorf("%s: %v, %v", what, ok, err)
		}
	}
}

// The work for an account that does not exist must be that for one that does: the same parameters, whatever the machine.
// bench/signins.go measures that the time is.
func TestAnUnknownAccountIsAsMuchWorkAsAKnownOne(t *testing.T) {
	e := engine(t, authn.Config{})
	ordinary, drawn := accounts(t, e)
	// Memory allocated is a measure of work that does not depend on the machine's mood.
	work := func(hash, account string, strong bool) (megabytes uint64) {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		if got := verify(t, e, hash, "wrong", account, strong); got != wrong {
			t.Errorf("ok and stale are %v", got)
		}
		runtime.ReadMemStats(&after)
		return (after.TotalAlloc - before.TotalAlloc) >> 20
	}
	for account, want := range map[string]uint64{ordinary: 19, drawn: 64} {
		if got := work("", account, false); got != want {
			t.Errorf("%s, unknown: %d MiB, want %d", account, got, want)
		}
		if got := work(hash(t, e, account, false), account, false); got != want {
			t.Errorf("%s, known: %d MiB, want %d", account, got, want)
		}
	}
	if got := verify(t, e, "", "", "", false); got != wrong {
		t.Errorf("nothing is the password of nobody: %v", got)
	}
}

func TestAnEighthOfAllAccountsIsHashedStrongly(t *testing.T) {
	strong := 0
	for i := range 8000 {
		if (keys{}).TokenSecret("password-strength", fmt.Sprint("account ", i))[0]%8 == 0 {
			strong++
		}
	}
	if strong < 850 || strong > 1150 { // five standard deviations
		t.Errorf("%d of 8000", strong)
	}
}

func TestWhoeverWaitsForMemoryLeavesWithTheContext(t *testing.T) {
	e := engine(t, authn.Config{Memory: 64})
	over, cancel := context.WithCancel(t.Context())
	cancel()
	var wg sync.WaitGroup
	for range 4 * runtime.GOMAXPROCS(0) {
		wg.Go(func() { _, _ = e.HashPassword(t.Context(), pass, "", true) })
		wg.Go(func() {
			// Admitted if nobody waits, which is no wait.
			if _, err := e.HashPassword(over, pass, "", true); err != nil && !errors.Is(err, context.Canceled) {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if _, err := e.HashPassword(t.Context(), pass, "", true); err != nil {
		t.Errorf("what those who left had asked for is not given back: %v", err)
	}
}

func BenchmarkHash(b *testing.B) {
	e := engine(b, authn.Config{})
	for name, strong := range map[string]bool{"ordinary": false, "strong": true} {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				hash(b, e, "", strong)
			}
		})
	}
}
