package oidc

import (
	"crypto/sha256"
	"sync"
	"time"
)

const (
	mostBearers = 10_000
	longestKept = 4 << 10         // longer tokens are verified each time: whoever runs a provider does not fill our memory
	bearerFor   = 5 * time.Minute // then the signature is verified anew: the key may have been taken back
)

// bearers are the tokens that were verified lately, by their hash: to verify a signature takes longer than all the rest of a
// request. mu owns known.
type bearers struct {
	mu    sync.Mutex
	known map[[sha256.Size]byte]bearer
}

type bearer struct {
	issuer string
	claims Claims
	until  time.Time
}

func newBearers() *bearers { return &bearers{known: map[[sha256.Size]byte]bearer{}} }

func (b *bearers) find(issuer, raw string, now time.Time) (Claims, bool) {
	sum := sha256.Sum256([]byte(raw))
	b.mu.Lock()
	defer b.mu.Unlock()
	found, ok := b.known[sum]
	return found.claims, ok && found.issuer == issuer && now.Before(found.until)
}

func (b *bearers) keep(issuer, raw string, c Claims, now time.Time) {
	if len(raw) > longestKept {
		return
	}
	c.raw = nil // nobody asks a bearer token for its other claims
	sum := sha256.Sum256([]byte(raw))
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(b.known) >= mostBearers {
		b.sweep(now)
	}
	b.known[sum] = bearer{issuer, c, now.Add(bearerFor)}
}

// sweep makes room: first of what is over, then of whatever comes first.
func (b *bearers) sweep(now time.Time) {
	for sum, k := range b.known {
		if !now.Before(k.until) {
			delete(b.known, sum)
		}
	}
	for sum := range b.known {
		if len(b.known) < mostBearers*9/10 {
			return
		}
		delete(b.known, sum)
	}
}
