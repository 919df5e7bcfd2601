// Package bridge copies the log onto a message broker through Watermill; it never reads one, and it never writes the log.
package bridge

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/google/uuid"

	"chancery/internal/eventlog"
)

// Config of a Bridge. URL, Encode and Type are required.
type Config struct {
	URL    string    // of the broker, see parse
	Prefix string    // first word of subjects, words with dots between them; none: chancery
	Tenant uuid.UUID // whose events alone are copied; none: all tenants'

	Encode func(*eventlog.Raw) ([]byte, error) // makes a message's body, a CloudEvent in JSON
	Type   func(source, typ string) string     // an event's type as it is known outside

	Timeout   time.Duration    // without a word from the broker; 0: 10 s. A page may take six times that
	Published func(events int) // is told what the broker has acknowledged; may be nil
	Refused   func()           // is told that the broker does not take an event; may be nil
	Log       *slog.Logger     // none: silence
}

// Bridge is a follower of the feed (feed.Follower). Its broker has every event at least once, and each tenant's in order: a page counts as
// done when the broker has acknowledged all of it.
//
// After a failure it begins anew, on a new connection. So no message of a page that failed can be sent behind those that follow, and
// what a broker takes of one connection is always a beginning of what was sent there: sent again, it comes in the same order.
type Bridge struct {
	config Config
	to     target
	open   func(context.Context, target, *Config) (line, error)

	mu      sync.Mutex // held while a page is on its way; owns line and refused
	line    line       // nil: none is open
	refused string     // what the log was last told
	closing sync.WaitGroup
}

// line is a connection to a broker.
type line interface {
	// there says of the events of a page, which lies between two positions of the log, which ones the broker is known to have.
	there(ctx context.Context, from, to int64, page []outgoing) (map[string]bool, error)
	// send returns when the broker has acknowledged everything, or when ctx has ended, or at the first failure. Then nothing more MUST be
	// done with the line but close. It says of each event that it is acknowledged.
	send(ctx context.Context, page []outgoing, acknowledged func()) error
	close()
}

// outgoing is a message and where it goes.
type outgoing struct {
	tenant  uuid.UUID
	subject string
	message *message.Message // its id is the event's
}

// Headers of messages; the rest of a message is its body.
const (
	contentType = "content-type"
	tenantKey   = "chancery-tenant"
	positionKey = "chancery-position"
)

var wellFormed = regexp.MustCompile(`^[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)*$`)

