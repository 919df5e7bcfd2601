package commands_test

import (
	"bytes"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"testing"

	"chancery/commands"
	"chancery/domain"
	"chancery/internal/codec"
	"chancery/internal/dcb"
	"chancery/license"
)

func signingKey(name string) domain.SigningKeyID {
	return domain.SigningKeyID{UUID: named("signing-key " + name)}
}

// keyMade is the key that env makes under that name.
func keyMade(name string) domain.SigningKeyCreated {
	id := signingKey(name)
	seed := sha256.Sum256(id.UUID[:])
	public := license.NewKey(ed25519.NewKeyFromSeed(seed[:]).Public().(ed25519.PublicKey))
	return domain.SigningKeyCreated{
		Key: id, Vendor: domain.VendorIn(acme), Kid: public.ID, Public: public.JWK(),
		Private: dcb.Hide(base64.RawURLEncoding.EncodeToString(seed[:])),
	}
}

// The public key of RFC 8037, appendix A.2, and its thumbprint (appendix A.3).
const (
	rfcKey        = `{"kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}`
	rfcThumbprint = "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k"
)

func keyKnown(name string) domain.SigningKeyRegistered {
	return domain.SigningKeyRegistered{
		Key: signingKey(name), Vendor: domain.VendorIn(acme), Kid: rfcThumbprint,
		Public: `{"use":"sig","kty":"OKP","kid":"` + rfcThumbprint + `","crv":"Ed25519","alg":"EdDSA","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}`,
	}
}

func keyRetired(name string) domain.SigningKeyRetired {
	return domain.SigningKeyRetired{Key: signingKey(name), Vendor: domain.VendorIn(acme)}
}

func keyRevoked(name string) domain.SigningKeyRevoked {
	return domain.SigningKeyRevoked{Key: signingKey(name), Vendor: domain.VendorIn(acme)}
}

func vendor(events ...dcb.Event) history { return given(admitted(acme)...).and(events...) }

func TestAVendorMakesAKey(t *testing.T) {
	c := commands.CreateSigningKey{ID: signingKey("a")}
	vendor().When(c.Decide(env())).Then(t, keyMade("a"))
	vendor(keyMade("b")).When(c.Decide(env())).Then(t, keyMade("a"))
	vendor(keyMade("a")).When(c.Decide(env())).ThenRefused(t, domain.ErrIDTaken)
	vendor(keyKnown("a")).When(c.Decide(env())).ThenRefused(t, domain.ErrIDTaken)
	given().When(c.Decide(env())).ThenRefused(t, domain.ErrNotVendor)
	vendor(dismissed(acme, "")...).When(c.Decide(env())).ThenRefused(t, domain.ErrNotVendor)
	other := keyMade("a")
	other.Vendor = domain.VendorIn(globex)
	vendor().elsewhere(globex, other).When(c.Decide(env())).ThenRefused(t, domain.ErrIDTaken)
}

func TestTheNewestKeySigns(t *testing.T) {
	keys := func(events ...dcb.Event) domain.SigningKeys {
		f := domain.SigningKeysOf(acme)
		var ks domain.SigningKeys
		d := dcb.From(f).Decide(func() ([]dcb.Event, error) { ks = f.Value; return nil, nil })
		vendor(events...).When(d).ThenNothing(t)
		return ks
	}
	for name, c := range map[string]struct {
		events []dcb.Event
		signer domain.SigningKeyID
		trusts int
	}{
		"none":                        {nil, domain.SigningKeyID{}, 0},
		"one that signs elsewhere":    {[]dcb.Event{keyKnown("x")}, domain.SigningKeyID{}, 1},
		"one":                         {[]dcb.Event{keyMade("a")}, signingKey("a"), 1},
		"two":                         {[]dcb.Event{keyMade("a"), keyMade("b")}, signingKey("b"), 2},
		"one newer signs elsewhere":   {[]dcb.Event{keyMade("a"), keyKnown("x")}, signingKey("a"), 2},
		"the newer is retired":        {[]dcb.Event{keyMade("a"), keyMade("b"), keyRetired("b")}, signingKey("a"), 2},
		"the newer is revoked":        {[]dcb.Event{keyMade("a"), keyMade("b"), keyRevoked("b")}, signingKey("a"), 1},
		"all are retired or revoked":  {[]dcb.Event{keyMade("a"), keyMade("b"), keyRevoked("b"), keyRetired("a")}, domain.SigningKeyID{}, 1},
		"a revoked one is retired":    {[]dcb.Event{keyMade("a"), keyRevoked("a"), keyRetired("a")}, domain.SigningKeyID{}, 0},
		"another one is made in time": {[]dcb.Event{keyMade("a"), keyRevoked("a"), keyMade("b")}, signingKey("b"), 1},
	} {
		ks := keys(c.events...)
		k, ok := ks.Signer()
		if k.ID != c.signer || ok != !c.signer.IsZero() || len(ks.Trusted()) != c.trusts {
			t.Errorf("%s: %v signs (%v), %d are trusted; want %v and %d", name, k.ID, ok, len(ks.Trusted()), c.signer, c.trusts)
		}
	}
}

