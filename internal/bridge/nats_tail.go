package bridge

import (
	"context"
	"errors"
	"strconv"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// farBack bounds how many messages of a stream are looked through for those of a page: others may publish to our subjects too.
const farBack = 1 << 17

// there says which of the page's events a stream has already, by their ids: it never takes an event for sent that is not there. Positions
// only tell where to look, since a log that was restored from a backup gives its positions once more.
//
// The stream is asked where somebody else may have published, or we ourselves before a failure: at first, after a page that does not
// follow the one before, and after a pause that its duplicate window might not outlast.
func (l *natsLine) there(ctx context.Context, from, to int64, page []outgoing) (map[string]bool, error) {
	look := &look{scope: l.scope, from: from, to: to, ids: map[string]bool{}}
	follows := l.through == from-1 && time.Since(l.at) < l.window/2
	l.through, l.at = to, time.Now()
	if follows {
		return look.ids, nil
	}
	for _, o := range page {
		look.ids[o.message.UUID] = false
	}
	for _, s := range l.streams {
		if s.CachedInfo().Config.Retention != jetstream.LimitsPolicy {
			continue // what somebody has read is gone: it says nothing
		}
		if err := look.at(ctx, s); err != nil {
			return nil, wrapped("look what the stream has", err)
		}
	}
	if look.beyond > 0 {
		l.through = -1 // nor is the next page known to be new
	}
	return look.ids, nil
}

// look is a search for the events of a page.
type look struct {
	scope    string
	from, to int64           // their positions
	ids      map[string]bool // true: it was found
	beyond   int             // messages found that come behind the page in the log
}

func (k *look) at(ctx context.Context, s jetstream.Stream) error {
	last, err := s.GetLastMsgForSubject(ctx, k.scope)
	if errors.Is(err, jetstream.ErrMsgNotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	end, ours := positionOf(last.Header)
	if ours && end < k.from {
		return nil
	}
	start, err := k.start(ctx, s, last.Sequence, max(end-k.from, k.to-k.from)+1)
	if err != nil {
		return err
	}
	return k.read(ctx, s, start, last.Sequence)
}

// start is a sequence number of the stream, such that what is from the page's first event on follows it. Messages of others may lie
// between ours, so it goes back until there is one from before.
func (k *look) start(ctx context.Context, s jetstream.Stream, last uint64, back int64) (uint64, error) {
	for ; ; back *= 4 {
		start := uint64(max(1, int64(last)-back))
		m, err := s.GetMsg(ctx, start, jetstream.WithGetMsgSubject(k.scope))
		if err != nil {
			return 0, err
		}
		if at, ours := positionOf(m.Header); start == 1 || ours && at < k.from || back > farBack {
			return start, nil
		}
	}
}

// read looks at the headers of what lies between two sequence numbers, or until it is well beyond the page.
func (k *look) read(ctx context.Context, s jetstream.Stream, start, last uint64) error {
	c, err := s.OrderedConsumer(ctx, jetstream.OrderedConsumerConfig{
		FilterSubjects: []string{k.scope}, DeliverPolicy: jetstream.DeliverByStartSequencePolicy, OptStartSeq: start, HeadersOnly: true,
		InactiveThreshold: 10 * time.Second,
	})
	if err != nil {
		return err
	}
	all, err := c.Messages()
	if err != nil {
		return err
	}
	defer all.Stop()
	for k.beyond < 2*aheadMessages {
		m, err := all.Next(jetstream.NextContext(ctx))
		if err != nil {
			return err
		}
		id := m.Headers().Get(nats.MsgIdHdr)
		if _, wanted := k.ids[id]; wanted {
			k.ids[id] = true
		} else if at, ours := positionOf(m.Headers()); ours && at > k.to {
			k.beyond++
		}
		if of, err := m.Metadata(); err != nil || of.Sequence.Stream >= last {
			return err
		}
	}
	return nil
}

func positionOf(h nats.Header) (at int64, ours bool) {
	at, err := strconv.ParseInt(h.Get(positionKey), 10, 64)
	return at, err == nil && at > 0
}
