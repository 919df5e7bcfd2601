package bridge

import (
	"context"
	"crypto/tls"
	"errors"
	"time"

	"github.com/IBM/sarama"
	"github.com/ThreeDotsLabs/watermill"
	wkafka "github.com/ThreeDotsLabs/watermill-kafka/v3/pkg/kafka"
	"github.com/ThreeDotsLabs/watermill/message"
)

// openKafka publishes everything to one topic, named by the prefix. The key is the tenant, so a tenant's events stay in one partition,
// in order.
func openKafka(ctx context.Context, t target, c *Config) (line, error) {
	return within(ctx, func() (*confirmed, error) {
		p, err := wkafka.NewPublisher(wkafka.PublisherConfig{Brokers: t.hosts, Marshaler: byTenant(), OverwriteSaramaConfig: settings(t, c.Timeout)}, watermill.NopLogger{})
		if err != nil {
			return nil, err
		}
		return &confirmed{publisher: p, topic: func(outgoing) string { return c.Prefix }, refuses: judged}, nil
	})
}

// judged reports whether an error has to do with the record. Others pass with the broker's troubles, or with its administrator's.
func judged(err error) bool {
	for _, is := range []error{sarama.ErrMessageSizeTooLarge, sarama.ErrMessageSetSizeTooLarge, sarama.ErrInvalidRecord, sarama.ErrPolicyViolation} {
		if errors.Is(err, is) {
			return true
		}
	}
	var library sarama.ConfigurationError // of one that is above MaxMessageBytes
	return errors.As(err, &library)
}

func byTenant() wkafka.Marshaler {
	return wkafka.NewWithPartitioningMarshaler(func(_ string, m *message.Message) (string, error) { return m.Metadata[tenantKey], nil })
}

// settings make the broker drop what the library itself sends twice, and fail in time: the feed tries again, not the library.
func settings(t target, timeout time.Duration) *sarama.Config {
	s := sarama.NewConfig()
	s.ClientID, s.Version = "chancery", sarama.V1_0_0_0
	s.Producer.Idempotent, s.Producer.RequiredAcks, s.Net.MaxOpenRequests = true, sarama.WaitForAll, 1
	s.Producer.Return.Successes, s.Producer.Timeout = true, timeout
	s.Producer.Retry.Max = 3
	s.Producer.MaxMessageBytes = 16 << 20 // the broker's own bound decides
	s.Metadata.Retry.Max, s.Metadata.Timeout = 1, connectWithin
	s.Net.DialTimeout, s.Net.ReadTimeout, s.Net.WriteTimeout = connectWithin, timeout, timeout
	if t.tls {
		s.Net.TLS.Enable, s.Net.TLS.Config = true, &tls.Config{MinVersion: tls.VersionTLS12}
	}
	if t.user != nil {
		s.Net.SASL.Enable, s.Net.SASL.Mechanism, s.Net.SASL.User = true, sarama.SASLTypePlaintext, t.user.Username()
		s.Net.SASL.Password, _ = t.user.Password()
	}
	return s
}
