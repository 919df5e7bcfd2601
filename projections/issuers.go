package projections

import (
	"context"
	"fmt"

	"github.com/go-json-experiment/json"

	"chancery/domain"
	"chancery/internal/dcb"
	"chancery/projections/internal/rows"
)

// issuers: a removed issuer keeps its row.
var issuers = feature{
	tables: []string{"issuers"},
	writes: []handler{
		on(func(ctx context.Context, q *rows.Queries, m dcb.Meta, e domain.IssuerAdded) error {
			groups, err := groupMap(e.GroupMap)
			if err != nil {
				return err
			}
			return q.AddIssuer(ctx, rows.AddIssuerParams{
				TenantID: m.Tenant, ID: e.Issuer.UUID, Name: e.Name, Url: e.URL, ClientID: e.ClientID, ClientSecret: e.ClientSecret,
				Scopes: listed(e.Scopes), Audiences: listed(e.Audiences), Provisioning: string(e.Provisioning), GroupsClaim: e.GroupsClaim,
				GroupMap: groups, Status: issuerStatus(e.Enabled), At: m.At, Version: m.Position,
			})
		}),
		on(func(ctx context.Context, q *rows.Queries, m dcb.Meta, e domain.IssuerChanged) error {
			groups, err := groupMap(e.GroupMap)
			if err != nil {
				return err
			}
			return q.ChangeIssuer(ctx, rows.ChangeIssuerParams{
				TenantID: m.Tenant, ID: e.Issuer.UUID, Name: e.Name, ClientID: e.ClientID, ClientSecret: e.ClientSecret,
				Scopes: listed(e.Scopes), Audiences: listed(e.Audiences), Provisioning: string(e.Provisioning), GroupsClaim: e.GroupsClaim,
				GroupMap: groups, Status: issuerStatus(e.Enabled), At: m.At, Version: m.Position,
			})
		}),
		on(func(ctx context.Context, q *rows.Queries, m dcb.Meta, e domain.IssuerRemoved) error {
			return q.RemoveIssuer(ctx, rows.RemoveIssuerParams{TenantID: m.Tenant, ID: e.Issuer.UUID, At: m.At, Version: m.Position})
		}),
	},
	objects: []object{
		about(func(e domain.IssuerAdded) dcb.Tagger { return e.Issuer }),
		about(func(e domain.IssuerChanged) dcb.Tagger { return e.Issuer }),
		about(func(e domain.IssuerRemoved) dcb.Tagger { return e.Issuer }),
	},
}

func issuerStatus(enabled bool) string {
	if enabled {
		return "enabled"
	}
	return "disabled"
}

// listed is never nil: the column takes no NULL.
func listed(words []string) []string { return append([]string{}, words...) }

func groupMap(all []domain.GroupMapping) ([]byte, error) {
	text, err := json.Marshal(append([]domain.GroupMapping{}, all...))
	if err != nil {
		return nil, fmt.Errorf("encode the group map: %w", err)
	}
	return text, nil
}
