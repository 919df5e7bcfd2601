package projections_test

import (
	"testing"

	"chancery/domain"
	"chancery/internal/dcb"
	"chancery/projections"
)

func TestASigningKeyIsShownByItsPublicPart(t *testing.T) {
	id := func(n int) domain.SigningKeyID { return domain.SigningKeyID{UUID: uid(0x16, n)} }
	v := domain.VendorIn(acme)
	given(
		domain.SigningKeyCreated{Key: id(1), Vendor: v, Kid: "k1", Public: `{"kty":"OKP","x":"one"}`, Private: dcb.Hide("sealed")},
		domain.SigningKeyCreated{Key: id(2), Vendor: v, Kid: "k2", Public: `{"kty":"OKP","x":"two"}`, Private: dcb.Hide("sealed")},
		domain.SigningKeyRegistered{Key: id(3), Vendor: v, Kid: "k3", Public: `{"kty":"OKP","x":"three"}`},
		domain.SigningKeyRetired{Key: id(1), Vendor: v, Reason: "old"},
		domain.SigningKeyRetired{Key: id(3), Vendor: v, Reason: "old"},
		domain.SigningKeyRevoked{Key: id(3), Vendor: v, Reason: "leaked"},
	).expect(t, projections.Core,
		"SELECT id, kid, jwk->>'x', origin, status, reason, created_at, retired_at, revoked_at, version FROM signing_keys ORDER BY id",
		"1601 k1 one created retired old 08:01 08:04 - 4",
		"1602 k2 two created active  08:02 - - 2",
		"1603 k3 three registered revoked leaked 08:03 08:05 08:06 6")
}
