// Package vault seals personal data under one key per subject, so that destroying the key erases the data; it stores
// nothing itself, and does no cryptography of its own: all of it is Tink's.
package vault

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/google/uuid"
	"github.com/tink-crypto/tink-go/v2/tink"
)

var (
	// ErrErased says that the subject has no key any more: the data is gone for good.
	ErrErased = errors.New("erased")
	// ErrUnreadable is the one answer to everything else that does not open: not a sealed text, damaged, or sealed for
	// another tenant, subject or field. It does not say which.
	ErrUnreadable = errors.New("sealed text cannot be opened")
)

// KeySource reads core.subject_keys. A subject without a row is absent from the answer; a row whose wrapped key was
// blanked by an erasure may be answered with an empty slice, which forbids sealing for that subject too.
type KeySource interface {
	SubjectKeys(ctx context.Context, tenant uuid.UUID, subjects []uuid.UUID) (map[uuid.UUID][]byte, error)
}

// Vault opens what was sealed. Sealing is done through a Sealer, one per append. Safe for concurrent use.
type Vault struct {
	*Keys
	source KeySource
	cache  *cache
}

// DefaultCacheSize is used where Config says nothing: about 150 MB when full.
const DefaultCacheSize = 100_000

// Config of a Vault.
type Config struct {
	Keys      *Keys     // required
	Source    KeySource // required
	CacheSize int       // data keys held unwrapped; 0 = DefaultCacheSize
}

// New returns a vault over the keys.
func New(c Config) *Vault {
	if c.CacheSize <= 0 {
		c.CacheSize = DefaultCacheSize
	}
	return &Vault{Keys: c.Keys, source: c.Source, cache: newCache(c.CacheSize)}
}

// Open returns the personal data that was sealed for this tenant and field. The subject is the one that the sealed text
// names: a caller who knows whose text it must be compares with Subject first.
func (v *Vault) Open(ctx context.Context, tenant uuid.UUID, field, sealed string) (string, error) {
	return v.open(ctx, PersonalData, tenant, field, sealed)
}

// OpenSecret is Open for texts of SecretData.
func (v *Vault) OpenSecret(ctx context.Context, tenant uuid.UUID, field, sealed string) (string, error) {
	return v.open(ctx, SecretData, tenant, field, sealed)
}

func (v *Vault) open(ctx context.Context, class Class, tenant uuid.UUID, field, sealed string) (string, error) {
	subject, ciphertext, ok := parseSealed(class, sealed)
	if !ok {
		return "", ErrUnreadable
	}
	key, err := v.key(ctx, tenant, subject)
	if err != nil {
		return "", err
	}
	plain, err := key.Decrypt(ciphertext, fieldContext(class, tenant, subject, field))
	if err != nil {
		return "", ErrUnreadable
	}
	return string(plain), nil
}

// Preload fetches the keys that are not cached yet in one read of the source, so that a page of Opens costs one round
// trip. Erased subjects are no error here.
func (v *Vault) Preload(ctx context.Context, tenant uuid.UUID, subjects []uuid.UUID) error {
	_, err := v.load(ctx, tenant, subjects)
	return err
}

// Drop forgets a subject's key. Every process MUST call it when it hears of an erasure; reads of the source that are
// under way will not bring the key back.
func (v *Vault) Drop(tenant, subject uuid.UUID) { v.cache.drop(subjectRef{tenant, subject}) }

// key returns a subject's data key or ErrErased.
func (v *Vault) key(ctx context.Context, tenant, subject uuid.UUID) (tink.AEAD, error) {
	if key, _ := v.cache.find(subjectRef{tenant, subject}); key != nil {
		return key, nil
	}
	states, err := v.load(ctx, tenant, []uuid.UUID{subject})
	if err != nil {
		return nil, err
	}
	if state := states[subject]; state.key != nil {
		return state.key, nil
	}
	return nil, ErrErased
}

// keyState is what is known of a subject's key: there, erased, or (neither) never made.
type keyState struct {
	key    tink.AEAD
	erased bool
}

// load answers for every subject that has a key or had one, from the cache and one read of the source.
func (v *Vault) load(ctx context.Context, tenant uuid.UUID, subjects []uuid.UUID) (map[uuid.UUID]keyState, error) {
	states := make(map[uuid.UUID]keyState, len(subjects))
	missing := make(map[uuid.UUID]uint64) // the generation before the source was read
	for _, subject := range subjects {
		key, generation := v.cache.find(subjectRef{tenant, subject})
		if key == nil {
			missing[subject] = generation
			continue
		}
		states[subject] = keyState{key: key}
	}
	if len(missing) == 0 {
		return states, nil
	}
	unread, err := v.unwrapAll(ctx, tenant, missing, states)
	if len(unread) > 0 {
		// Once more, because a row may be wrapped anew, and the old key-encryption key pruned, after the row was read.
		_, err = v.unwrapAll(ctx, tenant, unread, states)
	}
	return states, err
}

// unwrapAll reads keys into states; with an error of unwrapping it returns those that it could not read.
func (v *Vault) unwrapAll(ctx context.Context, tenant uuid.UUID, missing map[uuid.UUID]uint64, states map[uuid.UUID]keyState) (map[uuid.UUID]uint64, error) {
	wrapped, err := v.source.SubjectKeys(ctx, tenant, slices.Collect(maps.Keys(missing)))
	if err != nil {
		return nil, fmt.Errorf("read %d subject keys: %w", len(missing), err)
	}
	var unread map[uuid.UUID]uint64
	var failed error
	for subject, generation := range missing {
		row, ok := wrapped[subject]
		if !ok {
			continue
		}
		if len(row) == 0 {
			states[subject] = keyState{erased: true}
			continue
		}
		key, err := v.unwrap(tenant, subject, row)
		if err != nil {
			if unread == nil {
				unread = make(map[uuid.UUID]uint64)
			}
			unread[subject], failed = generation, err
			continue
		}
		states[subject] = keyState{key: key}
		v.cache.put(subjectRef{tenant, subject}, key, generation)
	}
	return unread, failed
}
