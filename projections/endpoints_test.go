package projections_test

import (
	"testing"
	"time"

	"chancery/domain"
	"chancery/projections"
)

var (
	hook      = domain.EndpointID{UUID: uid(0x60, 1)}
	hookSince = time.Date(2026, 1, 2, 7, 0, 0, 0, time.UTC)
)

// numberedIn gives the events their places in the tenant, from 101.
func (h history) numberedIn() history {
	for i := range h {
		h[i].TenantSeq = int64(101 + i)
	}
	return h
}

func hookCreated() history {
	return given(
		domain.EndpointCreated{Endpoint: hook, App: "crm", Kind: domain.Webhook, From: hookSince, Terms: domain.EndpointTerms{
			Description: "to the CRM", Types: []domain.EventPattern{"core.user.*", "shop.order.placed"}, Filter: "data.size > 3",
			URL: "https://crm.example/", Body: domain.Full, OrderBy: "subject", Concurrency: 10, PerSecond: 5,
		}},
		domain.EndpointSecretRotated{Endpoint: hook, Version: hook.SecretID(1), Number: 1, Value: hidden("one"), Private: hidden("p-one"), Public: "whpk_1"},
	)
}

func hookRotated(grace time.Time) domain.EndpointSecretRotated {
	return domain.EndpointSecretRotated{
		Endpoint: hook, Version: hook.SecretID(2), Number: 2, Value: hidden("two"), Private: hidden("p-two"), Public: "whpk_2",
		Previous: hook.SecretID(1), GraceUntil: grace,
	}
}

const (
	selectEndpoints = "SELECT id, app_id, kind, status, description, array_to_string(types, ','), filter, url, body, order_by, concurrency, per_second, lease_seconds, max_attempts, starts_after, from_time, owner_user_id, created_at, updated_at, version FROM endpoints"
	selectHookKeys  = "SELECT secret_version, public_key, secret_sealed, private_sealed, previous_until, secret_rotated_at FROM endpoints"
	selectHookState = "SELECT status, disabled_at, disabled_why, disabled_reason, failing_since, enable_not_before, skipped_through, version FROM endpoints"
)

func TestAnEndpointIsShownWithItsTerms(t *testing.T) {
	hookCreated().numberedIn().expect(t, projections.Core, selectEndpoints,
		"6001 crm webhook enabled to the CRM core.user.*,shop.order.placed data.size > 3 https://crm.example/ full subject 10 5 0 0 101 07:00 - 08:01 08:02 2")
	given(domain.EndpointCreated{Endpoint: hook, App: "crm", Kind: domain.Pull, Terms: domain.EndpointTerms{
		Types: []domain.EventPattern{"*"}, Body: domain.Thin, Lease: 30, Attempts: 10,
	}}).expect(t, projections.Core, selectEndpoints, "6001 crm pull enabled  * - - thin - 0 0 30 10 0 - - 08:01 08:01 1")
	changed := domain.EndpointTerms{Types: []domain.EventPattern{"core.user.*"}, URL: "https://new.example/", Body: domain.Thin, Concurrency: 3}
	hookCreated().then(domain.EndpointChanged{Endpoint: hook, Terms: changed}).numberedIn().expect(t, projections.Core, selectEndpoints,
		"6001 crm webhook enabled  core.user.* - https://new.example/ thin - 3 0 0 0 101 07:00 - 08:01 08:03 3")
}

func TestKeysStaySealedAndItIsShownHowLongThoseBeforeSign(t *testing.T) {
	hookCreated().expect(t, projections.Core, selectHookKeys, "1 whpk_1 sealed:2:one sealed:2:p-one - 08:02")
	once := hookCreated().then(hookRotated(due))
	once.expect(t, projections.Core, selectHookKeys, "2 whpk_2 sealed:2:two sealed:2:p-two 12:00 08:03")
	once.then(hookRotated(time.Time{})).expect(t, projections.Core, selectHookKeys, "2 whpk_2 sealed:2:two sealed:2:p-two - 08:04")
}

func TestADisabledEndpointSaysWhyAndFromWhenItCanGoOn(t *testing.T) {
	failed := domain.EndpointDisabled{Endpoint: hook, Why: domain.DisabledFailed, FailingSince: hookSince, NotBefore: due}
	hookCreated().then(failed).numberedIn().expect(t, projections.Core, selectHookState, "disabled 08:03 failing - 07:00 12:00 0 3")
	hookCreated().then(domain.EndpointDisabled{Endpoint: hook, Why: domain.DisabledByHand, Reason: "it moves"}).
		expect(t, projections.Core, selectHookState, "disabled 08:03 by-hand it moves - - 0 3")
	hookCreated().then(failed, domain.EndpointEnabled{Endpoint: hook}).numberedIn().expect(t, projections.Core, selectHookState, "enabled - - - - - 0 4")
	skipped := hookCreated().then(failed, domain.EndpointEnabled{Endpoint: hook, Skips: true}, failed, domain.EndpointEnabled{Endpoint: hook})
	skipped.numberedIn().expect(t, projections.Core, selectHookState, "enabled - - - - - 104 6")
}

func TestWhatIsSaidOfAnEndpointChangesItsVersionAlone(t *testing.T) {
	hookCreated().then(domain.EndpointTested{Endpoint: hook}, domain.RedeliveryRequested{Endpoint: hook, Failed: true},
		domain.EndpointSecretRevealed{Endpoint: domain.EndpointReading(hook), Version: hook.SecretID(1), Number: 1}).
		expect(t, projections.Core, "SELECT updated_at, version FROM endpoints", "08:02 4")
}

func TestADeletedEndpointHasNoKeys(t *testing.T) {
	deleted := hookCreated().then(hookRotated(due), domain.EndpointDeleted{Endpoint: hook}, hookKeysGone(1), hookKeysGone(2))
	deleted.expect(t, projections.Core, selectHookKeys, "2 whpk_2 - - - 08:03")
	deleted.expect(t, projections.Core, "SELECT status, updated_at, version FROM endpoints", "deleted 08:04 6")
}

func hookKeysGone(n int) domain.EndpointSecretDestroyed {
	return domain.EndpointSecretDestroyed{Endpoint: hook, Version: hook.SecretID(n), Number: n, Erases: hook.SecretID(n)}
}

func TestWhereKeysBeforeAreDestroyedTheRowKeepsItsOwn(t *testing.T) {
	hookCreated().then(hookRotated(time.Time{}), hookKeysGone(1)).expect(t, projections.Core, selectHookKeys, "2 whpk_2 sealed:2:two sealed:2:p-two - 08:03")
}
