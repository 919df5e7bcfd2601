package app

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"

	"chancery/internal/eventlog"
	"chancery/internal/feed"
)

// metrics is what Prometheus may ask for. Names follow its conventions: base units, _total for counters.
type metrics struct {
	registry *prometheus.Registry

	batchSize, batchTook   prometheus.Histogram
	resent                 prometheus.Counter
	commands               *prometheus.CounterVec
	commandTook            prometheus.Histogram
	retries                prometheus.Counter
	projected, projectFail *prometheus.CounterVec
	lag                    *prometheus.HistogramVec
	requests               *prometheus.CounterVec
	requestTook            *prometheus.HistogramVec
	mails                  *prometheus.CounterVec
	givenUp                *prometheus.CounterVec
}

func newMetrics() *metrics {
	quick := prometheus.ExponentialBuckets(0.0001, 2, 18) // 0.1 ms to 13 s
	m := &metrics{
		registry:    prometheus.NewRegistry(),
		batchSize:   prometheus.NewHistogram(prometheus.HistogramOpts{Name: "chancery_append_batch_events", Help: "Events per commit of the log.", Buckets: prometheus.ExponentialBuckets(1, 2, 12)}),
		batchTook:   prometheus.NewHistogram(prometheus.HistogramOpts{Name: "chancery_append_seconds", Help: "Time of one commit of the log.", Buckets: quick}),
		resent:      prometheus.NewCounter(prometheus.CounterOpts{Name: "chancery_append_resent_total", Help: "Commits sent again after a lost connection."}),
		commands:    prometheus.NewCounterVec(prometheus.CounterOpts{Name: "chancery_commands_total", Help: "Commands by outcome."}, []string{"command", "outcome"}),
		commandTook: prometheus.NewHistogram(prometheus.HistogramOpts{Name: "chancery_decision_seconds", Help: "Time from decision to durable events.", Buckets: quick}),
		retries:     prometheus.NewCounter(prometheus.CounterOpts{Name: "chancery_decision_retries_total", Help: "Decisions taken again because history moved."}),
		projected:   prometheus.NewCounterVec(prometheus.CounterOpts{Name: "chancery_projected_events_total", Help: "Events applied to tables."}, []string{"projector"}),
		projectFail: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "chancery_projection_failures_total", Help: "Pages that could not be applied."}, []string{"projector"}),
		lag:         prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: "chancery_projection_lag_seconds", Help: "Time from append to visible rows.", Buckets: quick}, []string{"projector"}),
	}
	m.requests = prometheus.NewCounterVec(prometheus.CounterOpts{Name: "chancery_http_requests_total", Help: "Requests by route and status."}, []string{"method", "route", "status"})
	m.requestTook = prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: "chancery_http_request_seconds", Help: "Time to answer.", Buckets: quick}, []string{"method", "route"})
	m.mails = prometheus.NewCounterVec(prometheus.CounterOpts{Name: "chancery_mails_total", Help: "Mails by purpose and outcome: sent, deferred (to be tried again), given-up."}, []string{"purpose", "outcome"})
	m.givenUp = prometheus.NewCounterVec(prometheus.CounterOpts{Name: "chancery_reaction_given_up_events_total", Help: "Events about which a reaction could not do what it should, and does nothing more."}, []string{"reaction"})
	m.registry.MustRegister(
		m.mails, m.givenUp,
		collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}),
		m.batchSize, m.batchTook, m.resent, m.commands, m.commandTook, m.retries, m.projected, m.projectFail, m.lag,
		m.requests, m.requestTook,
	)
	return m
}

func (m *metrics) mail(purpose, outcome string) { m.mails.WithLabelValues(purpose, outcome).Inc() }

func (m *metrics) batch(s eventlog.BatchStats) {
	m.batchSize.Observe(float64(s.Events))
	m.batchTook.Observe(s.Took.Seconds())
	m.resent.Add(float64(max(0, s.Attempts-1)))
}

func (m *metrics) command(name, outcome string, took time.Duration, attempts int) {
	m.commands.WithLabelValues(name, outcome).Inc()
	m.commandTook.Observe(took.Seconds())
	m.retries.Add(float64(max(0, attempts-1)))
}

func (m *metrics) feed() feed.Hooks {
	return feed.Hooks{
		Committed: func(projector string, events int, lag time.Duration) {
			m.projected.WithLabelValues(projector).Add(float64(events))
			m.lag.WithLabelValues(projector).Observe(lag.Seconds())
		},
		Failed: func(projector string, _ error) { m.projectFail.WithLabelValues(projector).Inc() },
	}
}

// gaveUp prepares the counter of a reaction, so that it shows from the start.
func (m *metrics) gaveUp(reaction string) func() { return m.givenUp.WithLabelValues(reaction).Inc }

// reactions shows how far the reactions of the feed are behind.
func (m *metrics) reactions(f *feed.Feed) {
	for _, s := range f.Status() {
		if !s.Reaction {
			continue
		}
		lag := prometheus.GaugeOpts{
			Name: "chancery_reaction_lag_seconds", Help: "Age of the oldest event that a reaction has seen and not done; 0 where another process works.",
			ConstLabels: prometheus.Labels{"reaction": s.Name},
		}
		m.registry.MustRegister(prometheus.NewGaugeFunc(lag, func() float64 { return f.StatusOf(s.Name).Lag.Seconds() }))
	}
}
