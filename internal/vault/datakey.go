package vault

import (
	"bytes"
	"errors"
	"fmt"

	"github.com/google/uuid"
	"github.com/tink-crypto/tink-go/v2/aead"
	"github.com/tink-crypto/tink-go/v2/keyset"
	"github.com/tink-crypto/tink-go/v2/tink"
)

// WrappedKey is a row for core.subject_keys. It is useless without the key file, and tied to its tenant and subject.
type WrappedKey struct {
	Tenant, Subject uuid.UUID
	Wrapped         []byte
}

var errUnwrap = errors.New("does not unwrap: another key file, or a damaged or moved row")

func (k *Keys) newDataKey(tenant, subject uuid.UUID) (tink.AEAD, []byte, error) {
	handle, err := keyset.NewHandle(aead.AES256GCMKeyTemplate())
	if err != nil {
		return nil, nil, fmt.Errorf("make a subject key: %w", err)
	}
	var wrapped bytes.Buffer
	err = handle.WriteWithAssociatedData(keyset.NewBinaryWriter(&wrapped), k.kek, keyContext(tenant, subject))
	if err != nil {
		return nil, nil, fmt.Errorf("wrap a subject key: %w", err)
	}
	key, err := aead.New(handle)
	if err != nil {
		return nil, nil, fmt.Errorf("make a subject key: %w", err)
	}
	return key, wrapped.Bytes(), nil
}

// unwrap fails only on a fault: a row that was never written by these keys for this subject.
func (k *Keys) unwrap(tenant, subject uuid.UUID, wrapped []byte) (tink.AEAD, error) {
	reader := keyset.NewBinaryReader(bytes.NewReader(wrapped))
	handle, err := keyset.ReadWithAssociatedData(reader, k.kek, keyContext(tenant, subject))
	if err != nil {
		return nil, fmt.Errorf("key of subject %s: %w", subject, errUnwrap)
	}
	key, err := aead.New(handle)
	if err != nil {
		return nil, fmt.Errorf("key of subject %s: %w", subject, errUnwrap)
	}
	return key, nil
}

// The associated data below is unambiguous: a label of fixed text, two ids of fixed size, then at most one free text.

func keyContext(tenant, subject uuid.UUID) []byte {
	return bindingOf("chancery/subject-key/1\x00", tenant, subject, "")
}

func fieldContext(tenant, subject uuid.UUID, field string) []byte {
	return bindingOf("chancery/field/1\x00", tenant, subject, field)
}

func bindingOf(label string, tenant, subject uuid.UUID, field string) []byte {
	b := make([]byte, 0, len(label)+len(tenant)+len(subject)+len(field))
	b = append(b, label...)
	b = append(b, tenant[:]...)
	b = append(b, subject[:]...)
	return append(b, field...)
}
