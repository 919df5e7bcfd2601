package projections

import (
	"context"

	"chancery/domain"
	"chancery/internal/dcb"
	"chancery/projections/internal/rows"
)

// secrets: values stay sealed, and a reading gets a row of its own. What is destroyed keeps its row, without a value.
var secrets = feature{
	tables: []string{"secrets", "secret_versions", "secret_access_log"},
	writes: []handler{
		on(func(ctx context.Context, q *rows.Queries, m dcb.Meta, e domain.SecretCreated) error {
			return q.CreateSecret(ctx, rows.CreateSecretParams{
				TenantID: m.Tenant, ID: e.Secret.UUID, AppID: string(e.App), Name: e.Name, Description: e.Description,
				At: m.At, Version: m.Position,
			})
		}),
		on(rotateSecret),
		on(func(ctx context.Context, q *rows.Queries, m dcb.Meta, e domain.SecretDisabled) error {
			return setSecretStatus(ctx, q, m, e.Secret, "disabled")
		}),
		on(func(ctx context.Context, q *rows.Queries, m dcb.Meta, e domain.SecretEnabled) error {
			return setSecretStatus(ctx, q, m, e.Secret, "active")
		}),
		on(func(ctx context.Context, q *rows.Queries, m dcb.Meta, e domain.SecretVersionDestroyed) error {
			err := q.DestroySecretVersion(ctx, rows.DestroySecretVersionParams{TenantID: m.Tenant, ID: e.Version.UUID, At: &m.At, Version: m.Position})
			if err != nil {
				return err
			}
			return q.TouchSecret(ctx, rows.TouchSecretParams{TenantID: m.Tenant, ID: e.Secret.UUID, At: m.At, Version: m.Position})
		}),
		on(func(ctx context.Context, q *rows.Queries, m dcb.Meta, e domain.SecretDestroyed) error {
			return q.DestroySecret(ctx, rows.DestroySecretParams{TenantID: m.Tenant, ID: e.Secret.UUID, At: m.At, Version: m.Position})
		}),
		on(func(ctx context.Context, q *rows.Queries, m dcb.Meta, e domain.SecretScheduled) error {
			return q.ScheduleSecret(ctx, rows.ScheduleSecretParams{
				TenantID: m.Tenant, ID: e.Secret.UUID, EveryDays: int32(e.EveryDays), DueAt: timeOrNull(e.DueAt), At: m.At, Version: m.Position,
			})
		}),
		on(func(ctx context.Context, q *rows.Queries, m dcb.Meta, e domain.SecretRotationDue) error {
			return q.RemindSecret(ctx, rows.RemindSecretParams{TenantID: m.Tenant, ID: e.Secret.UUID, At: m.At, Version: m.Position})
		}),
		on(logSecretAccess),
	},
	objects: []object{
		about(func(e domain.SecretCreated) dcb.Tagger { return e.Secret }),
		about(func(e domain.SecretRotated) dcb.Tagger { return e.Secret }),
		about(func(e domain.SecretDisabled) dcb.Tagger { return e.Secret }),
		about(func(e domain.SecretEnabled) dcb.Tagger { return e.Secret }),
		about(func(e domain.SecretVersionDestroyed) dcb.Tagger { return e.Secret }),
		about(func(e domain.SecretDestroyed) dcb.Tagger { return e.Secret }),
		about(func(e domain.SecretScheduled) dcb.Tagger { return e.Secret }),
		about(func(e domain.SecretRotationDue) dcb.Tagger { return e.Secret }),
		about(func(e domain.SecretRead) dcb.Tagger { return domain.SecretID(e.Secret) }),
	},
}

func rotateSecret(ctx context.Context, q *rows.Queries, m dcb.Meta, e domain.SecretRotated) error {
	err := q.RotateSecret(ctx, rows.RotateSecretParams{
		TenantID: m.Tenant, ID: e.Secret.UUID, EncryptedBlob: e.Value.Ciphertext(), Number: int32(e.Number), DueAt: timeOrNull(e.DueAt),
		At: m.At, Version: m.Position,
	})
	if err != nil {
		return err
	}
	if e.Number > 1 {
		err = q.ReplaceSecretVersion(ctx, rows.ReplaceSecretVersionParams{
			TenantID: m.Tenant, ID: e.Previous.UUID, GraceUntil: timeOrNull(e.GraceUntil), At: &m.At, Version: m.Position,
		})
		if err != nil {
			return err
		}
	}
	return q.AddSecretVersion(ctx, rows.AddSecretVersionParams{
		TenantID: m.Tenant, ID: e.Version.UUID, SecretID: e.Secret.UUID, Number: int32(e.Number), At: m.At, Version: m.Position,
	})
}

func setSecretStatus(ctx context.Context, q *rows.Queries, m dcb.Meta, id domain.SecretID, status string) error {
	return q.SetSecretStatus(ctx, rows.SetSecretStatusParams{TenantID: m.Tenant, ID: id.UUID, Status: status, At: m.At, Version: m.Position})
}

// logSecretAccess keeps where a reading came from only where the reader is at home in the tenant: what is sealed for a
// user of the platform is not for the tenant to open.
func logSecretAccess(ctx context.Context, q *rows.Queries, m dcb.Meta, e domain.SecretRead) error {
	ip, agent := m.IP.Ciphertext(), m.Agent.Ciphertext()
	if m.ActorTenant != m.Tenant {
		ip, agent = "", ""
	}
	return q.LogSecretAccess(ctx, rows.LogSecretAccessParams{
		TenantID: m.Tenant, Position: m.Position, ID: m.ID, SecretID: e.Secret.UUID, VersionID: e.Version.UUID, Number: int32(e.Number),
		UserID: orNull(m.Actor), AppID: orNull(m.App), TokenID: orNull(m.Token), SessionID: orNull(m.Session), DelegationID: orNull(m.Delegation),
		Purpose: e.Purpose, Ip: orNull(ip), UserAgent: orNull(agent), At: m.At,
	})
}
