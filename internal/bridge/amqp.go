package bridge

import (
	"context"
	"errors"
	"time"

	"github.com/ThreeDotsLabs/watermill"
	wamqp "github.com/ThreeDotsLabs/watermill-amqp/v3/pkg/amqp"
	"github.com/rabbitmq/amqp091-go"
)

// openAMQP publishes to a durable topic exchange, named by the prefix; the routing key is the subject. The exchange passes on to the
// queues that are bound to it: what none is bound for is acknowledged and gone.
func openAMQP(ctx context.Context, t target, c *Config) (line, error) {
	return within(ctx, func() (*confirmed, error) {
		scheme := map[bool]string{false: "amqp", true: "amqps"}[t.tls]
		var failed error
		for _, url := range t.urls(scheme) {
			p, err := wamqp.NewPublisher(exchange(url, c.Prefix), watermill.NopLogger{})
			if err == nil {
				first := p.Connection()
				return &confirmed{
					publisher: p, topic: routingKey,
					refuses: func(error) bool { return !first.IsClosed() }, // no other word comes of a queue that rejects, nor of what is too large
					hangUp:  func() { _ = p.Connection().Close() },         // which it may just have opened anew
				}, nil
			}
			failed = errors.Join(failed, err)
		}
		return nil, failed
	})
}

// heartbeat finds out about a broker that has fallen silent.
const heartbeat = 5 * time.Second

func exchange(url, prefix string) wamqp.Config {
	key := func(topic string) string { return topic }
	return wamqp.Config{
		Connection: wamqp.ConnectionConfig{AmqpURI: url, AmqpConfig: &amqp091.Config{Dial: amqp091.DefaultDial(connectWithin), Heartbeat: heartbeat, Locale: "en_US"}},
		Marshaler:  wamqp.DefaultMarshaler{PostprocessPublishing: addressed},
		Exchange:   wamqp.ExchangeConfig{GenerateName: wamqp.GenerateExchangeNameConstant(prefix), Type: "topic", Durable: true},
		Publish:    wamqp.PublishConfig{GenerateRoutingKey: key, ConfirmDelivery: true, ChannelPoolSize: abreast},

		TopologyBuilder: &wamqp.DefaultTopologyBuilder{},
	}
}

// addressed puts the event's id and the kind of body where AMQP has a place for them.
func addressed(p amqp091.Publishing) amqp091.Publishing {
	p.MessageId, _ = p.Headers[wamqp.DefaultMessageUUIDHeaderKey].(string)
	p.ContentType, _ = p.Headers[contentType].(string)
	delete(p.Headers, contentType)
	return p
}

// routingKey is the subject as far as AMQP has room for it.
func routingKey(o outgoing) string { return o.subject[:min(len(o.subject), 255)] }
