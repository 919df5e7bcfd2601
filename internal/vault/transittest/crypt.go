package transittest

import (
	"crypto/aes"
	"crypto/cipher"
	"encoding/base64"
	"fmt"
	"net/http"
	"strconv"
	"strings"
)

// request has the parameters of all paths.
type request struct {
	Plaintext      *string `json:"plaintext"`
	Ciphertext     string  `json:"ciphertext"`
	Context        string  `json:"context"`
	AssociatedData string  `json:"associated_data"`
	KeyVersion     int     `json:"key_version"`

	Derived       bool `json:"derived"`
	MinDecryption int  `json:"min_decryption_version"`
	MinEncryption int  `json:"min_encryption_version"`
}

func (s *Server) encrypt(name string, r request) (map[string]any, *refusal) {
	if r.Plaintext == nil {
		return nil, invalid("missing plaintext to encrypt")
	}
	plain, err := base64.StdEncoding.DecodeString(*r.Plaintext)
	if err != nil {
		return nil, invalid(err.Error())
	}
	context, err := base64.StdEncoding.DecodeString(r.Context)
	if err != nil {
		return nil, invalid(err.Error())
	}
	k := s.keys[name]
	if k == nil {
		k = s.create(name, len(context) > 0)
	}
	text, version, refused := k.encrypt(plain, context, r.AssociatedData, r.KeyVersion)
	if refused != nil {
		return nil, refused
	}
	return map[string]any{"ciphertext": text, "key_version": version}, nil
}

func (k *key) encrypt(plain, context []byte, associated string, version int) (string, int, *refusal) {
	switch {
	case version == 0:
		version = len(k.versions)
	case version < 0:
		return "", 0, invalid("requested version for encryption is negative")
	case version > len(k.versions):
		return "", 0, invalid("requested version for encryption is higher than the latest key version")
	case version < k.MinEncryption:
		return "", 0, invalid("requested version for encryption is less than the minimum encryption key version")
	}
	secret, refused := k.derive(version, context)
	if refused != nil {
		return "", 0, refused
	}
	data, refused := decodeAssociated(associated)
	if refused != nil {
		return "", 0, refused
	}
	sealed := gcm(secret).Seal(nil, nil, plain, data)
	return fmt.Sprintf("vault:v%d:%s", version, base64.StdEncoding.EncodeToString(sealed)), version, nil
}

func (s *Server) decrypt(name string, r request) (map[string]any, *refusal) {
	plain, refused := s.open(name, r)
	if refused != nil {
		return nil, refused
	}
	return map[string]any{"plaintext": base64.StdEncoding.EncodeToString(plain)}, nil
}

// rewrap moves a ciphertext to the newest version of its key. It knows no associated data (Vault 1.21), so that what was bound to some
// does not open for it.
func (s *Server) rewrap(name string, r request) (map[string]any, *refusal) {
	r.AssociatedData = ""
	plain, refused := s.open(name, r)
	if refused != nil {
		return nil, refused
	}
	context, _ := base64.StdEncoding.DecodeString(r.Context) // open has read it
	text, version, refused := s.keys[name].encrypt(plain, context, r.AssociatedData, r.KeyVersion)
	if refused != nil {
		return nil, refused
	}
	return map[string]any{"ciphertext": text, "key_version": version}, nil
}

func (s *Server) open(name string, r request) ([]byte, *refusal) {
	if r.Ciphertext == "" {
		return nil, invalid("missing ciphertext to decrypt")
	}
	context, err := base64.StdEncoding.DecodeString(r.Context)
	if err != nil {
		return nil, invalid(err.Error())
	}
	k := s.keys[name]
	if k == nil {
		return nil, invalid("encryption key not found")
	}
	rest, ok := strings.CutPrefix(r.Ciphertext, "vault:v")
	if !ok {
		return nil, invalid("invalid ciphertext: no prefix")
	}
	number, text, ok := strings.Cut(rest, ":")
	if !ok {
		return nil, invalid("invalid ciphertext: wrong number of fields")
	}
	version, err := strconv.Atoi(number)
	switch {
	case err != nil:
		return nil, invalid("invalid ciphertext: version number could not be decoded")
	case version > len(k.versions):
		return nil, invalid("invalid ciphertext: version is too new")
	case k.MinDecryption > 0 && version < k.MinDecryption:
		return nil, invalid("ciphertext or signature version is disallowed by policy (too old)")
	}
	sealed, err := base64.StdEncoding.DecodeString(text)
	if err != nil {
		return nil, invalid("invalid ciphertext: could not decode base64")
	}
	secret, refused := k.derive(max(version, 1), context)
	if refused != nil {
		return nil, refused
	}
	data, refused := decodeAssociated(r.AssociatedData)
	if refused != nil {
		return nil, refused
	}
	if len(sealed) < nonceSize {
		return nil, invalid("invalid ciphertext length")
	}
	plain, err := gcm(secret).Open(nil, nil, sealed, data)
	if err != nil {
		return nil, invalid("cipher: message authentication failed")
	}
	return plain, nil
}

func decodeAssociated(text string) ([]byte, *refusal) {
	data, err := base64.StdEncoding.DecodeString(text)
	if err != nil {
		return nil, refuse(http.StatusInternalServerError, "unable to get associated_data/additional_data from factory[0]: "+err.Error())
	}
	return data, nil
}

const nonceSize = 12

// gcm puts a random nonce in front, as Vault does.
func gcm(secret []byte) cipher.AEAD {
	block, err := aes.NewCipher(secret)
	if err != nil {
		panic(err) // 32 bytes always
	}
	aead, err := cipher.NewGCMWithRandomNonce(block)
	if err != nil {
		panic(err)
	}
	return aead
}
