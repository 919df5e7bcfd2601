package vault

import (
	"context"
	"fmt"
	"slices"

	"github.com/google/uuid"
	"github.com/tink-crypto/tink-go/v2/tink"
)

// Sealer seals the personal fields of one append. A key that it had to make is known to it alone until the append is
// accepted, so an append that fails leaves nothing behind: throw the Sealer away and begin the next attempt with a new one.
//
// The append MUST insert NewKeys in its own transaction, and MUST be refused as a conflict if a subject already has a
// key with other bytes (two Sealers made one for the same subject): losing that row would lose the sealed text. The next
// attempt then finds the winner's key. Not safe for concurrent use.
type Sealer struct {
	redacted
	vault   *Vault
	pending map[subjectRef]pendingKey
	absent  map[subjectRef]bool // known to have no key yet
	order   []subjectRef        // pending in the order of making, so that an append is reproducible
}

type pendingKey struct {
	key        tink.AEAD
	wrapped    []byte
	generation uint64
}

// Sealer begins the sealing of one append.
func (v *Vault) Sealer() *Sealer {
	return &Sealer{vault: v, pending: make(map[subjectRef]pendingKey), absent: make(map[subjectRef]bool)}
}

// Seal returns the sealed form of a personal field of a subject. The field is the JSON key under which the text will stand. A
// subject without a key gets one; an erased subject is refused with ErrErased where the source remembers erasures.
// The length of the text is not hidden.
func (s *Sealer) Seal(ctx context.Context, tenant, subject uuid.UUID, field, plain string) (string, error) {
	return s.SealAs(ctx, PersonalData, tenant, subject, field, plain)
}

// SealAs is Seal for either class.
func (s *Sealer) SealAs(ctx context.Context, class Class, tenant, subject uuid.UUID, field, plain string) (string, error) {
	key, err := s.key(ctx, subjectRef{tenant, subject})
	if err != nil {
		return "", err
	}
	ciphertext, err := key.Encrypt([]byte(plain), fieldContext(class, tenant, subject, field))
	if err != nil {
		return "", fmt.Errorf("seal %s: %w", field, err)
	}
	return formatSealed(class, subject, ciphertext), nil
}

// Prepare looks up the keys of many subjects in one read, so that sealing for them, old or new, needs no further one.
func (s *Sealer) Prepare(ctx context.Context, tenant uuid.UUID, subjects []uuid.UUID) error {
	states, err := s.vault.load(ctx, tenant, subjects)
	if err != nil {
		return err
	}
	for _, subject := range subjects {
		if _, known := states[subject]; !known {
			s.absent[subjectRef{tenant, subject}] = true
		}
	}
	return nil
}

// Fresh says that a subject is new, which saves the look-up. If it is wrong, the append conflicts.
func (s *Sealer) Fresh(tenant, subject uuid.UUID) { s.absent[subjectRef{tenant, subject}] = true }

// NewKeys returns the keys that this append has to insert.
func (s *Sealer) NewKeys() []WrappedKey {
	keys := make([]WrappedKey, 0, len(s.order))
	for _, ref := range s.order {
		keys = append(keys, WrappedKey{Tenant: ref.tenant, Subject: ref.subject, Wrapped: s.pending[ref].wrapped})
	}
	return keys
}

// Erased reports whether a subject for whom this append has a new key was erased before: then every such append conflicts.
func (s *Sealer) Erased(ctx context.Context) (bool, error) {
	made := make(map[uuid.UUID][]uuid.UUID)
	for _, ref := range s.order {
		made[ref.tenant] = append(made[ref.tenant], ref.subject)
	}
	for tenant, subjects := range made {
		states, err := s.vault.load(ctx, tenant, subjects)
		if err != nil {
			return false, err
		}
		for _, state := range states {
			if state.erased {
				return true, nil
			}
		}
	}
	return false, nil
}

// Outdated says that the new keys lie under another key-encryption key than new ones would by now: seal again, with a new Sealer.
func (s *Sealer) Outdated() bool {
	s.vault.renew()
	primary := s.vault.ring.Load().primary()
	return slices.ContainsFunc(s.order, func(ref subjectRef) bool {
		under, ok := WrappedUnder(s.pending[ref].wrapped)
		return !ok || under != primary
	})
}

// Confirm makes the new keys known to the vault. Call it only when this very append was accepted: not when it was a
// duplicate, and not when its outcome is unknown. Leaving it out costs one read of the source, nothing else.
func (s *Sealer) Confirm() {
	for _, ref := range s.order {
		made := s.pending[ref]
		s.vault.cache.put(ref, made.key, made.generation)
	}
}

func (s *Sealer) key(ctx context.Context, ref subjectRef) (tink.AEAD, error) {
	if made, ok := s.pending[ref]; ok {
		return made.key, nil
	}
	found, generation := s.vault.cache.find(ref)
	if !s.absent[ref] { // else a new key, even beside a known one: the append conflicts, and no two things share a key
		if found != nil {
			return found, nil
		}
		states, err := s.vault.load(ctx, ref.tenant, []uuid.UUID{ref.subject})
		if err != nil {
			return nil, err
		}
		switch state := states[ref.subject]; {
		case state.erased:
			return nil, ErrErased
		case state.key != nil:
			return state.key, nil
		}
	}
	key, wrapped, err := s.vault.newDataKey(ref.tenant, ref.subject)
	if err != nil {
		return nil, err
	}
	s.pending[ref] = pendingKey{key: key, wrapped: wrapped, generation: generation}
	s.order = append(s.order, ref)
	return key, nil
}
