package readmodels

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"

	"chancery/domain"
	"chancery/readmodels/internal/decimal"
	"chancery/readmodels/internal/rows"
)

// Policy is a setting and its value in a tenant; one that was never changed is listed with its default.
type Policy struct {
	TenantID    uuid.UUID     `json:"tenant_id"`
	ID          uuid.UUID     `json:"id"`
	Key         string        `json:"key"`
	Type        string        `json:"type"`
	Value       string        `json:"value"`
	Default     string        `json:"default"`
	Description string        `json:"description"`
	Status      string        `json:"status"`   // set, or default
	Revision    decimal.Int64 `json:"revision"` // how often the setting changed
	CreatedAt   *time.Time    `json:"created_at"`
	UpdatedAt   *time.Time    `json:"updated_at"`
	Version     decimal.Int64 `json:"version"`
}

func (i *Policy) key() (string, decimal.Int64) { return i.ID.String(), i.Version }

var policies = collection(
	Collection{
		Name: "policies", Kind: "policy", Projector: core,
		Filters: []Filter{text("key"), text("status", "set", "default")},
	},
	func(ctx context.Context, db *rows.Queries, q query) ([]Policy, error) {
		found, err := db.Policies(ctx, q.tenant)
		if err != nil {
			return nil, err
		}
		changed := make(map[uuid.UUID]rows.PoliciesRow, len(found))
		for _, r := range found {
			changed[r.ID] = r
		}
		var all []Policy
		for _, s := range domain.Settings {
			if p := policyOf(q.tenant, s, changed); !s.Platform || q.tenant == domain.Root.UUID {
				all = append(all, p)
			}
		}
		return q.pick(all), nil
	})

func policyOf(tenant uuid.UUID, s domain.Setting, changed map[uuid.UUID]rows.PoliciesRow) Policy {
	p := Policy{
		TenantID: tenant, ID: s.ID(domain.TenantID{UUID: tenant}).UUID, Key: s.Key, Type: string(s.Type),
		Value: s.Default, Default: s.Default, Description: s.Doc, Status: "default",
	}
	if r, ok := changed[p.ID]; ok {
		p.Status, p.Revision, p.Version = r.Status, r.Revision, r.Version
		p.CreatedAt, p.UpdatedAt = &r.CreatedAt, &r.UpdatedAt
		if r.Value != nil {
			p.Value = *r.Value
		}
	}
	return p
}

// pick is what the query would have chosen if the settings were rows.
func (q query) pick(all []Policy) []Policy {
	is := func(asked *string, value string) bool { return asked == nil || *asked == value }
	all = slices.DeleteFunc(all, func(p Policy) bool {
		id := p.ID.String()
		return id <= q.after || q.only != "" && id != q.only || !is(q.text("key"), p.Key) || !is(q.text("status"), p.Status)
	})
	slices.SortFunc(all, func(a, b Policy) int { return strings.Compare(a.ID.String(), b.ID.String()) })
	return all[:min(len(all), int(q.limit))]
}
