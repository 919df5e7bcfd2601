package webhooks

import (
	"crypto/ed25519"
	"encoding/base64"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/google/uuid"
	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"

	"chancery/internal/deliveries"
)

var errNoKey = errors.New("webhooks: no key is in force")

// ring is the keys of a version of an endpoint.
type ring struct {
	version int64
	keys    []key
	err     error // what cannot be read
}

type key struct {
	secret  *standardwebhooks.Webhook
	private ed25519.PrivateKey
	until   time.Time // zero: for ever
}

// sign is the header webhook-signature: for each key in force v1, which every library of the standard verifies, and v1a beside it.
func (r *ring) sign(id string, at time.Time, body []byte) (string, error) {
	if r.err != nil {
		return "", r.err
	}
	var all []string
	what := signed(id, at, body)
	for _, k := range r.keys {
		if !k.until.IsZero() && !at.Before(k.until) {
			continue
		}
		v1, err := k.secret.Sign(id, at, body)
		if err != nil {
			return "", err
		}
		all = append(all, v1, "v1a,"+base64.StdEncoding.EncodeToString(ed25519.Sign(k.private, what)))
	}
	if len(all) == 0 {
		return "", errNoKey
	}
	return strings.Join(all, " "), nil
}

// signed is what a signature is about. The library, which knows no v1a, does not tell.
func signed(id string, at time.Time, body []byte) []byte {
	return slices.Concat([]byte(id), []byte{'.'}, strconv.AppendInt(nil, at.Unix(), 10), []byte{'.'}, body)
}

func read(keys []deliveries.Keys) ([]key, error) {
	all := make([]key, len(keys))
	for i, k := range keys {
		secret, err := standardwebhooks.NewWebhook(k.Secret)
		if err != nil {
			return nil, err
		}
		seed, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(k.Private, "whsk_"))
		if err != nil || len(seed) != ed25519.SeedSize || k.Secret == "" {
			return nil, fmt.Errorf("webhooks: key %d: not as it should be", i)
		}
		all[i] = key{secret, ed25519.NewKeyFromSeed(seed), k.Until}
	}
	return all, nil
}

// mostRings bounds what is kept of endpoints; with more of them, all are read anew now and then.
const mostRings = 10_000

// rings are the keys of endpoints, ready to sign.
type rings struct {
	mu   sync.Mutex
	last map[uuid.UUID]*ring // of the version sent to last; owned by mu, while a ring itself never changes
}

func (r *rings) of(e deliveries.Endpoint) *ring {
	r.mu.Lock()
	defer r.mu.Unlock()
	if known := r.last[e.ID]; known != nil && known.version == e.Version {
		return known
	}
	if r.last == nil || len(r.last) >= mostRings {
		r.last = map[uuid.UUID]*ring{}
	}
	keys, err := read(e.Keys)
	r.last[e.ID] = &ring{e.Version, keys, err}
	return r.last[e.ID]
}
