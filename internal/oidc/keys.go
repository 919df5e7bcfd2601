package oidc

import (
	"context"
	"crypto/rsa"
	"encoding/json"
	"fmt"
	"net/http"
	"sync"
	"time"

	"github.com/go-jose/go-jose/v4"
	"golang.org/x/sync/singleflight"
	"golang.org/x/time/rate"
)

// keys are the public keys of a provider. A key that is not known is looked for anew, a few times a minute at most: anybody can
// send tokens with made-up keys. While they cannot be read, nobody waits for them at each token. mu owns the fields below it.
type keys struct {
	url    string
	http   *http.Client
	now    func() time.Time
	flight singleflight.Group

	mu      sync.Mutex
	set     []jose.JSONWebKey
	asked   time.Time
	failed  failure // at the last try, else zero; for a while nobody tries again
	limiter *rate.Limiter
}

const (
	lookAgainEvery = 10 * time.Second
	lookAgainBurst = 3
	smallestRSA    = 2048 // bits
	largestRSA     = 8192 // as crypto/tls: the work grows with the square, and providers are of tenants' choosing
	mostTries      = 10   // keys that one token is tried with
)

// VerifySignature makes keys an oidc.KeySet.
func (k *keys) VerifySignature(ctx context.Context, raw string) ([]byte, error) {
	all := make([]jose.SignatureAlgorithm, len(algorithms))
	for i, a := range algorithms {
		all[i] = jose.SignatureAlgorithm(a)
	}
	token, err := jose.ParseSignedCompact(raw, all)
	if err != nil {
		return nil, rejected("not a signed token")
	}
	set, fresh, err := k.known(ctx)
	if err != nil {
		return nil, err
	}
	payload, found := tryKeys(set, token)
	if payload != nil || found || fresh || !k.mayLookAgain() {
		return payload, verdict(payload)
	}
	if set, err = k.fetch(ctx); err != nil {
		return nil, err
	}
	payload, _ = tryKeys(set, token)
	return payload, verdict(payload)
}

func verdict(payload []byte) error {
	if payload == nil {
		return rejected("the signature is of none of the provider's keys")
	}
	return nil
}

// tryKeys returns the payload if a key verifies it. Found says that the token names a key that there is.
func tryKeys(set []jose.JSONWebKey, token *jose.JSONWebSignature) (payload []byte, found bool) {
	header := token.Signatures[0].Header
	tries := 0
	for i := range set {
		key := &set[i]
		if header.KeyID != "" && key.KeyID != header.KeyID || key.Algorithm != "" && key.Algorithm != header.Algorithm {
			continue
		}
		if tries++; tries > mostTries {
			break
		}
		found = header.KeyID != ""
		if payload, err := token.Verify(key); err == nil {
			return payload, true
		}
	}
	return nil, found
}

// known are the keys as last read; read anew, if that is long ago. Keys that were taken back stop counting then.
func (k *keys) known(ctx context.Context) (set []jose.JSONWebKey, fresh bool, err error) {
	k.mu.Lock()
	now, failed := k.now(), k.failed
	set, age := k.set, now.Sub(k.asked)
	k.mu.Unlock()
	if set != nil && age < freshFor {
		return set, false, nil
	}
	var got []jose.JSONWebKey
	if err = failed.err; err == nil || now.Sub(failed.at) >= failedFor {
		got, err = k.fetch(ctx)
	}
	if err != nil && set != nil && age < staleFor {
		return set, true, nil // not again for this token
	}
	return got, true, err
}

func (k *keys) mayLookAgain() bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.limiter == nil {
		k.limiter = rate.NewLimiter(rate.Every(lookAgainEvery), lookAgainBurst)
	}
	return k.limiter.AllowN(k.now(), 1)
}

func (k *keys) fetch(ctx context.Context) ([]jose.JSONWebKey, error) {
	got := k.flight.DoChan("", func() (any, error) {
		asking, cancel := context.WithTimeout(context.WithoutCancel(ctx), patience)
		defer cancel()
		set, err := k.read(asking)
		k.keep(set, err)
		return set, err
	})
	select {
	case r := <-got:
		if r.Err != nil {
			return nil, r.Err
		}
		return r.Val.([]jose.JSONWebKey), nil
	case <-ctx.Done():
		return nil, fmt.Errorf("wait for the provider's keys: %w", ctx.Err())
	}
}

func (k *keys) read(ctx context.Context) ([]jose.JSONWebKey, error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, k.url, http.NoBody)
	if err != nil {
		return nil, fmt.Errorf("%w: keys", ErrBroken)
	}
	answer, err := k.http.Do(r)
	if err != nil {
		return nil, unreachable("keys", err)
	}
	defer answer.Body.Close()
	var set struct {
		Keys []json.RawMessage `json:"keys"`
	}
	if answer.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("%w: keys: status %d", ErrUnavailable, answer.StatusCode)
	}
	if err := json.NewDecoder(answer.Body).Decode(&set); err != nil {
		return nil, fmt.Errorf("%w: keys", ErrBroken)
	}
	good := []jose.JSONWebKey{}
	for _, text := range set.Keys {
		var key jose.JSONWebKey
		if json.Unmarshal(text, &key) == nil && usableKey(key) { // one of a kind that is not known does not hide the others
			good = append(good, jose.JSONWebKey{Key: key.Key, KeyID: key.KeyID, Algorithm: key.Algorithm})
		}
	}
	return good, nil
}

func (k *keys) keep(set []jose.JSONWebKey, err error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if err != nil {
		k.failed = failure{k.now(), err}
		return
	}
	k.set, k.asked, k.failed = set, k.now(), failure{}
}

// usableKey leaves out what signs nothing, is secret, or is too weak.
func usableKey(key jose.JSONWebKey) bool {
	if key.Use != "" && key.Use != "sig" || !key.Valid() || !key.IsPublic() {
		return false
	}
	strong, isRSA := key.Key.(*rsa.PublicKey)
	return !isRSA || strong.N.BitLen() >= smallestRSA && strong.N.BitLen() <= largestRSA
}
