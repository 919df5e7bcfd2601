package projections

import (
	"context"

	"chancery/domain"
	"chancery/internal/dcb"
	"chancery/projections/internal/rows"
)

// credentials: a removed one keeps its row and loses its material, which is sealed and stays so.
var credentials = feature{
	tables: []string{"user_credentials"},
	writes: []handler{
		on(func(ctx context.Context, q *rows.Queries, m dcb.Meta, e domain.PasswordSet) error {
			if e.Rehashed {
				return q.RehashPassword(ctx, rows.RehashPasswordParams{
					TenantID: m.Tenant, ID: e.Credential.UUID, Material: e.Hash.Ciphertext(), Version: m.Position,
				})
			}
			return q.SetPassword(ctx, rows.SetPasswordParams{
				TenantID: m.Tenant, ID: e.Credential.UUID, UserID: e.User.UUID, Material: e.Hash.Ciphertext(), At: m.At, Version: m.Position,
			})
		}),
		on(func(ctx context.Context, q *rows.Queries, m dcb.Meta, e domain.TOTPEnrolled) error {
			return q.AddCredential(ctx, rows.AddCredentialParams{
				TenantID: m.Tenant, ID: e.Credential.UUID, UserID: e.User.UUID, Kind: string(domain.TOTP), Name: e.Name,
				Status: "unconfirmed", Material: e.Seed.Ciphertext(), At: m.At, Version: m.Position,
			})
		}),
		on(func(ctx context.Context, q *rows.Queries, m dcb.Meta, e domain.TOTPConfirmed) error {
			return q.ConfirmCredential(ctx, rows.ConfirmCredentialParams{TenantID: m.Tenant, ID: e.Credential.UUID, At: &m.At, Version: m.Position})
		}),
		on(func(ctx context.Context, q *rows.Queries, m dcb.Meta, e domain.RecoveryCodesIssued) error {
			left := int32(e.Count)
			return q.AddCredential(ctx, rows.AddCredentialParams{
				TenantID: m.Tenant, ID: e.Credential.UUID, UserID: e.User.UUID, Kind: string(domain.RecoveryCodes),
				Status: "active", Material: e.Codes.Ciphertext(), CodesLeft: &left, At: m.At, Version: m.Position,
			})
		}),
		on(func(ctx context.Context, q *rows.Queries, m dcb.Meta, e domain.PasskeyRegistered) error {
			return q.AddCredential(ctx, rows.AddCredentialParams{
				TenantID: m.Tenant, ID: e.Credential.UUID, UserID: e.User.UUID, Kind: string(domain.Passkey), Name: e.Name,
				Status: "active", Material: e.Key.Ciphertext(), At: m.At, Version: m.Position,
			})
		}),
		on(func(ctx context.Context, q *rows.Queries, m dcb.Meta, e domain.CredentialUsed) error {
			if e.Left != nil {
				left := int32(*e.Left)
				return q.UseCode(ctx, rows.UseCodeParams{TenantID: m.Tenant, ID: e.Credential.UUID, At: &m.At, CodesLeft: &left, Version: m.Position})
			}
			return q.UseCredential(ctx, rows.UseCredentialParams{TenantID: m.Tenant, ID: e.Credential.UUID, At: &m.At, Version: m.Position})
		}),
		on(func(ctx context.Context, q *rows.Queries, m dcb.Meta, e domain.CredentialRemoved) error {
			return q.RemoveCredential(ctx, rows.RemoveCredentialParams{TenantID: m.Tenant, ID: e.Credential.UUID, At: &m.At, Version: m.Position})
		}),
	},
	objects: []object{
		about(func(e domain.PasswordSet) dcb.Tagger { return e.Credential }),
		about(func(e domain.TOTPEnrolled) dcb.Tagger { return e.Credential }),
		about(func(e domain.TOTPConfirmed) dcb.Tagger { return e.Credential }),
		about(func(e domain.RecoveryCodesIssued) dcb.Tagger { return e.Credential }),
		about(func(e domain.PasskeyRegistered) dcb.Tagger { return e.Credential }),
		about(func(e domain.CredentialUsed) dcb.Tagger { return e.Credential }),
		about(func(e domain.CredentialRemoved) dcb.Tagger { return e.Credential }),
	},
}
