package projections

import (
	"context"

	"chancery/domain"
	"chancery/internal/dcb"
	"chancery/projections/internal/rows"
)

// endpoints: keys stay sealed. What was deleted keeps its row, without keys; what was attempted is kept beside it.
var endpoints = feature{
	tables: []string{"endpoints"},
	writes: []handler{
		on(createEndpoint),
		on(changeEndpoint),
		on(rotateEndpointSecret),
		on(func(ctx context.Context, q *rows.Queries, m dcb.Meta, e domain.EndpointEnabled) error {
			if e.Skips {
				return q.EnableEndpointSkipping(ctx, rows.EnableEndpointSkippingParams{
					TenantID: m.Tenant, ID: e.Endpoint.UUID, TenantSeq: m.TenantSeq, At: m.At, Version: m.Position,
				})
			}
			return q.EnableEndpoint(ctx, rows.EnableEndpointParams{TenantID: m.Tenant, ID: e.Endpoint.UUID, At: m.At, Version: m.Position})
		}),
		on(func(ctx context.Context, q *rows.Queries, m dcb.Meta, e domain.EndpointDisabled) error {
			return q.DisableEndpoint(ctx, rows.DisableEndpointParams{
				TenantID: m.Tenant, ID: e.Endpoint.UUID, Why: orNull(string(e.Why)), Reason: orNull(e.Reason),
				FailingSince: timeOrNull(e.FailingSince), NotBefore: timeOrNull(e.NotBefore), At: &m.At, Version: m.Position,
			})
		}),
		on(func(ctx context.Context, q *rows.Queries, m dcb.Meta, e domain.EndpointDeleted) error {
			return q.DeleteEndpoint(ctx, rows.DeleteEndpointParams{TenantID: m.Tenant, ID: e.Endpoint.UUID, At: m.At, Version: m.Position})
		}),
		on(func(ctx context.Context, q *rows.Queries, m dcb.Meta, e domain.EndpointSecretDestroyed) error {
			return touchEndpoint(ctx, q, m, e.Endpoint)
		}),
		on(func(ctx context.Context, q *rows.Queries, m dcb.Meta, e domain.EndpointTested) error {
			return touchEndpoint(ctx, q, m, e.Endpoint)
		}),
		on(func(ctx context.Context, q *rows.Queries, m dcb.Meta, e domain.RedeliveryRequested) error {
			return touchEndpoint(ctx, q, m, e.Endpoint)
		}),
		ignoring[domain.EndpointSecretRevealed](),
	},
	objects: []object{
		about(func(e domain.EndpointCreated) dcb.Tagger { return e.Endpoint }),
		about(func(e domain.EndpointChanged) dcb.Tagger { return e.Endpoint }),
		about(func(e domain.EndpointSecretRotated) dcb.Tagger { return e.Endpoint }),
		about(func(e domain.EndpointSecretDestroyed) dcb.Tagger { return e.Endpoint }),
		about(func(e domain.EndpointEnabled) dcb.Tagger { return e.Endpoint }),
		about(func(e domain.EndpointDisabled) dcb.Tagger { return e.Endpoint }),
		about(func(e domain.EndpointDeleted) dcb.Tagger { return e.Endpoint }),
		about(func(e domain.EndpointTested) dcb.Tagger { return e.Endpoint }),
		about(func(e domain.RedeliveryRequested) dcb.Tagger { return e.Endpoint }),
		about(func(e domain.EndpointSecretRevealed) dcb.Tagger { return domain.EndpointID(e.Endpoint) }),
	},
}

func createEndpoint(ctx context.Context, q *rows.Queries, m dcb.Meta, e domain.EndpointCreated) error {
	t := e.Terms
	return q.CreateEndpoint(ctx, rows.CreateEndpointParams{
		TenantID: m.Tenant, ID: e.Endpoint.UUID, AppID: string(e.App), Kind: string(e.Kind), Description: t.Description, Types: typesOf(t),
		Filter: orNull(t.Filter), Url: orNull(t.URL), Body: string(t.Body), OrderBy: orNull(t.OrderBy), Concurrency: int32(t.Concurrency),
		PerSecond: int32(t.PerSecond), LeaseSeconds: int32(t.Lease), MaxAttempts: int32(t.Attempts), StartsAfter: m.TenantSeq,
		FromTime: timeOrNull(e.From), OwnerUserID: orNull(m.Actor), At: m.At, Version: m.Position,
	})
}

func changeEndpoint(ctx context.Context, q *rows.Queries, m dcb.Meta, e domain.EndpointChanged) error {
	t := e.Terms
	return q.ChangeEndpoint(ctx, rows.ChangeEndpointParams{
		TenantID: m.Tenant, ID: e.Endpoint.UUID, Description: t.Description, Types: typesOf(t), Filter: orNull(t.Filter), Url: orNull(t.URL),
		Body: string(t.Body), OrderBy: orNull(t.OrderBy), Concurrency: int32(t.Concurrency), PerSecond: int32(t.PerSecond),
		LeaseSeconds: int32(t.Lease), MaxAttempts: int32(t.Attempts), At: m.At, Version: m.Position,
	})
}

func rotateEndpointSecret(ctx context.Context, q *rows.Queries, m dcb.Meta, e domain.EndpointSecretRotated) error {
	secret, private, public := orNull(e.Value.Ciphertext()), orNull(e.Private.Ciphertext()), orNull(e.Public)
	if e.GraceUntil.IsZero() {
		return q.ReplaceEndpointSecret(ctx, rows.ReplaceEndpointSecretParams{
			TenantID: m.Tenant, ID: e.Endpoint.UUID, SecretSealed: secret, PrivateSealed: private, PublicKey: public,
			Number: int32(e.Number), At: &m.At, Version: m.Position,
		})
	}
	return q.RotateEndpointSecret(ctx, rows.RotateEndpointSecretParams{
		TenantID: m.Tenant, ID: e.Endpoint.UUID, SecretSealed: secret, PrivateSealed: private, PublicKey: public, PreviousUntil: &e.GraceUntil,
		Number: int32(e.Number), At: &m.At, Version: m.Position,
	})
}

func typesOf(t domain.EndpointTerms) []string {
	all := make([]string, len(t.Types))
	for i, p := range t.Types {
		all[i] = string(p)
	}
	return all
}

func touchEndpoint(ctx context.Context, q *rows.Queries, m dcb.Meta, id domain.EndpointID) error {
	return q.TouchEndpoint(ctx, rows.TouchEndpointParams{TenantID: m.Tenant, ID: id.UUID, Version: m.Position})
}
