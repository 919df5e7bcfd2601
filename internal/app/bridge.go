package app

import (
	"fmt"

	"github.com/google/uuid"
	"github.com/prometheus/client_golang/prometheus"

	"chancery/domain"
	"chancery/internal/bridge"
	"chancery/internal/eventlog"
	"chancery/internal/feed"
)

// bridged are the followers that copy events to a broker; none where none is named.
func (a *App) bridged() ([]feed.Follower, error) {
	if a.config.BridgeURL == "" {
		return nil, nil
	}
	tenant, err := a.bridgedTenant()
	if err != nil {
		return nil, err
	}
	encoder := encoder()
	var published func(int)
	var refused func()
	b, err := bridge.New(bridge.Config{
		URL: a.config.BridgeURL, Prefix: a.config.BridgePrefix, Tenant: tenant, Type: domain.OutwardType,
		Encode:    func(raw *eventlog.Raw) ([]byte, error) { return encoder.Encode(raw, true) },
		Published: func(events int) { published(events) }, Refused: func() { refused() }, Log: a.log,
	})
	if err != nil {
		return nil, err
	}
	published, refused = a.bridgeMetrics(b.Name())
	a.onClose(b.Close)
	a.log.Info("events are copied", "to", b.Broker(), "checkpoint", b.Name())
	return []feed.Follower{b}, nil
}

// bridgedTenant is the one tenant whose events are copied; zero: those of all. The platform's is known before it is in the log.
func (a *App) bridgedTenant() (uuid.UUID, error) {
	name := a.config.BridgeTenant
	if name == "" {
		return uuid.Nil, nil
	}
	if id, _, known := a.index.Tenant(name); known {
		return id.UUID, nil
	}
	if name == "root" || name == domain.Root.String() {
		return domain.Root.UUID, nil
	}
	return uuid.Nil, fmt.Errorf("CHANCERY_BRIDGE_TENANT: there is no tenant with the id or slug %q", name)
}

// bridgeMetrics counts what is copied, and what is not taken. Other failures are those of the feed's followers: chancery_projection_failures_total.
func (a *App) bridgeMetrics(name string) (func(events int), func()) {
	published := prometheus.NewCounter(prometheus.CounterOpts{Name: "chancery_bridge_published_events_total", Help: "Events that the bridge's broker has acknowledged, each time that it did."})
	refused := prometheus.NewCounter(prometheus.CounterOpts{Name: "chancery_bridge_refusals_total", Help: "How often the bridge's broker did not take an event, as one that is too large or for which it has no room. The bridge does not go past it."})
	lag := prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "chancery_bridge_lag_seconds", Help: "Age of the oldest event that the bridge has seen and its broker has not acknowledged; 0 where another process works.",
	}, func() float64 { return a.feed.StatusOf(name).Lag.Seconds() })
	a.metrics.registry.MustRegister(published, refused, lag)
	return func(events int) { published.Add(float64(events)) }, refused.Inc
}
