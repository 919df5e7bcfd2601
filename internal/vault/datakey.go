package vault

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/google/uuid"
	"github.com/tink-crypto/tink-go/v2/aead"
	"github.com/tink-crypto/tink-go/v2/core/cryptofmt"
	"github.com/tink-crypto/tink-go/v2/keyset"
	"github.com/tink-crypto/tink-go/v2/tink"
)

// WrappedKey is a row for core.subject_keys. It is useless without the key file, and tied to its tenant and subject.
type WrappedKey struct {
	Tenant, Subject uuid.UUID
	Wrapped         []byte
}

var (
	errUnwrap = errors.New("does not unwrap: another key file, or a damaged or moved row")
	errNoKEK  = errors.New("lies under a key-encryption key that the keyring does not hold: " +
		"another key file, one that was rotated elsewhere and is to be copied here, or a key that was pruned too early")
)

func (k *Keys) newDataKey(tenant, subject uuid.UUID) (tink.AEAD, []byte, error) {
	handle, err := keyset.NewHandle(aead.AES256GCMKeyTemplate())
	if err != nil {
		return nil, nil, fmt.Errorf("make a subject key: %w", err)
	}
	wrapped, err := k.current().wrap(tenant, subject, handle)
	if err != nil {
		return nil, nil, err
	}
	key, err := aead.New(handle)
	if err != nil {
		return nil, nil, fmt.Errorf("make a subject key: %w", err)
	}
	return key, wrapped, nil
}

// unwrap fails only on a fault: a row that was never written by these keys for this subject.
func (k *Keys) unwrap(tenant, subject uuid.UUID, wrapped []byte) (tink.AEAD, error) {
	handle, err := k.dataKey(tenant, subject, wrapped)
	if err != nil {
		return nil, err
	}
	key, err := aead.New(handle)
	if err != nil {
		return nil, fmt.Errorf("key of subject %s: %w", subject, errUnwrap)
	}
	return key, nil
}

// Rewrap returns the same data key wrapped under the primary key-encryption key. What it seals stays as it is.
func (k *Keys) Rewrap(old WrappedKey) (WrappedKey, error) {
	renewed := old
	handle, err := k.dataKey(old.Tenant, old.Subject, old.Wrapped)
	if err == nil {
		renewed.Wrapped, err = k.current().wrap(old.Tenant, old.Subject, handle)
	}
	return renewed, err
}

// dataKey reads the keyring again if it lacks the key-encryption key.
func (k *Keys) dataKey(tenant, subject uuid.UUID, wrapped []byte) (*keyset.Handle, error) {
	handle, err := k.ring.Load().unwrap(tenant, subject, wrapped)
	if err == nil {
		return handle, nil
	}
	id, ok := WrappedUnder(wrapped)
	if !ok || k.ring.Load().wraps(id) {
		return nil, fmt.Errorf("key of subject %s: %w", subject, errUnwrap)
	}
	k.renew()
	if !k.ring.Load().wraps(id) {
		return nil, fmt.Errorf("key of subject %s: %w", subject, errNoKEK)
	}
	if handle, err = k.ring.Load().unwrap(tenant, subject, wrapped); err != nil {
		return nil, fmt.Errorf("key of subject %s: %w", subject, errUnwrap)
	}
	return handle, nil
}

func (r *ring) wrap(tenant, subject uuid.UUID, key *keyset.Handle) ([]byte, error) {
	var wrapped bytes.Buffer
	err := key.WriteWithAssociatedData(keyset.NewBinaryWriter(&wrapped), r.kek, keyContext(tenant, subject))
	if err != nil {
		return nil, fmt.Errorf("wrap a subject key: %w", err)
	}
	return wrapped.Bytes(), nil
}

func (r *ring) unwrap(tenant, subject uuid.UUID, wrapped []byte) (*keyset.Handle, error) {
	reader := keyset.NewBinaryReader(bytes.NewReader(wrapped))
	return keyset.ReadWithAssociatedData(reader, r.kek, keyContext(tenant, subject))
}

// WrappedUnder returns the id of the key-encryption key under which a data key lies. Tink writes it in front of each ciphertext,
// after a byte 1. core.kek_of says the same in SQL.
func WrappedUnder(wrapped []byte) (uint32, bool) {
	envelope, err := keyset.NewBinaryReader(bytes.NewReader(wrapped)).ReadEncrypted()
	if err != nil {
		return 0, false
	}
	ciphertext := envelope.GetEncryptedKeyset()
	if len(ciphertext) < cryptofmt.TinkPrefixSize || ciphertext[0] != cryptofmt.TinkStartByte {
		return 0, false
	}
	return binary.BigEndian.Uint32(ciphertext[1:cryptofmt.TinkPrefixSize]), true
}

// The associated data below is unambiguous: a label of fixed text, two ids of fixed size, then at most one free text.

func keyContext(tenant, subject uuid.UUID) []byte {
	return bindingOf("chancery/subject-key/1\x00", tenant, subject, "")
}

func fieldContext(c Class, tenant, subject uuid.UUID, field string) []byte {
	if c == SecretData {
		return bindingOf("chancery/secret/1\x00", tenant, subject, field)
	}
	return bindingOf("chancery/field/1\x00", tenant, subject, field)
}

func bindingOf(label string, tenant, subject uuid.UUID, field string) []byte {
	b := make([]byte, 0, len(label)+len(tenant)+len(subject)+len(field))
	b = append(b, label...)
	b = append(b, tenant[:]...)
	b = append(b, subject[:]...)
	return append(b, field...)
}
