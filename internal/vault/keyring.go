package vault

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/tink-crypto/tink-go/v2/aead"
	"github.com/tink-crypto/tink-go/v2/insecurecleartextkeyset"
	"github.com/tink-crypto/tink-go/v2/keyset"
	"github.com/tink-crypto/tink-go/v2/prf"
	tinkpb "github.com/tink-crypto/tink-go/v2/proto/tink_go_proto"
)

// document is the keyring as it is written: Tink keysets in Tink's own JSON, in the clear or each sealed under a key of a KMS.
type document struct {
	Version int             `json:"version"`
	KMS     string          `json:"kms,omitempty"` // under which the keysets are sealed
	KEK     json.RawMessage `json:"kek"`
	Claims  json.RawMessage `json:"claims"`
	Tokens  json.RawMessage `json:"tokens"`
	Peppers json.RawMessage `json:"peppers,omitempty"` // since version 2
	Made    made            `json:"made,omitempty"`
}

const documentVersion = 2

// made says when keys were made, by id. Older ones and those of version 1 are missing.
type made map[string]time.Time

func keyID(id uint32) string { return strconv.FormatUint(uint64(id), 10) }

// The refusals of documents that are whole, but not as this process needs them.
var (
	ErrOldVersion = errors.New("the keyring is of version 1: `chancery keys upgrade` brings it up to date")
	ErrUnsealed   = errors.New("the keyring lies in the clear, but CHANCERY_KMS is set: `chancery keys seal` seals it")
	ErrSealed     = errors.New("the keyring is sealed under a key of a KMS: set CHANCERY_KMS")
)

func parseDocument(content []byte) (document, error) {
	var doc document
	if err := json.Unmarshal(content, &doc); err != nil {
		return doc, errors.New("not JSON") // the decoder's own words could quote the keys
	}
	if doc.Version < 1 || doc.Version > documentVersion {
		return doc, fmt.Errorf("version %d, but this program knows %d", doc.Version, documentVersion)
	}
	return doc, nil
}

func (d document) text() ([]byte, error) {
	content, err := json.MarshalIndent(d, "", "  ")
	return append(content, '\n'), err
}

// keyring is an opened document. The KEK and the peppers are rotated by adding keys to their keysets; the primary keys of the
// other two MUST stay for ever, since their outputs are stored. Keys stand in the order of making, so those after the primary
// were announced and are not used yet.
type keyring struct {
	redacted
	kek, claims, tokens, peppers *keyset.Handle
	made                         made
}

// keysets are the parts of a keyring and where each is written. The name is bound to a sealed one.
func (r *keyring) keysets(d *document) []part {
	return []part{
		{"kek", &r.kek, &d.KEK}, {"claims", &r.claims, &d.Claims}, {"tokens", &r.tokens, &d.Tokens}, {"peppers", &r.peppers, &d.Peppers},
	}
}

type part struct {
	name    string
	handle  **keyset.Handle
	written *json.RawMessage
}

func (p part) binding() []byte { return []byte("chancery/keyring/1\x00" + p.name) }

func newKeyring(now time.Time) (*keyring, error) {
	r := &keyring{made: made{}}
	for _, p := range r.keysets(new(document)) {
		template := prf.HMACSHA256PRFKeyTemplate()
		if p.name == "kek" {
			template = aead.AES256GCMKeyTemplate()
		}
		handle, err := keyset.NewHandle(template)
		if err != nil {
			return nil, err
		}
		*p.handle = handle
	}
	r.note(r.kek, now)
	r.note(r.peppers, now)
	return r, nil
}

// note remembers when a keyset's newest key was made.
func (r *keyring) note(keys *keyset.Handle, now time.Time) {
	all := keys.KeysetInfo().GetKeyInfo()
	r.made[keyID(all[len(all)-1].GetKeyId())] = now.UTC().Truncate(time.Second)
}

// open reads a document that is sealed under the KMS, or with none in the clear. One of version 1 opens without peppers.
func (d document) open(kms *KMS) (*keyring, error) {
	switch {
	case kms == nil && d.KMS != "":
		return nil, ErrSealed
	case kms != nil && d.KMS == "":
		return nil, ErrUnsealed
	}
	r := &keyring{made: d.Made}
	if r.made == nil {
		r.made = made{}
	}
	for _, p := range r.keysets(&d) {
		if p.name == "peppers" && d.Version < 2 {
			continue
		}
		var err error
		reader := keyset.NewJSONReader(bytes.NewReader(*p.written))
		if kms == nil {
			*p.handle, err = insecurecleartextkeyset.Read(reader)
		} else {
			*p.handle, err = keyset.ReadWithAssociatedData(reader, kms, p.binding())
		}
		if err != nil {
			return nil, fmt.Errorf("%s: %w", p.name, err)
		}
	}
	return r, nil
}

// document writes the keyring, sealed under the KMS if there is one.
func (r *keyring) document(kms *KMS) (document, error) {
	d := document{Version: documentVersion, Made: r.made}
	if kms != nil {
		d.KMS = kms.name
	}
	for _, p := range r.keysets(&d) {
		var text bytes.Buffer
		var err error
		writer := keyset.NewJSONWriter(&text)
		if kms == nil {
			err = insecurecleartextkeyset.Write(*p.handle, writer)
		} else {
			err = (*p.handle).WriteWithAssociatedData(writer, kms, p.binding())
		}
		if err != nil {
			return d, fmt.Errorf("%s: %w", p.name, err)
		}
		*p.written = text.Bytes()
	}
	return d, nil
}

// upgrade gives the keyring what newer versions of the document have. What it held it holds still.
func (r *keyring) upgrade(now time.Time) error {
	if r.peppers != nil {
		return nil
	}
	peppers, err := keyset.NewHandle(prf.HMACSHA256PRFKeyTemplate())
	if err != nil {
		return err
	}
	r.peppers = peppers
	r.note(peppers, now)
	return nil
}

// add makes a key, after all others, and uses it at once or not yet.
func (r *keyring) add(to **keyset.Handle, template *tinkpb.KeyTemplate, use bool, now time.Time) error {
	m := keyset.NewManagerFromHandle(*to)
	id, err := m.Add(template)
	if err == nil && use {
		err = m.SetPrimary(id)
	}
	if err == nil {
		*to, err = m.Handle()
	}
	if err == nil {
		r.note(*to, now)
	}
	return err
}
