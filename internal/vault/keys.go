package vault

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"sync"

	"github.com/google/uuid"
	"github.com/tink-crypto/tink-go/v2/aead"
	"github.com/tink-crypto/tink-go/v2/insecurecleartextkeyset"
	"github.com/tink-crypto/tink-go/v2/keyset"
	"github.com/tink-crypto/tink-go/v2/prf"
	prfsubtle "github.com/tink-crypto/tink-go/v2/prf/subtle"
	"github.com/tink-crypto/tink-go/v2/tink"
)

const prfSize = 32

// Keys are the keys of the key file: one key-encryption key, and two keyed functions whose outputs are stored for ever.
// Safe for concurrent use.
type Keys struct {
	redacted
	kek    tink.AEAD
	claims *prf.Set
	tokens *prf.Set

	tenants sync.Map // tenant uuid.UUID → prf.PRF for its claims; one entry a tenant, never dropped
}

func parseKeys(content []byte) (*Keys, error) {
	var file keyFile
	if err := json.Unmarshal(content, &file); err != nil {
		return nil, errors.New("not JSON") // the decoder's own words could quote the keys
	}
	if file.Version != keyFileVersion {
		return nil, fmt.Errorf("version %d, but this program knows %d", file.Version, keyFileVersion)
	}
	kek, err := readKeyset(file.KEK)
	if err != nil {
		return nil, fmt.Errorf("kek: %w", err)
	}
	k := new(Keys)
	if k.kek, err = aead.New(kek); err != nil {
		return nil, fmt.Errorf("kek: %w", err)
	}
	if k.claims, err = readPRF(file.Claims); err != nil {
		return nil, fmt.Errorf("claims: %w", err)
	}
	if k.tokens, err = readPRF(file.Tokens); err != nil {
		return nil, fmt.Errorf("tokens: %w", err)
	}
	return k, nil
}

func readKeyset(text []byte) (*keyset.Handle, error) {
	return insecurecleartextkeyset.Read(keyset.NewJSONReader(bytes.NewReader(text)))
}

// readPRF also computes once, so that the functions below cannot fail later.
func readPRF(text []byte) (*prf.Set, error) {
	handle, err := readKeyset(text)
	if err != nil {
		return nil, err
	}
	set, err := prf.NewPRFSet(handle)
	if err != nil {
		return nil, err
	}
	_, err = set.ComputePrimaryPRF(nil, prfSize)
	return set, err
}

// Fingerprint names the key file without revealing it. Two files have different fingerprints.
func (k *Keys) Fingerprint() string {
	out := k.secret(k.claims, "fingerprint")
	return hex.EncodeToString(out[:16])
}

// Claim is the tag value under which a personal claim (an e-mail, an external subject) is unique in a tenant: 64 hex
// digits, the same for the same words for ever, comparable neither across tenants nor across kinds. Normalise first.
func (k *Keys) Claim(tenant uuid.UUID, kind, value string) string {
	derived, ok := k.tenants.Load(tenant)
	if !ok {
		tenantKey := k.secret(k.claims, "tenant", string(tenant[:]))
		made, err := prfsubtle.NewHMACPRF("SHA256", tenantKey[:])
		if err != nil {
			panic(fmt.Sprintf("vault: HMAC-SHA256 is gone: %v", err))
		}
		derived, _ = k.tenants.LoadOrStore(tenant, prf.PRF(made))
	}
	out := compute(derived.(prf.PRF), kind, value)
	return hex.EncodeToString(out[:])
}

// TokenSecret is the secret of a token named by parts: the same parts give the same secret, which is how the replay of
// an idempotent issue-token shows the token again without storing it. The parts MUST hold something that is never used twice.
func (k *Keys) TokenSecret(parts ...string) [32]byte { return k.secret(k.tokens, parts...) }

func (k *Keys) secret(set *prf.Set, parts ...string) [prfSize]byte {
	return compute(set.PRFs[set.PrimaryID], parts...)
}

// compute feeds every part with its length in front, so that no two lists of parts meet.
func compute(f prf.PRF, parts ...string) [prfSize]byte {
	var space [256]byte
	input := space[:0]
	for _, part := range parts {
		input = binary.BigEndian.AppendUint64(input, uint64(len(part)))
		input = append(input, part...)
	}
	out, err := f.ComputePRF(input, prfSize)
	if err != nil {
		panic(fmt.Sprintf("vault: a PRF that worked when its key was read fails: %v", err))
	}
	return [prfSize]byte(out)
}
