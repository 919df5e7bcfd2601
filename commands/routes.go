package commands

import (
	"slices"

	"chancery/domain"
	"chancery/internal/dcb"
)

// DeployAppVersion says where a version of an app runs. Sent to the platform.
type DeployAppVersion struct {
	App       domain.App    `json:"app" required:"true" description:"the app's name"`
	Version   domain.Semver `json:"version" required:"true" description:"its version"`
	Upstreams []string      `json:"upstreams" required:"true" nullable:"false" description:"where it runs now, in place of what was said before: host:port, or https://host:port; none: nowhere any more"`
}

func (c DeployAppVersion) Target() dcb.Tagger { return c.App.VersionID(c.Version) }

func (c DeployAppVersion) Decide(env Env) dcb.Decision {
	id := c.App.VersionID(c.Version)
	app, runs := domain.AppNamed(c.App), domain.UpstreamsOf(id)
	return dcb.From(app, runs).Decide(func() ([]dcb.Event, error) {
		if err := domain.FirstError(c.Version.Check("/version"), domain.CheckUpstreams("/upstreams", c.Upstreams)); err != nil {
			return nil, err
		}
		_, published := app.Value.Version(c.Version)
		switch {
		case env.Tenant != domain.Root:
			return nil, domain.ErrNotFound
		case !app.Value.Known:
			return nil, domain.At("/app", domain.ErrAppUnknown)
		case !published:
			return nil, domain.At("/version", domain.ErrVersionOfApp)
		case slices.Equal(runs.Value, c.Upstreams):
			return nil, nil
		}
		return dcb.Emit(domain.AppVersionDeployed{Version: id, App: c.App.ID(), Upstreams: c.Upstreams}) // no copy: addresses are not the vendor's business
	})
}

// ReleaseAppRoute gives a prefix up that no version of the app serves any more. Sent to the vendor's tenant.
type ReleaseAppRoute struct {
	App  domain.App `json:"app" required:"true" description:"the app's name"`
	Host string     `json:"host,omitzero" description:"as in the manifest; absent for every host"`
	Path string     `json:"path" required:"true" description:"the prefix, as in the manifest"`
}

func (c ReleaseAppRoute) Target() dcb.Tagger { return c.App.ID() }

func (c ReleaseAppRoute) Decide(env Env) dcb.Decision {
	key := domain.Route{Host: c.Host, Path: c.Path}.Key()
	vendor, app, holder := domain.VendorOf(env.Tenant), domain.AppNamed(c.App), domain.RouteHolder(key)
	return dcb.From(vendor, app, holder).Decide(func() ([]dcb.Event, error) {
		switch {
		case !vendor.Value:
			return nil, domain.ErrNotVendor
		case !app.Value.Known || app.Value.Vendor != domain.VendorIn(env.Tenant):
			return nil, domain.At("/app", domain.ErrAppUnknown)
		case holder.Value != c.App.ID().UUID:
			return nil, domain.At("/path", domain.ErrNoRoute)
		}
		var events []dcb.Event
		var spelled []domain.Route // versions may spell a prefix in several ways
		for _, v := range app.Value.Versions {
			for _, r := range v.Routes {
				switch as := (domain.Route{Host: r.Host, Path: r.Path}); {
				case r.Key() != key:
				case !v.Yanked:
					return nil, domain.At("/path", domain.ErrRouteUsed)
				case !slices.ContainsFunc(spelled, func(o domain.Route) bool { return o.Host == as.Host && o.Path == as.Path }):
					spelled = append(spelled, as)
					events = append(events, registered(app.Value.Vendor, domain.AppRouteReleased{App: c.App.ID(), Host: as.Host, Path: as.Path, Released: key})...)
				}
			}
		}
		return events, nil
	})
}
