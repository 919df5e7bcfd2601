package vault

import (
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"sync"
	"sync/atomic"

	"github.com/google/uuid"
	"github.com/tink-crypto/tink-go/v2/prf"
	prfsubtle "github.com/tink-crypto/tink-go/v2/prf/subtle"
)

const prfSize = 32

// Keys are the keys of a keyring: key-encryption keys, two keyed functions whose outputs are stored for ever, and peppers.
// They follow their source: a keyring that was rotated is read again when it is needed. Safe for concurrent use.
type Keys struct {
	redacted
	ring    atomic.Pointer[ring] // of one keyring always: the claims never change
	tenants sync.Map             // tenant uuid.UUID → prf.PRF for its claims; one entry a tenant, never dropped

	source  Source
	looked  atomic.Int64 // when the source was last asked whether it changed, in Unix nanoseconds
	renewal renewal
}

// Fingerprint names the keyring without revealing it. Two have different fingerprints; no rotation changes one.
func (k *Keys) Fingerprint() string { return fingerprint(k.ring.Load().claims) }

func fingerprint(claims *prf.Set) string {
	out := secret(claims, "fingerprint")
	return hex.EncodeToString(out[:16])
}

// Claim is the tag value under which a personal claim (an e-mail, an external subject) is unique in a tenant: 64 hex
// digits, the same for the same words for ever, comparable neither across tenants nor across kinds. Normalise first.
func (k *Keys) Claim(tenant uuid.UUID, kind, value string) string {
	derived, ok := k.tenants.Load(tenant)
	if !ok {
		tenantKey := secret(k.ring.Load().claims, "tenant", string(tenant[:]))
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
func (k *Keys) TokenSecret(parts ...string) [32]byte { return secret(k.ring.Load().tokens, parts...) }

func secret(set *prf.Set, parts ...string) [prfSize]byte {
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
