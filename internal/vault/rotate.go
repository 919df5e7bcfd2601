package vault

import (
	"errors"
	"fmt"

	"github.com/tink-crypto/tink-go/v2/aead"
	"github.com/tink-crypto/tink-go/v2/keyset"
	"github.com/tink-crypto/tink-go/v2/prf"
)

// Rotation says what to do to a keyring.
type Rotation struct {
	// Announce adds keys that are not used yet, so that they can reach every process before anything lies under them.
	Announce bool
	// Promote uses the announced keys, instead of making any.
	Promote bool
	// Pepper does the same to the peppers. Old peppers stay: the hash of a password is made anew only when it is given again.
	Pepper bool
}

// ErrNothingAnnounced refuses to use keys that are not there.
var ErrNothingAnnounced = errors.New("no key has been announced: `chancery keys rotate --announce` makes one")

// Rotate adds a key-encryption key and uses it for all that is wrapped from now on. Nothing that is stored changes.
func (s Source) Rotate(r Rotation) (Edited, error) {
	return s.edit(func(ring *keyring) error {
		if err := ring.upgrade(s.now()); err != nil {
			return err
		}
		if r.Promote {
			found, err := promote(&ring.kek)
			if err == nil && r.Pepper {
				var pepper bool
				pepper, err = promote(&ring.peppers)
				found = found || pepper
			}
			if err == nil && !found {
				return ErrNothingAnnounced
			}
			return err
		}
		if err := ring.add(&ring.kek, aead.AES256GCMKeyTemplate(), !r.Announce, s.now()); err != nil || !r.Pepper {
			return err
		}
		return ring.add(&ring.peppers, prf.HMACSHA256PRFKeyTemplate(), !r.Announce, s.now())
	})
}

// promote uses the newest key.
func promote(keys **keyset.Handle) (bool, error) {
	all := (*keys).KeysetInfo()
	newest := all.GetKeyInfo()[len(all.GetKeyInfo())-1].GetKeyId()
	if newest == all.GetPrimaryKeyId() {
		return false, nil
	}
	m := keyset.NewManagerFromHandle(*keys)
	if err := m.SetPrimary(newest); err != nil {
		return false, err
	}
	changed, err := m.Handle()
	if err != nil {
		return false, err
	}
	*keys = changed
	return true, nil
}

// Upgrade writes the keyring in the newest version. Files are upgraded when they are first read; a document in the
// environment is not.
func (s Source) Upgrade() (Edited, error) {
	return s.edit(func(ring *keyring) error { return ring.upgrade(s.now()) })
}

// Drop takes key-encryption keys away for good. What still lies wrapped under them is lost.
func (s Source) Drop(ids []uint32) (Edited, error) {
	return s.edit(func(ring *keyring) error {
		m := keyset.NewManagerFromHandle(ring.kek)
		for _, id := range ids {
			if err := m.Delete(id); err != nil {
				return fmt.Errorf("drop key %d: %w", id, err)
			}
			delete(ring.made, keyID(id))
		}
		changed, err := m.Handle()
		if err == nil {
			ring.kek = changed
		}
		return err
	})
}

// Seal writes the keyring sealed under the source's KMS, or without one in the clear. It is opened under from, or if that is
// nil as it lies: in the clear or sealed under the same KMS, whose newest version of the key it then gets.
func (s Source) Seal(from *KMS) (Edited, error) {
	if from == nil {
		doc, err := s.parse()
		if err != nil {
			return Edited{}, err
		}
		if doc.KMS != "" {
			from = s.KMS
		}
	}
	return s.editFrom(from, func(ring *keyring) error { return ring.upgrade(s.now()) })
}

// NewDocument is a new keyring, sealed under the KMS if there is one, for whoever keeps it elsewhere than in a file of ours.
func (s Source) NewDocument() (Secret, error) {
	ring, err := newKeyring(s.now())
	if err != nil {
		return Secret{}, err
	}
	text, err := s.written(ring)
	return NewSecret(string(text)), err
}

// Edited says where an edited keyring is.
type Edited struct {
	redacted
	// Document is for the operator to put in place of the one that the environment held. Zero: the file holds it already.
	Document Secret
}

func (s Source) edit(change func(*keyring) error) (Edited, error) { return s.editFrom(s.KMS, change) }

func (s Source) editFrom(from *KMS, change func(*keyring) error) (Edited, error) {
	edit := func(content []byte) ([]byte, error) {
		doc, err := parseDocument(content)
		if err != nil {
			return nil, fmt.Errorf("%s is damaged: %w", s, err)
		}
		ring, err := doc.open(from)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", s, err)
		}
		if err := change(ring); err != nil {
			return nil, err
		}
		return s.written(ring)
	}
	if s.Document.IsZero() {
		return Edited{}, editKeyFile(s.File, edit)
	}
	text, err := edit([]byte(s.Document.Reveal()))
	return Edited{Document: NewSecret(string(text))}, err
}

func (s Source) written(ring *keyring) ([]byte, error) {
	doc, err := ring.document(s.KMS)
	if err != nil {
		return nil, err
	}
	return doc.text()
}
