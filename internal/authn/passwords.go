package authn

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"

	"github.com/alexedwards/argon2id"
	"golang.org/x/crypto/argon2"
	"golang.org/x/sync/semaphore"
	"golang.org/x/text/unicode/norm"
)

// The costs of Argon2id (RFC 9106): the least that OWASP recommends, and some five times that.
var (
	ordinary = argon2id.Params{Memory: 19 << 10, Iterations: 2, Parallelism: 1, SaltLength: 16, KeyLength: 32}
	strong   = argon2id.Params{Memory: 64 << 10, Iterations: 3, Parallelism: 1, SaltLength: 16, KeyLength: 32}
)

// strongShare is how many accounts there are to one that is hashed strongly without need, so that a slow answer does not
// mean an administrator, nor a fast one an account that exists.
const strongShare = 8

// Hasher hashes passwords and compares them with hashes, as many at once as there are processors and memory for.
//
// What a failure takes depends on the strength alone, and the strength of an account on three things: whether it is an
// administrator's, and if not, on a keyed hash of its name, which is drawn alike for accounts that exist and for those that
// do not. So of everybody but administrators time tells nothing, and administrators are hidden among one in eight of all
// names, real or made up.
type Hasher struct {
	keys    Keys
	slots   *semaphore.Weighted // one per processor: more hashes at once only push each other out of the caches
	memory  *semaphore.Weighted // in KiB
	most    int64               // the whole of memory
	dummies [2]string           // hashes of nothing: ordinary, strong
}

var errHash = errors.New("authn: a stored password hash is damaged")

// HashPassword hashes a password, keyed with today's pepper, as "<pepper id>:<PHC>". Errors are the context's.
func (h *Hasher) HashPassword(ctx context.Context, password, account string, isStrong bool) (string, error) {
	id, peppered := h.keys.Pepper(normal(password))
	params := h.params(account, isStrong)
	done, err := h.admit(ctx, params)
	if err != nil {
		return "", err
	}
	defer done()
	phc, err := argon2id.CreateHash(string(peppered), &params)
	if err != nil {
		return "", fmt.Errorf("authn: hash a password: %w", err)
	}
	return id + ":" + phc, nil
}

// VerifyPassword compares a password with a hash of HashPassword. An empty hash costs what another would, and is not it.
// Stale says that strength or pepper are not those of today. Errors are the context's, or a fault.
func (h *Hasher) VerifyPassword(ctx context.Context, hash, password, account string, isStrong bool) (ok, stale bool, err error) {
	password = normal(password)
	today, peppered := h.keys.Pepper(password)
	params := h.params(account, isStrong)
	exists := hash != ""
	if !exists {
		hash = today + ":" + h.dummy(params)
	}
	id, phc, made, err := parseHash(hash)
	if err != nil {
		return false, false, err
	}
	if id != today {
		var there bool
		if peppered, there = h.keys.PepperOf(id, password); !there {
			return false, false, fmt.Errorf("authn: pepper %q is gone, and with it the passwords that it was used for", id)
		}
	}
	done, err := h.admit(ctx, made)
	if err != nil {
		return false, false, err
	}
	defer done()
	same, _, err := argon2id.CheckHash(string(peppered), phc)
	if err != nil {
		return false, false, errHash
	}
	ok = same && exists
	return ok, ok && (made != params || id != today), nil
}

// parseHash takes a stored hash apart. Its errors quote nothing of it.
func parseHash(hash string) (pepper, phc string, made argon2id.Params, err error) {
	pepper, phc, whole := strings.Cut(hash, ":")
	if !whole || strings.Contains(pepper, "$") {
		return "", "", made, errHash
	}
	p, _, _, err := argon2id.DecodeHash(phc)
	if err != nil || p.Iterations < 1 || p.Parallelism < 1 {
		return "", "", made, errHash
	}
	return pepper, phc, *p, nil
}

// admit waits for a slot and for memory. Memory is asked for by those who have a slot, and given in the order of asking.
func (h *Hasher) admit(ctx context.Context, p argon2id.Params) (done func(), err error) {
	if err := h.slots.Acquire(ctx, 1); err != nil {
		return nil, err
	}
	need := min(int64(p.Memory), h.most) // a hash of other days may want more than there is: then it runs alone
	if err := h.memory.Acquire(ctx, need); err != nil {
		h.slots.Release(1)
		return nil, err
	}
	return func() { h.memory.Release(need); h.slots.Release(1) }, nil
}

// params of an account. Without a name it is not drawn.
func (h *Hasher) params(account string, isStrong bool) argon2id.Params {
	if isStrong || account != "" && h.keys.TokenSecret("password-strength", account)[0]%strongShare == 0 {
		return strong
	}
	return ordinary
}

// normal is a password as it is hashed: typed the same, it is the same (NIST SP 800-63B-4, section 3.1.1.2).
func normal(password string) string { return norm.NFC.String(password) }

// dummy is a hash of nothing that anybody knows.
func (h *Hasher) dummy(p argon2id.Params) string {
	if p == strong {
		return h.dummies[1]
	}
	return h.dummies[0]
}

func newDummy(p argon2id.Params) string {
	b := make([]byte, p.SaltLength+p.KeyLength)
	_, _ = rand.Read(b) // never fails: crypto/rand
	b64 := base64.RawStdEncoding.EncodeToString
	return fmt.Sprintf("$argon2id$v=%d$m=%d,t=%d,p=%d$%s$%s", argon2.Version, p.Memory, p.Iterations, p.Parallelism, b64(b[:p.SaltLength]), b64(b[p.SaltLength:]))
}
