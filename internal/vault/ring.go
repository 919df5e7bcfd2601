package vault

import (
	"fmt"
	"slices"
	"time"

	"github.com/tink-crypto/tink-go/v2/aead"
	"github.com/tink-crypto/tink-go/v2/keyset"
	"github.com/tink-crypto/tink-go/v2/prf"
	"github.com/tink-crypto/tink-go/v2/tink"
)

// ring is a keyring made ready for work. It never changes.
type ring struct {
	kek     tink.AEAD
	claims  *prf.Set
	tokens  *prf.Set
	peppers *prf.Set
	tickets tink.AEAD

	keks, pepperIDs []KeyInfo
}

// KeyInfo describes a key without showing it.
type KeyInfo struct {
	ID        uint32
	Primary   bool      // used for what is new
	Announced bool      // not used yet
	Made      time.Time // zero if that is not known
}

func newRing(from *keyring) (*ring, error) {
	r := &ring{keks: describe(from.kek, from.made), pepperIDs: describe(from.peppers, from.made)}
	var err error
	if r.kek, err = aead.New(from.kek); err != nil {
		return nil, fmt.Errorf("kek: %w", err)
	}
	if r.claims, err = newPRF(from.claims); err != nil {
		return nil, fmt.Errorf("claims: %w", err)
	}
	if r.tokens, err = newPRF(from.tokens); err != nil {
		return nil, fmt.Errorf("tokens: %w", err)
	}
	if r.peppers, err = newPRF(from.peppers); err != nil {
		return nil, fmt.Errorf("peppers: %w", err)
	}
	r.tickets, err = ticketKey(r.claims)
	return r, err
}

// newPRF also computes once, so that the functions of Keys cannot fail later.
func newPRF(handle *keyset.Handle) (*prf.Set, error) {
	set, err := prf.NewPRFSet(handle)
	if err != nil {
		return nil, err
	}
	_, err = set.ComputePrimaryPRF(nil, prfSize)
	return set, err
}

func describe(keys *keyset.Handle, when made) []KeyInfo {
	info := keys.KeysetInfo()
	all := make([]KeyInfo, 0, len(info.GetKeyInfo()))
	used := false
	for _, i := range info.GetKeyInfo() {
		primary := i.GetKeyId() == info.GetPrimaryKeyId()
		all = append(all, KeyInfo{ID: i.GetKeyId(), Primary: primary, Announced: used, Made: when[keyID(i.GetKeyId())]})
		used = used || primary
	}
	return all
}

// wraps says that the ring holds the key-encryption key.
func (r *ring) wraps(id uint32) bool {
	return slices.ContainsFunc(r.keks, func(k KeyInfo) bool { return k.ID == id })
}

// primary is the id of the key-encryption key under which new keys lie.
func (r *ring) primary() uint32 {
	return r.keks[slices.IndexFunc(r.keks, func(k KeyInfo) bool { return k.Primary })].ID
}

// KEKs lists the key-encryption keys, oldest first.
func (k *Keys) KEKs() []KeyInfo { return slices.Clone(k.current().keks) }

// Peppers lists the peppers, oldest first.
func (k *Keys) Peppers() []KeyInfo { return slices.Clone(k.current().pepperIDs) }

// PrimaryKEK is the id of the key-encryption key under which new keys lie.
func (k *Keys) PrimaryKEK() uint32 { return k.current().primary() }
