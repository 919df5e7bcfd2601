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
	"github.com/google/uuid"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// duplicateWindow is how long the stream remembers the ids of events. It costs the broker some 150 bytes of each event of that time.
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

	streams []jetstream.Stream // that take our subjects
	scope   string             // the subjects of what we publish
	ahead   int                // how much is sent ahead of its acknowledgement
	window  time.Duration      // the shortest of the streams' duplicate windows

	through int64     // position of the end of the page before; -1: the streams are to be asked
	at      time.Time // when that page came
}

func openNATS(ctx context.Context, t target, c *Config) (line, error) {
	l := &natsLine{acks: make(chan *nats.Msg, 2*aheadMessages), gone: make(chan struct{}), ahead: aheadMessages, window: duplicateWindow, through: -1}
	l.scope = c.Prefix + ".>"
	if c.Tenant != uuid.Nil {
		l.scope = c.Prefix + "." + c.Tenant.String() + ".>"
	}
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
	if err := l.provision(ctx, prefix); err != nil {
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

// provision makes the stream, unless there are some already that take our subjects: whoever made those has chosen their settings.
func (l *natsLine) provision(ctx context.Context, prefix string) error {
	js, err := jetstream.New(l.conn)
	if err != nil {
		return err
	}
	subjects := prefix + ".>"
	names := js.StreamNames(ctx, jetstream.WithStreamListSubject(subjects))
	for name := range names.Name() {
		s, err := js.Stream(ctx, name)
		if err != nil {
			return wrapped("look at the stream", err)
		}
		l.use(s)
	}
	if err := names.Err(); err != nil && !errors.Is(err, jetstream.ErrEndOfData) {
		return wrapped("look for the stream", err)
	}
	if len(l.streams) > 0 {
		return nil
	}
	s, err := js.CreateStream(ctx, jetstream.StreamConfig{
		Name: strings.ReplaceAll(prefix, ".", "_"), Subjects: []string{subjects}, Description: "Events of Chancery",
		Storage: jetstream.FileStorage, Retention: jetstream.LimitsPolicy, Duplicates: duplicateWindow,
	})
	if err != nil {
		return wrapped("make the stream", err)
	}
	l.use(s)
	return nil
}

// use heeds the settings of a stream. One that may refuse a message and take the next would change their order: it gets one at a time.
func (l *natsLine) use(s jetstream.Stream) {
	c := s.CachedInfo().Config
	l.streams, l.window = append(l.streams, s), min(l.window, c.Duplicates)
	if c.Discard == jetstream.DiscardNew || c.MaxMsgSize > 0 {
		l.ahead = 1
	}
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

func (l *natsLine) send(ctx context.Context, page []outgoing, acknowledged func()) error {
	messages, bytes := 0, 0
	for _, o := range page {
		if size := len(o.message.Payload); messages == l.ahead || bytes+size > aheadBytes {
			if err := l.settle(ctx, messages, acknowledged); err != nil {
				return err
			}
			messages, bytes = 0, 0
		}
		if err := l.publisher.Publish(o.subject, o.message); err != nil {
			if errors.Is(err, nats.ErrMaxPayload) {
				err = &refused{o.message.UUID, fmt.Errorf("%w: the server takes %d bytes", err, l.conn.MaxPayload())}
			}
			return fmt.Errorf("publish to %s: %w", o.subject, err)
		}
		messages, bytes = messages+1, bytes+len(o.message.Payload)
	}
	return l.settle(ctx, messages, acknowledged)
}

var errCutOff = errors.New("the connection was lost before everything was acknowledged")

// settle waits for acknowledgements.
func (l *natsLine) settle(ctx context.Context, messages int, acknowledged func()) error {
	for range messages {
		select {
		case ack := <-l.acks:
			if err := refusal(ack); err != nil {
				return &refused{strings.TrimPrefix(ack.Subject, l.inbox+"."), err}
			}
			acknowledged()
		case <-l.gone:
			return errCutOff
		case <-ctx.Done():
			return fmt.Errorf("wait for acknowledgements: %w", context.Cause(ctx))
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
