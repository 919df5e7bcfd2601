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

// deliveryMetrics tells what this process's attempts came to, of the endpoints that it has in hand; of others their own processes tell.
// What it knows of an endpoint goes when the endpoint does. What waits is told of all endpoints, by every process: nobody has an endpoint
// in hand that is pulled from, or disabled.
//
// mu owns made, and waiting what comes after it.
type deliveryMetrics struct {
	app      *App
	attempts *prometheus.CounterVec
	took     prometheus.Histogram
	latency  prometheus.Histogram

	mu   sync.Mutex
	made map[endpointKey]map[string]float64 // attempts by outcome

	waiting  sync.Mutex
	counter  *readmodels.Backlogs
	backlogs []readmodels.Backlog // as they were counted last
	counted  time.Time
}

// countBacklogs is how often what waits is counted at most, however many ask.
const countBacklogs = 15 * time.Second

type endpointKey struct{ tenant, endpoint uuid.UUID }

var (
	perEndpoint = []string{"tenant", "endpoint"}
	madeDesc    = prometheus.NewDesc("chancery_endpoint_attempts_total", "Attempts to deliver to an endpoint, by what became of the delivery: delivered, retrying, waiting or dead.", append(perEndpoint, "outcome"), nil)
	backlogDesc = prometheus.NewDesc("chancery_endpoint_backlog", "Deliveries to an endpoint that are neither delivered nor dead; counting ends at 10000. Every process tells it of all endpoints.", perEndpoint, nil)
	oldestDesc  = prometheus.NewDesc("chancery_endpoint_oldest_pending_seconds", "Age of the oldest event that is pending for an endpoint or on its way to it; 0 if there is none. Every process tells it of all endpoints.", perEndpoint, nil)
	failingDesc = prometheus.NewDesc("chancery_endpoint_failing_seconds", "For how long nothing but failure came of attempts to deliver to an endpoint; 0 if the last one succeeded.", perEndpoint, nil)
)

func (a *App) newDeliveryMetrics() *deliveryMetrics {
	slow := prometheus.ExponentialBuckets(0.001, 2, 18) // 1 ms to 131 s
	m := &deliveryMetrics{
		app: a, made: map[endpointKey]map[string]float64{}, counter: a.reader.Backlogs(a.ledger.Pool(ledger.Project)),
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
	}, Anew: m.app.pulls.Wake}
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
	gauge := func(d *prometheus.Desc, value float64, tenant, endpoint uuid.UUID) {
		out <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, value, tenant.String(), endpoint.String())
	}
	for _, s := range inHand {
		gauge(failingDesc, since(s.FailingSince, now), s.Tenant, s.Endpoint)
	}
	m.tellAttempts(out, inHand)
	for _, b := range m.waits(now) {
		gauge(backlogDesc, float64(b.Deliveries), b.Tenant, b.Endpoint)
		var oldest time.Time
		if b.OldestAt != nil {
			oldest = *b.OldestAt
		}
		gauge(oldestDesc, since(oldest, now), b.Tenant, b.Endpoint)
	}
}

// waits is what waits for each endpoint; nothing if it cannot be counted.
func (m *deliveryMetrics) waits(now time.Time) []readmodels.Backlog {
	m.waiting.Lock()
	defer m.waiting.Unlock()
	if now.Sub(m.counted) < countBacklogs {
		return m.backlogs
	}
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	found, err := m.counter.Count(ctx)
	if err != nil {
		m.app.log.Warn("metrics of endpoints are incomplete", "error", err)
	}
	m.backlogs, m.counted = found, now
	return found
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
