package readmodels

import (
	"context"

	"github.com/google/uuid"

	"chancery/readmodels/internal/decimal"
	"chancery/readmodels/internal/rows"
)

// Credential is what a user proves themselves with, without its material.
type Credential rows.CredentialsRow

func (i *Credential) key() (string, decimal.Int64) { return i.ID.String(), i.Version }

// OwnedBy reports whether it is the user's.
func (i *Credential) OwnedBy(user uuid.UUID) bool { return i.UserID == user }

var credentials = collection(
	Collection{
		Name: "credentials", Kind: "credential", Projector: core,
		Filters: []Filter{
			id("user_id"), text("kind", "password", "totp", "recovery-codes", "passkey"), text("status", "unconfirmed", "active", "removed"),
		},
	},
	func(ctx context.Context, db *rows.Queries, q query) ([]Credential, error) {
		found, err := db.Credentials(ctx, rows.CredentialsParams{
			TenantID: q.tenant, After: q.afterID(), RowLimit: q.limit, ID: q.onlyID(),
			UserID: q.id("user_id"), Kind: q.text("kind"), Status: q.text("status"),
		})
		return each(found, func(r rows.CredentialsRow) Credential { return Credential(r) }), err
	})
