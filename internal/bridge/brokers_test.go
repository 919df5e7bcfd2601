package bridge

import (
	"context"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/IBM/sarama"
	wamqp "github.com/ThreeDotsLabs/watermill-amqp/v3/pkg/amqp"
	"github.com/rabbitmq/amqp091-go"
)

func sample(t *testing.T) outgoing {
	t.Helper()
	b, err := New(Config{URL: "nats://h", Encode: encodePayload, Type: outward})
	if err != nil {
		t.Fatal(err)
	}
	all, err := b.messages(page(1))
	if err != nil {
		t.Fatal(err)
	}
	return all[0]
}

func TestAKafkaRecordHasTheTenantForItsKeyAndTheEventsIdInItsHeaders(t *testing.T) {
	o := sample(t)
	r, err := byTenant().Marshal("chancery", o.message)
	if err != nil {
		t.Fatal(err)
	}
	key, _ := r.Key.Encode()
	body, _ := r.Value.Encode()
	headers := map[string]string{}
	for _, h := range r.Headers {
		headers[string(h.Key)] = string(h.Value)
	}
	if r.Topic != "chancery" || string(key) != acme.String() || string(body) != `{"p":1}` {
		t.Errorf("topic %s, key %s, body %s", r.Topic, key, body)
	}
	if headers["_watermill_message_uuid"] != o.message.UUID || headers["content-type"] != "application/cloudevents+json" || headers["chancery-type"] != "core.user.registered" {
		t.Errorf("headers %v", headers)
	}
}

func TestKafkaIsSpokenToAsTheAddressSays(t *testing.T) {
	to, err := parse("kafka+tls://ann:pw@a,b:1")
	if err != nil {
		t.Fatal(err)
	}
	s := settings(to, time.Second)
	if err := s.Validate(); err != nil {
		t.Fatal(err)
	}
	if !s.Net.TLS.Enable || !s.Net.SASL.Enable || s.Net.SASL.User != "ann" || s.Net.SASL.Password != "pw" || !s.Producer.Idempotent || s.Producer.RequiredAcks != sarama.WaitForAll {
		t.Errorf("%+v", s.Net)
	}
}

func TestAnAMQPMessageIsPersistentAndNamed(t *testing.T) {
	o := sample(t)
	c := exchange("amqp://h", "chancery")
	if err := c.ValidatePublisher(); err != nil {
		t.Fatal(err)
	}
	p, err := c.Marshaler.(wamqp.DefaultMarshaler).Marshal(o.message)
	if err != nil {
		t.Fatal(err)
	}
	if p.MessageId != o.message.UUID || p.ContentType != "application/cloudevents+json" || p.DeliveryMode != amqp091.Persistent || p.Headers[tenantKey] != acme.String() {
		t.Errorf("%+v", p)
	}
	if key := c.Publish.GenerateRoutingKey(routingKey(o)); key != "chancery."+acme.String()+".core.user.registered" || c.Exchange.GenerateName("x") != "chancery" {
		t.Errorf("routing key %s", key)
	}
	o.subject = strings.Repeat("x", 300)
	if key := routingKey(o); len(key) != 255 {
		t.Errorf("a routing key of %d bytes", len(key))
	}
}

func TestAKafkaOrAMQPBrokerThatIsAwayOrSilentIsNamed(t *testing.T) {
	silent, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = silent.Close() })
	for _, kind := range []string{"kafka", "amqp"} {
		for _, host := range []string{"127.0.0.1:1", silent.Addr().String()} {
			b, err := New(Config{URL: kind + "://ann:top-secret@" + host, Encode: encodePayload, Type: outward, Timeout: 300 * time.Millisecond})
			if err != nil {
				t.Fatal(err)
			}
			err = b.Follow(context.Background(), page(1))
			if err == nil || !strings.HasPrefix(err.Error(), "cannot connect to "+kind+" at "+host) || strings.Contains(err.Error(), "top-secret") {
				t.Errorf("%s: %v", kind, err)
			}
			b.Close()
		}
	}
}
