package projections_test

import (
	"testing"

	"chancery/domain"
	"chancery/internal/dcb"
	"chancery/projections"
)

func sealed(s string) dcb.Personal { return dcb.FromCiphertext("sealed:" + s) }
func hashed(s string) dcb.Claim    { return dcb.Claim{}.Hashed(dcb.Tag(s)) }

func TestAUserIsChangedMovedDeactivatedAndReactivated(t *testing.T) {
	ann, bob := domain.UserID{UUID: uid(0x05, 1)}, domain.UserID{UUID: uid(0x05, 2)}
	eve := domain.UserID{UUID: uid(0x05, 3)}
	sales, emea := domain.DepartmentID{UUID: uid(0xde, 1)}, domain.DepartmentID{UUID: uid(0xde, 2)}
	given(
		domain.UserRegistered{User: ann, Email: sealed("ann"), EmailKey: hashed("email:aa"), DisplayName: sealed("Ann"), Department: sales, Status: domain.UserActive},
		domain.UserRegistered{User: bob, DisplayName: sealed("Bob"), Status: domain.UserInvited},
		domain.UserRegistered{User: eve, DisplayName: sealed("Eve"), Department: emea, Status: domain.UserActive},
		domain.UserUpdated{User: ann, DisplayName: sealed("Anna")},
		domain.UserMoved{User: ann, Department: emea, From: sales},
		domain.UserReactivated{User: bob},
		domain.UserMoved{User: eve, From: emea},
		domain.UserDeactivated{User: eve, Reason: "left"},
		domain.UserDeactivated{User: ann},
		domain.UserReactivated{User: ann},
	).expect(t, projections.Core,
		"SELECT id, email, email_key, display_name, department_id, status, created_at, updated_at, deactivated_at, version FROM users ORDER BY id",
		"0501 sealed:ann email:aa sealed:Anna de02 active 08:01 08:10 - 10",
		"0502 - - sealed:Bob - active 08:02 08:06 - 6",
		"0503 - - sealed:Eve - inactive 08:03 08:08 08:08 8")
}

func TestAnAddressGoesFromOneUserToAnother(t *testing.T) {
	ann, bob := domain.UserID{UUID: uid(0x05, 1)}, domain.UserID{UUID: uid(0x05, 2)}
	given(
		domain.UserRegistered{User: ann, Email: sealed("office"), EmailKey: hashed("email:aa"), DisplayName: sealed("Ann"), Status: domain.UserActive},
		domain.UserEmailChanged{User: ann, Email: sealed("ann"), EmailKey: hashed("email:bb"), Released: hashed("email:aa")},
		domain.UserRegistered{User: bob, Email: sealed("office"), EmailKey: hashed("email:aa"), DisplayName: sealed("Bob"), Status: domain.UserActive},
	).expect(t, projections.Core, "SELECT id, email, email_key, version FROM users ORDER BY id",
		"0501 sealed:ann email:bb 2", "0502 sealed:office email:aa 3")
}

func TestAUserCanBeReachedAndThenNoMore(t *testing.T) {
	ann, bob := domain.UserID{UUID: uid(0x05, 1)}, domain.UserID{UUID: uid(0x05, 2)}
	given(
		domain.UserRegistered{User: ann, DisplayName: sealed("Ann"), Status: domain.UserActive},
		domain.UserRegistered{User: bob, DisplayName: sealed("Bob"), Status: domain.UserActive},
		domain.UserContactChanged{User: ann, Phone: sealed("+49"), Address: sealed("Weg 1")},
		domain.UserContactChanged{User: bob, Phone: sealed("+48"), Address: sealed("Weg 2")},
		domain.UserContactChanged{User: bob, Address: sealed("Weg 3")},
		domain.UserExported{User: bob},
	).expect(t, projections.Core, "SELECT id, phone, address, updated_at, version FROM users ORDER BY id",
		"0501 sealed:+49 sealed:Weg 1 08:03 3", "0502 - sealed:Weg 3 08:05 5")
}

func TestTheSameAddressInTwoTenantsIsNoClaimOnEither(t *testing.T) {
	event := domain.UserRegistered{User: domain.UserID{UUID: uid(0x05, 1)}, Email: sealed("ann"), EmailKey: hashed("email:aa"), DisplayName: sealed("Ann"), Status: domain.UserActive}
	given(event).in(domain.Root, event).expect(t, projections.Core, "SELECT tenant_id, email_key FROM users ORDER BY tenant_id",
		"0001 email:aa", "acce email:aa")
}

func TestAClaimInTheClearNeverReachesATable(t *testing.T) {
	page := given(domain.UserRegistered{User: domain.UserID{UUID: uid(0x05, 1)}, EmailKey: domain.Email("ann@acme.test").Claim(), Status: domain.UserActive})
	if err := projections.Core.Apply(t.Context(), nil, page); err == nil {
		t.Error("no error")
	}
}
