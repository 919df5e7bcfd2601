package oidc

import (
	"crypto/ed25519"
	"crypto/rand"
	"crypto/rsa"
	"encoding/json"
	"errors"
	"math/big"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strconv"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
)

// shown is a provider's keys as it shows them, and how often it was asked.
type shown struct {
	*keys
	set   atomic.Value // []any
	down  atomic.Bool
	asked atomic.Int32
	at    time.Time
}

func showKeys(t *testing.T, set ...any) *shown {
	t.Helper()
	s := &shown{at: time.Now()}
	s.set.Store(set)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		s.asked.Add(1)
		if s.down.Load() {
			w.WriteHeader(http.StatusBadGateway)
			return
		}
		_ = json.NewEncoder(w).Encode(map[string]any{"keys": s.set.Load()})
	}))
	t.Cleanup(server.Close)
	s.keys = &keys{url: server.URL, http: guarded([]netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}), now: func() time.Time { return s.at }}
	return s
}

func edKey(id string) (public jose.JSONWebKey, sign func(string) string) {
	pub, private, _ := ed25519.GenerateKey(rand.Reader)
	return jose.JSONWebKey{Key: pub, KeyID: id}, func(payload string) string {
		signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.EdDSA, Key: private}, nil)
		if err != nil {
			panic(err)
		}
		signed, err := signer.Sign([]byte(payload))
		if err != nil {
			panic(err)
		}
		text, _ := signed.CompactSerialize()
		return text
	}
}

func TestAKeyThatIsOfNoUseHidesNoOther(t *testing.T) {
	good, sign := edKey("good")
	huge := &rsa.PublicKey{N: new(big.Int).SetBit(big.NewInt(1), largestRSA, 1), E: 65537}
	s := showKeys(t, map[string]any{"kty": "EC", "crv": "secp256k1", "x": "AA", "y": "AA"}, map[string]any{"kty": "OKP", "crv": "Ed448", "x": "AA"}, "no key",
		jose.JSONWebKey{Key: huge, KeyID: "huge"}, jose.JSONWebKey{Key: good.Key, KeyID: "enc", Use: "enc"}, good)
	if _, err := s.VerifySignature(t.Context(), sign("{}")); err != nil {
		t.Error(err)
	}
	if len(s.keys.set) != 1 || s.keys.set[0].KeyID != "good" {
		t.Errorf("%d keys are used", len(s.keys.set))
	}
}

func TestATokenIsTriedWithFewKeys(t *testing.T) {
	var set []any
	for i := range mostTries {
		other, _ := edKey(strconv.Itoa(i))
		set = append(set, other)
	}
	good, sign := edKey("good")
	s := showKeys(t, append(set, good)...)
	if _, err := s.VerifySignature(t.Context(), sign("{}")); !errors.Is(err, ErrRejected) {
		t.Errorf("behind %d keys: %v", mostTries, err)
	}
	s.set.Store(append(set[1:], good))
	if _, err := s.VerifySignature(t.Context(), sign("{}")); err != nil {
		t.Errorf("behind %d keys: %v", mostTries-1, err)
	}
}

func TestKeysThatCannotBeReadAreAskedForSeldomAndThoseKnownHold(t *testing.T) {
	good, sign := edKey("good")
	s := showKeys(t, good)
	s.down.Store(true)
	for range 5 {
		if _, err := s.VerifySignature(t.Context(), sign("{}")); !errors.Is(err, ErrUnavailable) {
			t.Fatalf("down: %v", err)
		}
	}
	if n := s.asked.Swap(0); n != 1 {
		t.Errorf("asked %d times", n)
	}
	s.down.Store(false)
	s.at = s.at.Add(failedFor)
	if _, err := s.VerifySignature(t.Context(), sign("{}")); err != nil {
		t.Fatal(err)
	}
	s.down.Store(true)
	s.asked.Store(0)
	s.at = s.at.Add(freshFor)
	for range 5 {
		if _, err := s.VerifySignature(t.Context(), sign("{}")); err != nil {
			t.Errorf("known of old: %v", err)
		}
	}
	if n := s.asked.Load(); n != 1 {
		t.Errorf("asked %d times", n)
	}
	s.at = s.at.Add(staleFor)
	if _, err := s.VerifySignature(t.Context(), sign("{}")); err == nil {
		t.Error("known too long")
	}
}

// A provider is read anew each hour; its keys may fail at that very moment.
func TestKeysOutliveThatTheirProviderIsReadAnew(t *testing.T) {
	good, sign := edKey("good")
	var down atomic.Bool
	mux := http.NewServeMux()
	server := httptest.NewServer(mux)
	defer server.Close()
	mux.HandleFunc("/.well-known/openid-configuration", func(w http.ResponseWriter, _ *http.Request) {
		_ = json.NewEncoder(w).Encode(map[string]any{
			"issuer": server.URL, "jwks_uri": server.URL + "/keys", "authorization_endpoint": server.URL + "/a", "token_endpoint": server.URL + "/t",
		})
	})
	mux.HandleFunc("/keys", func(w http.ResponseWriter, _ *http.Request) {
		if down.Load() {
			w.WriteHeader(http.StatusBadGateway)
			return
		}
		_ = json.NewEncoder(w).Encode(map[string]any{"keys": []any{good}})
	})
	now := time.Now()
	r := New(Config{Now: func() time.Time { return now }, Allow: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}})
	token := func() string {
		return sign(`{"iss":"` + server.URL + `","sub":"42","exp":` + strconv.FormatInt(now.Add(time.Hour).Unix(), 10) + `}`)
	}
	if _, err := r.Bearer(t.Context(), server.URL, token()); err != nil {
		t.Fatal(err)
	}
	now = now.Add(2 * freshFor)
	down.Store(true)
	if _, err := r.Bearer(t.Context(), server.URL, token()); err != nil {
		t.Error(err)
	}
}
