package projections_test

import (
	"testing"

	"chancery/domain"
	"chancery/internal/dcb"
	"chancery/projections"
)

// secret is what nobody opens.
func secret(s string) (out dcb.Sealed) {
	_ = out.UnmarshalText([]byte("sealed:2:" + s))
	return out
}

func TestCredentialsComeAndGoAndKeepTheirMaterialSealed(t *testing.T) {
	id := func(n int) domain.CredentialID { return domain.CredentialID{UUID: uid(0xcd, n)} }
	ann := domain.UserID{UUID: uid(0x05, 1)}
	left := 8
	given(
		domain.PasswordSet{Credential: id(1), User: ann, Hash: secret("a")},
		domain.TOTPEnrolled{Credential: id(2), User: ann, Name: "phone", Seed: secret("b")},
		domain.TOTPConfirmed{Credential: id(2), User: ann, Use: "use:x/1"},
		domain.RecoveryCodesIssued{Credential: id(3), User: ann, Codes: secret("c"), Count: 9},
		domain.CredentialUsed{Credential: id(3), User: ann, Use: "use:x/2", Left: &left},
		domain.PasskeyRegistered{Credential: id(4), User: ann, Name: "laptop", Key: secret("d"), KeyID: hashed("passkey:aa")},
		domain.CredentialUsed{Credential: id(4), User: ann, Counter: 3},
		domain.PasswordSet{Credential: id(1), User: ann, Hash: secret("e"), Rehashed: true},
		domain.RecoveryCodesIssued{Credential: id(5), User: ann, Codes: secret("f"), Count: 10},
		domain.CredentialRemoved{Credential: id(3), User: ann},
		domain.PasswordSet{Credential: id(1), User: ann, Hash: secret("g")},
		domain.TOTPEnrolled{Credential: id(6), User: ann, Name: "other", Seed: secret("h")},
		domain.CredentialRemoved{Credential: id(4), User: ann},
		domain.PasswordSet{Credential: id(7), User: ann, Hash: secret("i")},
		domain.CredentialRemoved{Credential: id(7), User: ann},
		domain.PasswordSet{Credential: id(7), User: ann, Hash: secret("j")},
	).expect(t, projections.Core,
		"SELECT id, user_id, kind, name, status, material, codes_left, created_at, changed_at, last_used_at, removed_at, version FROM user_credentials ORDER BY id",
		"cd01 0501 password  active sealed:2:g - 08:01 08:11 - - 11",
		"cd02 0501 totp phone active sealed:2:b - 08:02 - 08:03 - 3",
		"cd03 0501 recovery-codes  removed  8 08:04 - 08:05 08:10 10",
		"cd04 0501 passkey laptop removed  - 08:06 - 08:07 08:13 13",
		"cd05 0501 recovery-codes  active sealed:2:f 10 08:09 - - - 9",
		"cd06 0501 totp other unconfirmed sealed:2:h - 08:12 - - - 12",
		"cd07 0501 password  active sealed:2:j - 08:14 08:16 - - 16")
}
