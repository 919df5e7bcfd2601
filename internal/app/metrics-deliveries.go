package app

import (
	"context"
	"sync"
	"time"

	"github.com/google/uuid"
	"github.com/prometheus/client_golang/prometheus"

	"chancery/internal/deliveries"
	"chancery/internal/ledger"
	"chancery/readmodels"
)

// deliveryMetrics tells of the endpoints that this process has in hand; of others their own processes tell. What it knows of an endpoint
// goes when the endpoint does.
//
// mu owns made.
type deliveryMetrics struct {
	app      *App
	attempts *prometheus.CounterVec
	took     prometheus.Histogram
	latency  prometheus.Histogram

	mu   sync.Mutex
	made map[endpointKey]map[string]float64 // attempts by outcome
}

type endpointKey struct{ tenant, endpoint uuid.UUID }

var (
	perEndpoint = []string{"tenant", "endpoint"}
	madeDesc    = prometheus.NewDesc("chancery_endpoint_attempts_total", "Attempts to deliver to an endpoint, by what became of the delivery: delivered, retrying, waiting or dead.", append(perEndpoint, "outcome"), nil)
	backlogDesc = prometheus.NewDesc("chancery_endpoint_backlog", "Deliveries to an endpoint that are to be tried again or wait behind another; counting ends at 20000.", perEndpoint, nil)
	oldestDesc  = prometheus.NewDesc("chancery_endpoint_oldest_pending_seconds", "Age of the oldest event that is on its way to an endpoint, or that nobody has looked at for it; 0 if there is none.", perEndpoint, nil)
	failingDesc = prometheus.NewDesc("chancery_endpoint_failing_seconds", "For how long nothing but failure came of attempts to deliver to an endpoint; 0 if the last one succeeded.", perEndpoint, nil)
)

func (a *App) newDeliveryMetrics() *deliveryMetrics {
	slow := prometheus.ExponentialBuckets(0.001, 2, 18) // 1 ms to 131 s
	m := &deliveryMetrics{
		app: a, made: map[endpointKey]map[string]float64{},
		attempts: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "chancery_delivery_attempts_total", Help: "Attempts to deliver an event to a webhook, by what became of the delivery: delivered, retrying, waiting or dead."}, []string{"outcome"}),
		took:     prometheus.NewHistogram(prometheus.HistogramOpts{Name: "chancery_delivery_seconds", Help: "Time of one attempt to deliver to a webhook.", Buckets: slow}),
		latency:  prometheus.NewHistogram(prometheus.HistogramOpts{Name: "chancery_delivery_latency_seconds", Help: "Time from the recording of an event to its delivery to a webhook.", Buckets: append(slow, 600, 3600, 6*3600, 24*3600, 72*3600)}),
	}
	a.metrics.registry.MustRegister(m.attempts, m.took, m.latency, m)
	return m
}

// sending measures attempts.
func (m *deliveryMetrics) sending(send func(context.Context, deliveries.Endpoint, deliveries.Item) deliveries.Outcome) func(context.Context, deliveries.Endpoint, deliveries.Item) deliveries.Outcome {
	return func(ctx context.Context, e deliveries.Endpoint, i deliveries.Item) deliveries.Outcome {
		out := send(ctx, e, i)
		m.took.Observe(out.Took.Seconds())
		if out.Delivered {
			m.latency.Observe(max(0, m.app.config.Now().Sub(i.Event.CreatedAt).Seconds()))
		}
		return out
	}
}

func (m *deliveryMetrics) hooks() deliveries.Hooks {
	return deliveries.Hooks{Attempted: func(e *deliveries.Endpoint, _ *deliveries.Outcome, status string) {
		m.attempts.WithLabelValues(status).Inc()
		key := endpointKey{e.Tenant, e.ID}
		m.mu.Lock()
		defer m.mu.Unlock()
		if m.made[key] == nil {
			m.made[key] = map[string]float64{}
		}
		m.made[key][status]++
	}}
}

// Describe implements prometheus.Collector.
func (m *deliveryMetrics) Describe(out chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{madeDesc, backlogDesc, oldestDesc, failingDesc} {
		out <- d
	}
}

// Collect implements prometheus.Collector. If the tables cannot be read, nothing is said of backlogs.
func (m *deliveryMetrics) Collect(out chan<- prometheus.Metric) {
	engine := m.app.deliveries.Load()
	if engine == nil {
		return
	}
	now, inHand := m.app.config.Now(), engine.Status()
	asked := readmodels.BacklogsParams{Most: readmodels.MostBacklog}
	gauge := func(d *prometheus.Desc, value float64, tenant, endpoint uuid.UUID) {
		out <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, value, tenant.String(), endpoint.String())
	}
	for _, s := range inHand {
		asked.Tenants, asked.Endpoints, asked.Reached = append(asked.Tenants, s.Tenant), append(asked.Endpoints, s.Endpoint), append(asked.Reached, s.Cursor)
		gauge(failingDesc, since(s.FailingSince, now), s.Tenant, s.Endpoint)
	}
	m.tellAttempts(out, inHand)
	if len(inHand) == 0 {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	found, err := readmodels.Backlogs(ctx, m.app.ledger.Pool(ledger.Project), asked)
	if err != nil {
		m.app.log.Warn("metrics of endpoints are incomplete", "error", err)
		return
	}
	for _, b := range found {
		gauge(backlogDesc, float64(b.Backlog), b.TenantID, b.EndpointID)
		var oldest time.Time
		if b.OldestAt != nil {
			oldest = *b.OldestAt
		}
		gauge(oldestDesc, since(oldest, now), b.TenantID, b.EndpointID)
	}
}

func (m *deliveryMetrics) tellAttempts(out chan<- prometheus.Metric, inHand []deliveries.Status) {
	m.mu.Lock()
	defer m.mu.Unlock()
	kept := make(map[endpointKey]map[string]float64, len(inHand))
	for _, s := range inHand {
		key := endpointKey{s.Tenant, s.Endpoint}
		made := m.made[key]
		if made == nil {
			continue
		}
		kept[key] = made
		for outcome, n := range made {
			out <- prometheus.MustNewConstMetric(madeDesc, prometheus.CounterValue, n, s.Tenant.String(), s.Endpoint.String(), outcome)
		}
	}
	m.made = kept
}

// since is 0 where there is no beginning.
func since(begin, now time.Time) float64 {
	if begin.IsZero() {
		return 0
	}
	return max(0, now.Sub(begin).Seconds())
}
