package deliveries

import (
	"context"
	"fmt"
	"runtime"
	"sync/atomic"
	"testing"
	"time"
)

// BenchmarkDeliveries measures what is delivered and recorded in a second, to receivers that answer at once.
func BenchmarkDeliveries(b *testing.B) {
	for _, c := range []struct{ endpoints, concurrency int }{{1, 10}, {1, 100}, {100, 10}, {1000, 10}} {
		b.Run(fmt.Sprintf("endpoints=%d/concurrency=%d", c.endpoints, c.concurrency), func(b *testing.B) {
			w := newWorld(b)
			for range c.endpoints {
				w.endpoint(func(e *Endpoint) { e.Concurrency = c.concurrency })
			}
			const events = 100_000
			w.append(1, int64(events/c.endpoints), "thing.happened", 500)
			var n atomic.Int64
			done := make(chan struct{})
			for b.Loop() {
				began := time.Now()
				w.node("a", func(c *Config) {
					c.Send = func(context.Context, Endpoint, Item) Outcome { return Outcome{Delivered: true, Status: 200} }
					c.Hooks.Recorded = func(attempts int, _ time.Duration) {
						if n.Add(int64(attempts)) == events {
							close(done)
						}
					}
				})
				<-done
				b.ReportMetric(events/time.Since(began).Seconds(), "deliveries/s")
			}
		})
	}
}

func TestWhatIsPendingTakesNoMemory(t *testing.T) {
	if testing.Short() {
		t.Skip("takes a while")
	}
	w := newWorld(t)
	for range 100 {
		w.endpoint(func(e *Endpoint) { e.Full = true })
	}
	w.append(1, 2000, "thing.happened", 20_000) // 100 × 2,000 pending of 20 kB each
	hang := make(chan struct{})
	var begun atomic.Int64
	before := heap()
	w.node("a", func(c *Config) {
		c.HeldBytes = 8 << 20
		c.Send = func(ctx context.Context, _ Endpoint, _ Item) Outcome {
			begun.Add(1)
			select {
			case <-hang:
				return Outcome{Delivered: true}
			case <-ctx.Done():
				return Outcome{}
			}
		}
	})
	began := time.Now()
	w.until("every endpoint has an event", func() bool { return begun.Load() >= 100 })
	took := time.Since(began)
	w.append(2001, 2200, "thing.happened", 20_000)
	if grown := heap() - before; grown > 80<<20 {
		t.Errorf("%d MB are held", grown>>20)
	} else {
		t.Logf("%d MB are held, the last endpoint began after %s", grown>>20, took)
	}
	close(hang)
}

func heap() int64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}
