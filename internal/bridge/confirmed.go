package bridge

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"
)

// confirmed is a line whose publisher waits for the broker's word about each message before it returns. Several tenants' messages are
// on their way at once, of each tenant one: that keeps its order.
type confirmed struct {
	publisher message.Publisher
	topic     func(outgoing) string
	refuses   func(error) bool // whether it failed because the broker does not take the event
	hangUp    func()           // after the publisher was closed; may be nil
}

// abreast is how many tenants' messages are on their way at once.
const abreast = 8

// there knows nothing: Kafka and AMQP have no way to ask.
func (c *confirmed) there(context.Context, int64, int64, []outgoing) (map[string]bool, error) {
	return map[string]bool{}, nil
}

func (c *confirmed) send(ctx context.Context, page []outgoing, acknowledged func()) error {
	ctx, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	var ways [abreast][]outgoing
	for _, o := range page {
		way := o.tenant[len(o.tenant)-1] % abreast
		ways[way] = append(ways[way], o)
	}
	var wg sync.WaitGroup
	for _, way := range ways {
		wg.Go(func() {
			for _, o := range way {
				if ctx.Err() != nil {
					return
				}
				if err := c.publisher.Publish(c.topic(o), o.message); err != nil {
					if r := (&refused{o.message.UUID, err}); c.refuses(err) {
						stop(r)
					} else {
						stop(fmt.Errorf("event %s: %w", o.message.UUID, err))
					}
					return
				}
				acknowledged()
			}
		})
	}
	done := make(chan struct{})
	go func() { defer close(done); wg.Wait() }()
	select {
	case <-done:
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		return nil
	case <-ctx.Done(): // the publisher heeds no context: it ends when it is closed
		return context.Cause(ctx)
	}
}

func (c *confirmed) close() {
	_ = c.publisher.Close() // after a failure it only repeats what was said
	if c.hangUp != nil {
		c.hangUp()
	}
}

// within opens a publisher by a library that heeds no context. One that is opened too late is closed.
func within(ctx context.Context, open func() (*confirmed, error)) (line, error) {
	type outcome struct {
		line *confirmed
		err  error
	}
	opened := make(chan outcome, 1)
	go func() {
		l, err := open()
		opened <- outcome{l, err}
	}()
	select {
	case o := <-opened:
		if o.err != nil {
			return nil, o.err
		}
		return o.line, nil
	case <-ctx.Done():
		go func() {
			if o := <-opened; o.err == nil {
				o.line.close()
			}
		}()
		return nil, errors.Join(errLate, ctx.Err())
	}
}

var errLate = errors.New("it does not answer")

// connectWithin bounds what a library does to get a connection.
const connectWithin = 3 * time.Second
