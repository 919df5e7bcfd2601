package projections_test

import (
	"testing"

	"chancery/domain"
	"chancery/projections"
)

func TestASettingHasAValueOrItsDefault(t *testing.T) {
	days, mail := domain.TokenDays.ID(acme), domain.EmailRequired.ID(acme)
	given(
		domain.PolicySet{Policy: days, Key: domain.TokenDays.Key, Value: "90", Version: 1},
		domain.PolicySet{Policy: mail, Key: domain.EmailRequired.Key, Value: "true", Version: 1},
		domain.PolicySet{Policy: days, Key: domain.TokenDays.Key, Value: "30", Version: 2},
		domain.PolicyReset{Policy: mail, Key: domain.EmailRequired.Key, Version: 2},
	).expect(t, projections.Core, "SELECT key, value, revision, status, created_at, updated_at, version FROM tenant_policies ORDER BY key",
		"tokens.max-lifetime-days 30 2 set 08:01 08:03 3",
		"users.email-required - 2 default 08:02 08:04 4")
}

func TestASettingIsSetAgainAfterItWentBackToItsDefault(t *testing.T) {
	days := domain.TokenDays.ID(acme)
	given(
		domain.PolicySet{Policy: days, Key: domain.TokenDays.Key, Value: "90", Version: 1},
		domain.PolicyReset{Policy: days, Key: domain.TokenDays.Key, Version: 2},
		domain.PolicySet{Policy: days, Key: domain.TokenDays.Key, Value: "7", Version: 3},
	).expect(t, projections.Core, "SELECT value, revision, status, created_at FROM tenant_policies", "7 3 set 08:01")
}
