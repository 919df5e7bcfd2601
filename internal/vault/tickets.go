package vault

import (
	"fmt"

	"github.com/tink-crypto/tink-go/v2/aead/subtle"
	"github.com/tink-crypto/tink-go/v2/prf"
	"github.com/tink-crypto/tink-go/v2/tink"
)

// ticketKey is derived from the claims' function, whose inputs are all ours: nobody can have it compute the key for him. Its
// nonces are long enough to be random for as many tickets as strangers may ask for.
func ticketKey(claims *prf.Set) (tink.AEAD, error) {
	key := secret(claims, "tickets")
	return subtle.NewXChaCha20Poly1305(key[:])
}

// SealTicket hands plain to a caller who brings it back later, and can neither read nor change it meanwhile. A ticket opens
// for its purpose only, in every process that has the same keyring, and for ever: put its end into it.
func (k *Keys) SealTicket(purpose string, plain []byte) string {
	sealed, err := k.ring.Load().tickets.Encrypt(plain, []byte("chancery/ticket/1\x00"+purpose))
	if err != nil {
		panic(fmt.Sprintf("vault: a ticket cannot be sealed: %v", err)) // its only cause is a text of 256 GiB
	}
	return cipherText.EncodeToString(sealed)
}

// OpenTicket returns what SealTicket sealed for this purpose; false for everything else.
func (k *Keys) OpenTicket(purpose, text string) ([]byte, bool) {
	sealed, err := cipherText.DecodeString(text)
	if err != nil {
		return nil, false
	}
	plain, err := k.ring.Load().tickets.Decrypt(sealed, []byte("chancery/ticket/1\x00"+purpose))
	return plain, err == nil
}
