package projections_test

import (
	"testing"

	"chancery/domain"
	"chancery/projections"
)

func TestAnIdentityIsUnlinkedAndItsSubjectLinkedAgain(t *testing.T) {
	first, second := domain.IdentityID{UUID: uid(0x1d, 1)}, domain.IdentityID{UUID: uid(0x1d, 2)}
	ann, bob := domain.UserID{UUID: uid(0x05, 1)}, domain.UserID{UUID: uid(0x05, 2)}
	given(
		domain.IdentityLinked{Identity: first, User: ann, Issuer: "https://login.test", Subject: sealed("s"), Key: hashed("identity:aa")},
		domain.IdentityUnlinked{Identity: first, User: ann, Released: hashed("identity:aa")},
		domain.IdentityLinked{Identity: second, User: bob, Issuer: "https://login.test", Subject: sealed("s"), Key: hashed("identity:aa")},
	).expect(t, projections.Core,
		"SELECT id, user_id, issuer, subject, subject_key, status, created_at, unlinked_at, version FROM user_identities ORDER BY id",
		"1d01 0501 https://login.test sealed:s identity:aa unlinked 08:01 08:02 2",
		"1d02 0502 https://login.test sealed:s identity:aa linked 08:03 - 3")
}
