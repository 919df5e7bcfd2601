package bridge

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"testing"

	"github.com/rabbitmq/amqp091-go"
)

const queue = "everything"

// bound makes a durable queue for all there is.
func bound(t *testing.T, url string, arguments amqp091.Table) {
	t.Helper()
	ch := channelTo(t, url)
	defer func() { _ = ch.Close() }()
	if err := ch.ExchangeDeclare("chancery", "topic", true, false, false, false, nil); err != nil {
		t.Fatal(err)
	}
	if _, err := ch.QueueDeclare(queue, true, false, false, false, arguments); err != nil {
		t.Fatal(err)
	}
	if err := ch.QueueBind(queue, "chancery.#", "chancery", false, nil); err != nil {
		t.Fatal(err)
	}
}

func channelTo(t *testing.T, url string) *amqp091.Channel {
	t.Helper()
	conn, err := amqp091.Dial(url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	ch, err := conn.Channel()
	if err != nil {
		t.Fatal(err)
	}
	return ch
}

// drain takes everything out of the queue.
func drain(t *testing.T, url string) (out []stored) {
	t.Helper()
	ch := channelTo(t, url)
	for {
		m, there, err := ch.Get(queue, true)
		if err != nil {
			t.Fatal(err)
		}
		if !there {
			return out
		}
		var body struct{ P int64 }
		if err := json.Unmarshal(m.Body, &body); err != nil || m.ContentType != "application/cloudevents+json" || m.DeliveryMode != amqp091.Persistent {
			t.Fatalf("a message is %+v", m)
		}
		tenant := strings.Split(m.RoutingKey, ".")[1]
		if m.Headers[tenantKey] != tenant {
			t.Fatalf("the tenant of %s is %v", m.RoutingKey, m.Headers[tenantKey])
		}
		out = append(out, stored{subject: m.RoutingKey, id: m.MessageId, tenant: tenant, position: body.P, seq: seqOf(m.Headers["chancery-tenantseq"])})
	}
}

func TestEveryEventIsOnRabbitMQThoughItIsKilledInTheMiddleAndSoAreWe(t *testing.T) {
	broker, url := startRabbit(t)
	w := brokerless(t)
	w.url = url
	bound(t, url, nil)
	ch := channelTo(t, url)
	last, broken := w.interrupt(broker, func() int64 {
		q, err := ch.QueueDeclarePassive(queue, true, false, false, false, nil)
		if err != nil {
			t.Fatal(err)
		}
		return int64(q.Messages)
	})
	w.wantAtLeastOnce(drain(t, url), last, broken)
}

func TestAQueueThatIsFullAndRejectsStopsTheBridgeUntilItIsRead(t *testing.T) {
	_, url := startRabbit(t)
	w := brokerless(t)
	w.url = url
	bound(t, url, amqp091.Table{"x-max-length": 50, "x-overflow": "reject-publish"})
	const last = 300
	w.events(1, last)
	l := &told{enough: make(chan struct{})}
	c := w.config()
	c.Log, c.Refused = slog.New(slog.NewTextHandler(l, nil)), l.refused
	n := w.start(c, 100)
	<-l.enough
	for named := false; !named; { // page by page it comes closer to the first one that is refused
		next := fmt.Sprintf("position=%d ", w.checkpoint()+1)
		named = slices.ContainsFunc(l.complaints(), func(line string) bool {
			return strings.Contains(line, next) && strings.Contains(line, "not confirmed")
		})
	}
	if at := w.checkpoint(); at >= 100 {
		t.Errorf("the checkpoint is at %d, and the queue has room for 50", at)
	}
	first, next := map[string]bool{}, map[string]int64{}
	for len(first) < last && t.Context().Err() == nil {
		for _, m := range drain(t, url) {
			if first[m.id] {
				continue
			}
			first[m.id] = true
			if next[m.tenant]++; m.seq != next[m.tenant] {
				t.Fatalf("of tenant %s comes event %d after %d", m.tenant, m.seq, next[m.tenant]-1)
			}
		}
	}
	n.reach(last)
}
