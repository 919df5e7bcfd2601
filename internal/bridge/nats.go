package bridge

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/ThreeDotsLabs/watermill"
	wnats "github.com/ThreeDotsLabs/watermill-nats/v2/pkg/nats"
	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// duplicateWindow is how long the stream remembers the ids of events. It costs the broker some 150 bytes of each event of that time;
// an outage in the middle of a page, if it lasts longer, may bring events of that page twice.
const duplicateWindow = 10 * time.Minute

// At most so much is sent ahead of its acknowledgement: enough that the way to the broker and back costs nothing, and less than what
// a broker has room for.
const (
	aheadMessages = 500
	aheadBytes    = 8 << 20
)

// natsLine publishes through Watermill to JetStream. Watermill's own way waits for each acknowledgement before it sends the next
// message; here the messages carry an address for acknowledgements, which are counted afterwards. One connection keeps the order.
type natsLine struct {
	conn      *nats.Conn
	publisher *wnats.Publisher
	inbox     string // where acknowledgements come, followed by the event's id
	acks      chan *nats.Msg
	gone      chan struct{} // closed when the connection is
}

func openNATS(ctx context.Context, t target, c *Config) (line, error) {
	l := &natsLine{acks: make(chan *nats.Msg, 2*aheadMessages), gone: make(chan struct{})}
	options := []nats.Option{
		nats.Name("chancery"), nats.Timeout(connectWithin), nats.FlusherTimeout(c.Timeout), nats.PingInterval(10 * time.Second), nats.MaxPingsOutstanding(2),
		nats.NoReconnect(), // a page that failed begins anew on another connection, see Bridge
		nats.ClosedHandler(func(*nats.Conn) { close(l.gone) }),
		nats.ErrorHandler(func(_ *nats.Conn, _ *nats.Subscription, err error) {
			c.Log.Debug("from the bridge's broker", "err", err)
		}),
	}
	if t.creds != "" {
		options = append(options, nats.UserCredentials(t.creds))
	}
	scheme := map[bool]string{false: "nats", true: "tls"}[t.tls]
	var err error
	if l.conn, err = nats.Connect(strings.Join(t.urls(scheme), ","), options...); err != nil {
		return nil, err
	}
	if err := l.prepare(ctx, c.Prefix); err != nil {
		l.conn.Close()
		return nil, err
	}
	return l, nil
}

func (l *natsLine) prepare(ctx context.Context, prefix string) error {
	if err := provision(ctx, l.conn, prefix); err != nil {
		return err
	}
	l.inbox = l.conn.NewInbox()
	if _, err := l.conn.ChanSubscribe(l.inbox+".*", l.acks); err != nil {
		return err
	}
	var err error
	l.publisher, err = wnats.NewPublisherWithNatsConn(l.conn, wnats.PublisherPublishConfig{
		Marshaler: l, SubjectCalculator: wnats.DefaultSubjectCalculator, JetStream: wnats.JetStreamConfig{Disabled: true},
	}, watermill.NopLogger{})
	return err
}

// provision makes the stream, unless there is one already that takes our subjects: whoever made that has chosen its settings.
func provision(ctx context.Context, conn *nats.Conn, prefix string) error {
	js, err := jetstream.New(conn)
	if err != nil {
		return err
	}
	subjects := prefix + ".>"
	if _, err = js.StreamNameBySubject(ctx, subjects); !errors.Is(err, jetstream.ErrStreamNotFound) {
		return wrapped("look for the stream", err)
	}
	_, err = js.CreateStream(ctx, jetstream.StreamConfig{
		Name: strings.ReplaceAll(prefix, ".", "_"), Subjects: []string{subjects}, Description: "Events of Chancery",
		Storage: jetstream.FileStorage, Retention: jetstream.LimitsPolicy, Duplicates: duplicateWindow,
	})
	return wrapped("make the stream", err)
}

func wrapped(doing string, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%s: %w", doing, err)
}

// Marshal makes Watermill's publisher send what JetStream deduplicates and acknowledges.
func (l *natsLine) Marshal(subject string, m *message.Message) (*nats.Msg, error) {
	out, err := (&wnats.NATSMarshaler{}).Marshal(subject, m)
	if err != nil {
		return nil, err
	}
	out.Header.Set(nats.MsgIdHdr, m.UUID)
	out.Reply = l.inbox + "." + m.UUID
	return out, nil
}

func (l *natsLine) send(ctx context.Context, page []outgoing) error {
	messages, bytes := 0, 0
	for _, o := range page {
		if size := len(o.message.Payload); messages == aheadMessages || bytes+size > aheadBytes {
			if err := l.settle(ctx, messages); err != nil {
				return err
			}
			messages, bytes = 0, 0
		}
		if err := l.publisher.Publish(o.subject, o.message); err != nil {
			return fmt.Errorf("event %s to %s: %w", o.message.UUID, o.subject, err)
		}
		messages, bytes = messages+1, bytes+len(o.message.Payload)
	}
	return l.settle(ctx, messages)
}

var errCutOff = errors.New("the connection was lost before everything was acknowledged")

// settle waits for acknowledgements.
func (l *natsLine) settle(ctx context.Context, messages int) error {
	for range messages {
		select {
		case ack := <-l.acks:
			if err := refusal(ack); err != nil {
				return fmt.Errorf("event %s: %w", strings.TrimPrefix(ack.Subject, l.inbox+"."), err)
			}
		case <-l.gone:
			return errCutOff
		case <-ctx.Done():
			return fmt.Errorf("wait for acknowledgements: %w", ctx.Err())
		}
	}
	return nil
}

var (
	errNoStream = errors.New("no stream takes the message")
	errNoAck    = errors.New("what came back is no acknowledgement")
)

// refusal is why JetStream did not store a message; nil if it did, now or before.
func refusal(ack *nats.Msg) error {
	if len(ack.Data) == 0 && ack.Header.Get("Status") == "503" {
		return errNoStream
	}
	var said struct {
		Stream string              `json:"stream"`
		Error  *jetstream.APIError `json:"error"`
	}
	switch err := json.Unmarshal(ack.Data, &said); {
	case err != nil || said.Error == nil && said.Stream == "":
		return errNoAck
	case said.Error != nil:
		return said.Error
	}
	return nil
}

func (l *natsLine) close() { _ = l.publisher.Close() } // closes the connection too; there is nothing left to say on it
