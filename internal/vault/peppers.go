package vault

import (
	"slices"

	"github.com/tink-crypto/tink-go/v2/prf"
)

// Pepper is what stands for a password before it is hashed, under the newest pepper, and that pepper's id, which is stored
// beside the hash. The hash is then useless without the keyring.
func (k *Keys) Pepper(password string) (id string, out []byte) {
	peppers := k.current().peppers
	made := secret(peppers, password)
	return keyID(peppers.PrimaryID), made[:]
}

// PepperOf is Pepper under the pepper of that id; false if the keyring has none.
func (k *Keys) PepperOf(id, password string) ([]byte, bool) {
	pepper, ok := k.ring.Load().pepper(id)
	if !ok {
		k.renew()
		if pepper, ok = k.ring.Load().pepper(id); !ok {
			return nil, false
		}
	}
	out := compute(pepper, password)
	return out[:], true
}

// hasPeppersOf says that the ring still has every pepper under which the other may have hashed.
func (r *ring) hasPeppersOf(other *ring) bool {
	return !slices.ContainsFunc(other.pepperIDs, func(p KeyInfo) bool { _, ok := r.peppers.PRFs[p.ID]; return !ok && !p.Announced })
}

func (r *ring) pepper(id string) (prf.PRF, bool) {
	for known, pepper := range r.peppers.PRFs {
		if keyID(known) == id {
			return pepper, true
		}
	}
	return nil, false
}