// New checks the config. It connects at the first event, so a broker that is away keeps nobody from starting.
func New(c Config) (*Bridge, error) {
	if c.Encode == nil || c.Type == nil {
		return nil, errors.New("bridge: encode and type are required")
	}
	if c.Prefix == "" {
		c.Prefix = "chancery"
	}
	if len(c.Prefix) > 100 || !wellFormed.MatchString(c.Prefix) {
		return nil, errors.New("the prefix of the bridge's subjects must be words of letters, digits, - and _, with dots between them, and no longer than 100 characters")
	}
	if c.Timeout <= 0 {
		c.Timeout = 10 * time.Second
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	to, err := parse(c.URL)
	if err != nil {
		return nil, err
	}
	return &Bridge{config: c, to: to, open: openers[to.kind]}, nil
}

// openers by kind of target.
var openers = map[string]func(context.Context, target, *Config) (line, error){"nats": openNATS, "kafka": openKafka, "amqp": openAMQP}

// Name is that of its checkpoint. Who narrows the bridge to a tenant begins with that tenant's first event.
func (b *Bridge) Name() string {
	if b.config.Tenant == uuid.Nil {
		return "bridge"
	}
	return "bridge/" + b.config.Tenant.String()
}

// Broker says where it leads, without credentials.
func (b *Bridge) Broker() string { return b.to.String() }

// Follow publishes a page and returns when the broker has all of it.
func (b *Bridge) Follow(ctx context.Context, page []eventlog.Raw) error {
	out, err := b.messages(page)
	if err != nil || len(out) == 0 {
		return err
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	asking, cancel := context.WithTimeout(ctx, b.config.Timeout)
	defer cancel()
	if b.line == nil {
		if b.line, err = b.open(asking, b.to, &b.config); err != nil {
			return b.failed("cannot connect to", err)
		}
	}
	known, err := b.line.there(asking, page[0].Position, page[len(page)-1].Position, out)
	if err == nil {
		out = slices.DeleteFunc(out, func(o outgoing) bool { return known[o.message.UUID] })
		err = b.send(ctx, out)
	}
	if err != nil {
		b.hangUp()
		b.complain(err, out)
		return b.failed("cannot publish to", err)
	}
	if b.config.Published != nil {
		b.config.Published(len(out))
	}
	return nil
}

// send gives up when the broker has said nothing for a while. A page that a slow broker is busy with is not begun again, which would bring
// it what it has, and take as long.
func (b *Bridge) send(ctx context.Context, page []outgoing) error {
	ctx, cancel := context.WithTimeout(ctx, 6*b.config.Timeout)
	defer cancel()
	ctx, giveUp := context.WithCancelCause(ctx)
	defer giveUp(nil)
	silence := time.AfterFunc(b.config.Timeout, func() { giveUp(context.DeadlineExceeded) })
	defer silence.Stop()
	return b.line.send(ctx, page, func() { silence.Reset(b.config.Timeout) })
}

// refused is a broker's word, or a library's, that it does not take an event. What else fails has to do with no event.
type refused struct {
	event string
	err   error
}

func (r *refused) Error() string { return "event " + r.event + ": " + r.err.Error() }
func (r *refused) Unwrap() error { return r.err }

// complain logs, once, which event it is that the bridge cannot get past. It needs mu.
func (b *Bridge) complain(err error, page []outgoing) {
	r := new(refused)
	if !errors.As(err, &r) {
		return
	}
	if b.config.Refused != nil {
		b.config.Refused()
	}
	if r.Error() == b.refused {
		return
	}
	b.refused = r.Error()
	for _, o := range page {
		if m := o.message; m.UUID == r.event {
			b.config.Log.Error("the broker does not take an event, and the bridge does not go past it", "broker", b.to.String(), "event", m.UUID,
				"position", m.Metadata[positionKey], "type", m.Metadata["chancery-type"], "subject", o.subject, "bytes", len(m.Payload), "err", b.to.secretless(r.err))
		}
	}
}

func (b *Bridge) failed(what string, err error) error {
	return fmt.Errorf("%s %s: %w", what, b.to, b.to.secretless(err))
}

// hangUp does not wait: a broker that does not answer does not answer to this either. It needs mu.
func (b *Bridge) hangUp() {
	l := b.line
	b.line = nil
	b.closing.Go(l.close)
}

// Close hangs up and waits until that is done.
func (b *Bridge) Close() {
	b.mu.Lock()
	if b.line != nil {
		b.hangUp()
	}
	b.mu.Unlock()
	b.closing.Wait()
}

func (b *Bridge) messages(page []eventlog.Raw) ([]outgoing, error) {
	out := make([]outgoing, 0, len(page))
	for i := range page {
		e := &page[i]
		if b.config.Tenant != uuid.Nil && b.config.Tenant != e.Tenant {
			continue
		}
		body, err := b.config.Encode(e)
		if err != nil {
			return nil, fmt.Errorf("encode event %d (%s): %w", e.Position, e.Type, err)
		}
		typ := b.config.Type(e.SourceApp, e.Type)
		m := message.NewMessage(e.ID.String(), body)
		m.Metadata = message.Metadata{
			contentType:          "application/cloudevents+json",
			tenantKey:            e.Tenant.String(),
			"chancery-type":      typ,
			positionKey:          strconv.FormatInt(e.Position, 10),
			"chancery-tenantseq": strconv.FormatInt(e.TenantSeq, 10),
		}
		out = append(out, outgoing{e.Tenant, b.config.Prefix + "." + e.Tenant.String() + "." + words(typ), m})
	}
	return out, nil
}

// words makes a type fit for a subject: what brokers give a meaning to, or do not have, becomes an underscore.
func words(typ string) string {
	safe := strings.Map(func(r rune) rune {
		switch {
		case 'a' <= r && r <= 'z', 'A' <= r && r <= 'Z', '0' <= r && r <= '9', r == '-', r == '_', r == '.':
			return r
		}
		return '_'
	}, typ)
	parts := strings.Split(safe, ".")
	for i, p := range parts {
		if p == "" {
			parts[i] = "_"
		}
	}
	return strings.Join(parts, ".")
}
