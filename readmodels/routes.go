package readmodels

import (
	"context"
	"time"

	"github.com/google/uuid"

	"chancery/readmodels/internal/decimal"
	"chancery/readmodels/internal/rows"
)

// Route is a part of the platform's address space that a version of an app serves. An empty host is every host, no methods are all.
// Where the version runs only the platform sees.
type Route struct {
	TenantID     uuid.UUID     `json:"tenant_id"`
	ID           uuid.UUID     `json:"id"`
	AppID        uuid.UUID     `json:"app_id"`
	App          string        `json:"app"`
	AppVersionID uuid.UUID     `json:"app_version_id"`
	AppVersion   string        `json:"app_version"`
	Host         string        `json:"host"`
	PathPrefix   string        `json:"path_prefix"`
	Methods      []string      `json:"methods"`
	Privilege    *string       `json:"privilege"`
	Public       bool          `json:"public"`
	APIVersion   *string       `json:"api_version"`
	Upstreams    []string      `json:"upstreams"`
	Status       string        `json:"status"`
	CreatedAt    time.Time     `json:"created_at"`
	UpdatedAt    time.Time     `json:"updated_at"`
	Version      decimal.Int64 `json:"version"`
}

func (i *Route) key() (string, decimal.Int64) { return i.ID.String(), i.Version }

var routes = collection(
	Collection{
		Name: "routes", Projector: core,
		Filters: []Filter{
			id("app_id"), text("app"), text("app_version"), text("host"), text("path_prefix"),
			text("status", "published", "yanked", "released"),
		},
	},
	func(ctx context.Context, db *rows.Queries, q query) ([]Route, error) {
		found, err := db.Routes(ctx, rows.RoutesParams{
			TenantID: q.tenant, After: q.afterID(), RowLimit: q.limit, ID: q.onlyID(), AppID: q.id("app_id"), App: q.text("app"),
			AppVersion: q.text("app_version"), Host: q.text("host"), PathPrefix: q.text("path_prefix"), Status: q.text("status"),
		})
		return each(found, routeOf), err
	})

// routeOf gives the version back its type, which what is computed has lost.
func routeOf(r rows.RoutesRow) Route {
	return Route{
		r.TenantID, r.ID, r.AppID, r.App, r.AppVersionID, r.AppVersion, r.Host, r.PathPrefix, r.Methods, r.Privilege, r.Public, r.ApiVersion,
		r.Upstreams, r.Status, r.CreatedAt, r.UpdatedAt, decimal.Int64(r.Version),
	}
}