func TestAVendorWhoSignsElsewhereMakesTheKeyKnown(t *testing.T) {
	c := commands.RegisterSigningKey{ID: signingKey("x"), JWK: []byte(rfcKey)}
	vendor().When(c.Decide(env())).Then(t, keyKnown("x"))
	vendor(keyMade("x")).When(c.Decide(env())).ThenRefused(t, domain.ErrIDTaken)
	vendor(keyKnown("x")).When(c.Decide(env())).ThenRefused(t, domain.ErrIDTaken)
	vendor(keyKnown("y")).When(c.Decide(env())).ThenRefused(t, domain.ErrSigningKeyTwice)
	vendor(keyKnown("y"), keyRevoked("y")).When(c.Decide(env())).ThenRefused(t, domain.ErrSigningKeyTwice) // it stays revoked
	given().When(c.Decide(env())).ThenRefused(t, domain.ErrNotVendor)
	for _, bad := range []string{
		``, `null`, `7`, `[]`, `"x"`, `{}`,
		`{"kty":"OKP","crv":"Ed25519","d":"nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}`,
		`{"kty":"oct","k":"AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75aKtMN3Yj0iPS4hcgUuTwjAzZr1Z9CAow"}`,
	} {
		vendor().When(commands.RegisterSigningKey{ID: signingKey("x"), JWK: []byte(bad)}.Decide(env())).ThenInvalid(t, "/jwk")
	}
}

func TestAKeyIsRetiredAndRevoked(t *testing.T) {
	retire, revoke := commands.RetireSigningKey{ID: signingKey("a"), Reason: "old"}, commands.RevokeSigningKey{ID: signingKey("a"), Reason: "leaked"}
	old, leaked := keyRetired("a"), keyRevoked("a")
	old.Reason, leaked.Reason = "old", "leaked"
	for _, made := range []dcb.Event{keyMade("a"), keyKnown("a")} {
		there := vendor(made, keyMade("b"))
		there.When(retire.Decide(env())).Then(t, old)
		there.When(revoke.Decide(env())).Then(t, leaked)
		there.and(old).When(retire.Decide(env())).ThenNothing(t)
		there.and(old).When(revoke.Decide(env())).Then(t, leaked)
		there.and(leaked).When(retire.Decide(env())).ThenNothing(t)
		there.and(leaked).When(revoke.Decide(env())).ThenNothing(t)
		there.and(dismissed(acme, "")...).When(revoke.Decide(env())).Then(t, leaked)
	}
	for _, c := range []commands.Command{retire, revoke} {
		vendor(keyMade("b")).When(c.Decide(env())).ThenRefused(t, domain.ErrSigningKeyUnknown)
		vendor().elsewhere(globex, keyMade("a")).When(c.Decide(env())).ThenRefused(t, domain.ErrSigningKeyUnknown)
	}
	vendor(keyMade("a")).When(commands.RetireSigningKey{ID: signingKey("a"), Reason: "\x01"}.Decide(env())).ThenInvalid(t, "/reason")
	vendor(keyMade("a")).When(commands.RevokeSigningKey{ID: signingKey("a"), Reason: "\x01"}.Decide(env())).ThenInvalid(t, "/reason")
}

func TestAKeysPrivatePartIsSealedAndTheSameForARepeatedRequest(t *testing.T) {
	w := newWorld(t)
	w.must(t, w.order(domain.Root, &commands.AdmitVendor{Tenant: acme}))
	before := w.head(t)
	c := commands.CreateSigningKey{ID: signingKey("a")}
	first := w.must(t, w.order(acme, &c, keyed("once")))
	again := w.must(t, w.order(acme, &c, keyed("once")))
	if first.Position != again.Position || !again.Replayed {
		t.Fatalf("answered %+v, then %+v", first, again)
	}
	w.must(t, w.order(acme, &commands.CreateSigningKey{ID: signingKey("b")}))
	raws, err := w.log.Page(t.Context(), before, 10)
	if err != nil || len(raws) != 2 {
		t.Fatalf("%d events, %v", len(raws), err)
	}
	events, _, err := w.Store.(*codec.Store).Read(t.Context(), dcb.Query{{Tags: []dcb.Tag{domain.VendorIn(acme).Tag()}, Types: []string{"signing-key.created"}}}, dcb.Secrets)
	if err != nil || len(events) != 2 {
		t.Fatalf("%d keys, %v", len(events), err)
	}
	kids := map[string]bool{}
	for i, r := range events {
		e := r.Event.(domain.SigningKeyCreated)
		private := e.Private.Reveal()
		seed, err := base64.RawURLEncoding.DecodeString(private)
		if err != nil || len(seed) != ed25519.SeedSize {
			t.Fatalf("a seed of %d bytes, %v", len(seed), err)
		}
		if got := license.NewKey(ed25519.NewKeyFromSeed(seed).Public().(ed25519.PublicKey)); got.ID != e.Kid || got.JWK() != e.Public {
			t.Errorf("the private key is that of %s, want %s", got.ID, e.Kid)
		}
		if bytes.Contains(fmt.Appendf(nil, "%+v", raws[i]), []byte(private)) {
			t.Error("the log holds the private key in the clear")
		}
		kids[e.Kid] = true
	}
	if len(kids) != 2 {
		t.Errorf("%d keys, want 2", len(kids))
	}
}

// What holds the id elsewhere, such as a user with a data key of their own, is not in the way.
func TestAKeyMayHaveTheIDOfAUser(t *testing.T) {
	w := newWorld(t)
	w.must(t, w.order(domain.Root, &commands.AdmitVendor{Tenant: acme}))
	w.must(t, w.order(acme, &commands.RegisterUser{ID: user("one"), DisplayName: "One"}))
	w.must(t, w.order(acme, &commands.CreateSigningKey{ID: domain.SigningKeyID{UUID: user("one").UUID}}))
	w.must(t, w.order(acme, &commands.CreateSigningKey{ID: signingKey("two")}))
	w.must(t, w.order(acme, &commands.RegisterUser{ID: domain.UserID{UUID: signingKey("two").UUID}, DisplayName: "Two"}))
}
