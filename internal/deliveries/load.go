package deliveries

import (
	"context"
	"fmt"
	"time"
)

// loaded is the endpoints as they were read.
type loaded struct {
	endpoints []Endpoint
	settled   bool // they show what is recorded up to position
	position  int64
	err       error
}

// prepare loads the endpoints when nothing is in hand.
func (s *sharer) prepare(ctx context.Context) error {
	l := s.load(ctx, s.e.tail.newest())
	if s.endpoints = l.endpoints; l.err == nil && l.settled {
		s.e.tail.settle(l.position)
	}
	return l.err
}

// fetch loads endpoints for the sharer's goroutine.
func (s *sharer) fetch(ctx context.Context) {
	s.loads <- s.load(ctx, s.asked())
	s.mu.Lock()
	defer s.mu.Unlock()
	s.rouse()
}

// load reads the endpoints as of a position. Settling is worth some time; without it they are as they are, for those that nothing unsettled
// concerns, and it is tried again.
func (s *sharer) load(ctx context.Context, position int64) loaded {
	l := loaded{position: position}
	var unsettled error
	if position > 0 {
		settling, cancel := context.WithTimeout(ctx, patient)
		unsettled = s.e.cfg.Settle(settling, position)
		cancel()
	}
	loading, cancel := context.WithTimeout(ctx, 20*time.Second)
	defer cancel()
	l.err = guarded("loading endpoints", func() (err error) {
		l.endpoints, err = s.e.cfg.Load(loading)
		return err
	})
	if l.settled = unsettled == nil; !l.settled && l.err == nil {
		s.e.cfg.Logger.Warn("deliveries: the endpoints of tenants that changed them are not up to date and wait", "position", position, "error", unsettled)
		s.again(ctx, position)
	}
	return l
}

// again has endpoints loaded once more, soon.
func (s *sharer) again(ctx context.Context, position int64) {
	s.e.sends.Go(func() {
		if sleep(ctx, 500*time.Millisecond) {
			s.mu.Lock()
			defer s.mu.Unlock()
			s.wanted = max(s.wanted, position, 1)
			s.rouse()
		}
	})
}

// takeUp takes up what was fetched, if anything was. What fails is tried again.
func (s *sharer) takeUp(ctx context.Context) {
	var l loaded
	select {
	case l = <-s.loads:
	default:
		return
	}
	s.loading = false
	err := l.err
	if err == nil {
		s.endpoints = l.endpoints
		err = s.serve(ctx)
	}
	switch {
	case err == nil && l.settled:
		s.e.tail.settle(l.position)
	case err != nil && ctx.Err() == nil:
		s.e.cfg.Logger.Warn("deliveries: endpoints cannot be read", "error", err)
		s.again(ctx, l.position)
	}
}

// serve brings the pumps in line with the endpoints in hand.
func (s *sharer) serve(ctx context.Context) error {
	var news []Endpoint
	known := map[place]bool{}
	for _, ep := range s.endpoints {
		at := place{ep.Tenant, ep.ID}
		known[at] = true
		shard := shardOf(ep.ID)
		if !s.mine[shard] || s.parting[shard] {
			continue
		}
		s.e.mu.RLock()
		p := s.e.pumps[at]
		s.e.mu.RUnlock()
		switch {
		case p == nil:
			news = append(news, ep)
		case p.adopt(ep):
			p.poke()
		default: // it begins anew elsewhere, or otherwise
			s.retire(p)
		}
	}
	for _, p := range s.e.list() {
		if !known[p.place] {
			p.mu.Lock()
			p.failing, p.misses, p.dirty = time.Time{}, 0, true // it counts no longer when the endpoint is enabled again
			p.keepCursor()
			p.mu.Unlock()
			s.retire(p)
		}
	}
	for len(news) > 0 {
		n := min(len(news), 1000)
		if err := s.take(ctx, news[:n]); err != nil {
			return fmt.Errorf("take endpoints over: %w", err)
		}
		news = news[n:]
	}
	return nil
}

// adopt takes on the endpoint as it is now. Where that is more than other terms it reports false: the pump is to be made anew.
func (p *pump) adopt(ep Endpoint) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closing {
		return true // it will be made anew when it has ended
	}
	if ep.OrderBy != p.ep.OrderBy || ep.Full != p.ep.Full /* what is in hand has its data, or has not */ || ep.SkippedThrough > p.ep.SkippedThrough {
		return false
	}
	p.set(ep)
	return true
}

// retire ends a pump whose endpoint is gone or to be made anew, and looks again when it has ended.
func (s *sharer) retire(p *pump) {
	p.mu.Lock()
	closing := p.closing
	p.mu.Unlock()
	if closing {
		return
	}
	p.stop()
	s.remake(p, s.e.cfg.Longest)
}
