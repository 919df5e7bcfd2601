package bridge

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/IBM/sarama"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// client is the test's own look at the broker.
func client(t *testing.T, url string) sarama.Client {
	t.Helper()
	to, err := parse(url)
	if err != nil {
		t.Fatal(err)
	}
	c, err := sarama.NewClient(to.hosts, settings(to, 5*time.Second))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	return c
}

// lengths of the topic's partitions.
func lengths(t *testing.T, c sarama.Client) (all [partitions]int64, sum int64) {
	t.Helper()
	for p := range all {
		n, err := c.GetOffset("chancery", int32(p), sarama.OffsetNewest)
		if err != nil {
			t.Fatal(err)
		}
		all[p], sum = n, sum+n
	}
	return all, sum
}

// records reads the topic, partition by partition.
func records(t *testing.T, url string) (out []stored) {
	t.Helper()
	c := client(t, url)
	all, err := sarama.NewConsumerFromClient(c)
	if err != nil {
		t.Fatal(err)
	}
	ends, _ := lengths(t, c)
	home := map[string]int{}
	for p, end := range ends {
		if end == 0 {
			continue
		}
		from, err := all.ConsumePartition("chancery", int32(p), sarama.OffsetOldest)
		if err != nil {
			t.Fatal(err)
		}
		for m := range from.Messages() {
			headers := map[string]string{}
			for _, h := range m.Headers {
				headers[string(h.Key)] = string(h.Value)
			}
			var body struct{ P int64 }
			if err := json.Unmarshal(m.Value, &body); err != nil || headers["content-type"] != "application/cloudevents+json" || headers["chancery-type"] == "" || string(m.Key) != headers[tenantKey] {
				t.Fatalf("a record is %s %v %s", m.Key, headers, m.Value)
			}
			if at, known := home[string(m.Key)]; known && at != p {
				t.Fatalf("tenant %s is in the partitions %d and %d", m.Key, at, p)
			}
			home[string(m.Key)] = p
			out = append(out, stored{id: headers["_watermill_message_uuid"], tenant: string(m.Key), position: body.P, seq: seqOf(headers["chancery-tenantseq"])})
			if m.Offset == end-1 {
				break
			}
		}
		if err := from.Close(); err != nil {
			t.Fatal(err)
		}
	}
	return out
}

func TestEveryEventIsOnKafkaThoughItIsKilledInTheMiddleAndSoAreWe(t *testing.T) {
	broker, url := startKafka(t)
	w := brokerless(t)
	w.url = url
	c := client(t, url)
	last, broken := w.interrupt(broker, func() int64 { _, n := lengths(t, c); return n })
	w.wantAtLeastOnce(records(t, url), last, broken)
}

func TestWhatTheLibrarySendsAgainIsOnKafkaOnce(t *testing.T) {
	c, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.SeedTopics(partitions, "chancery"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	const lost = 3 // answers to what the broker did take
	fault := c.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.Produce}, Err: kerr.RequestTimedOut, Count: lost})
	url := "kafka://" + c.ListenAddrs()[0]
	b, err := New(Config{URL: url, Encode: encodePayload, Type: outward})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(b.Close)
	if err := b.Follow(t.Context(), page(20)); err != nil {
		t.Fatal(err)
	}
	if fault.Hits() != lost {
		t.Fatalf("%d answers were lost", fault.Hits())
	}
	all := records(t, url)
	for i, m := range all {
		if m.seq != int64(i)+1 {
			t.Errorf("record %d is event %d", i, m.seq)
		}
	}
	if len(all) != 20 {
		t.Errorf("%d records of 20 events", len(all))
	}
}

func TestAnEventThatIsTooLargeForKafkaStopsTheBridgeBeforeIt(t *testing.T) {
	_, url := startKafka(t)
	w := brokerless(t)
	w.url = url
	w.tooLarge(t, "Message was too large", func(last int64) {
		seen := map[string]bool{}
		for _, m := range records(t, url) {
			seen[m.id] = true
		}
		if len(seen) != int(last) {
			t.Errorf("%d of %d events are there", len(seen), last)
		}
	})
}
