// Package authn is what the world outside knows of passwords, codes and passkeys. It keeps nothing, and knows no user, tenant or event.
package authn

import (
	"fmt"
	"runtime"

	"golang.org/x/sync/semaphore"
)

// Config of an Engine. The zero value of a field is documented with it; Keys is required.
type Config struct {
	Keys Keys
	// Memory bounds, in MiB, what hashes of passwords use at once. 0: 256.
	Memory int
	// Breached is the name of a file with passwords that were found out; see OpenList. None: the built-in list alone.
	Breached string
	// PublicURL is where browsers find us: passkeys are bound to its host. None: http://localhost.
	PublicURL string
	// Service is our name, as authenticators show it. None: Chancery.
	Service string
}

// Keys are keyed functions whose keys lie outside the database.
type Keys interface {
	// Pepper is a keyed hash of a password under today's pepper, whose id it names.
	Pepper(password string) (id string, out []byte)
	// PepperOf is the same under a pepper of any day, or false if it is gone.
	PepperOf(id, password string) ([]byte, bool)
	// TokenSecret is a keyed hash of the parts, the same for ever.
	TokenSecret(parts ...string) [32]byte
}

// Engine is the parts together. Safe for concurrent use.
type Engine struct {
	*Hasher
	*Blocklist
	*Passkeys
	OneTime
}

// New refuses settings that do not work, with a sentence for the operator.
func New(c Config) (*Engine, error) {
	service := or(c.Service, "Chancery")
	hasher, err := newHasher(c.Keys, or(c.Memory, 256))
	if err != nil {
		return nil, err
	}
	passkeys, err := newPasskeys(or(c.PublicURL, "http://localhost"), service)
	if err != nil {
		return nil, err
	}
	list, err := newBlocklist(c.Breached, service)
	if err != nil {
		return nil, err
	}
	return &Engine{Hasher: hasher, Blocklist: list, Passkeys: passkeys, OneTime: OneTime{Service: service}}, nil
}

func newHasher(keys Keys, megabytes int) (*Hasher, error) {
	if least := int(strong.Memory >> 10); megabytes < least {
		return nil, fmt.Errorf("hashing passwords needs at least %d MiB of memory; the setting says %d", least, megabytes)
	}
	h := &Hasher{
		keys:   keys,
		slots:  semaphore.NewWeighted(int64(runtime.GOMAXPROCS(0))),
		memory: semaphore.NewWeighted(int64(megabytes) << 10),
		most:   int64(megabytes) << 10,
	}
	h.dummies[0], h.dummies[1] = newDummy(ordinary), newDummy(strong)
	return h, nil
}

func or[T comparable](v, otherwise T) T {
	var zero T
	if v == zero {
		return otherwise
	}
	return v
}
