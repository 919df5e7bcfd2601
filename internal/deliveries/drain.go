package deliveries

import (
	"context"
	"time"
)

// drain ends pumps: what is under way has so much time, and is then cut off; what is known of it is recorded.
func (e *Engine) drain(pumps []*pump, most time.Duration) {
	for _, p := range pumps {
		p.stop()
	}
	patience := time.NewTimer(most)
	defer patience.Stop()
	for _, p := range pumps {
		select {
		case <-p.idle:
		case <-patience.C:
			for _, o := range pumps {
				o.cancel()
			}
			patience.Reset(0)
			select {
			case <-p.idle:
			case <-e.over:
			}
		}
		e.forget(p)
	}
}

// remake drains a pump, and then has looked whether its endpoint is to be served anew.
func (s *sharer) remake(p *pump, most time.Duration) {
	s.e.sends.Go(func() {
		s.e.drain([]*pump{p}, most)
		s.mu.Lock()
		defer s.mu.Unlock()
		s.wanted = max(s.wanted, 1)
		s.rouse()
	})
}

// lose gives everything up: the locks are gone. What is known is recorded first, as far as that takes no time; an endpoint with which it
// does is not served anew before, but the others are.
func (s *sharer) lose(ctx context.Context) {
	if s.conn != nil {
		short, cancel := context.WithTimeout(ctx, time.Second)
		_ = s.conn.Close(short) // it failed already
		cancel()
		s.conn = nil
	}
	pumps := s.e.list()
	for _, p := range pumps {
		p.stop()
		p.cancel()
	}
	soon, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	for _, p := range pumps {
		select {
		case <-p.idle:
			s.e.forget(p)
		case <-soon.Done():
			s.remake(p, 0)
		}
	}
	if s.loading { // what is loaded next must not be followed by what was loaded before
		select {
		case <-s.loads:
			s.loading = false
		case <-ctx.Done():
			return
		}
	}
	s.mine, s.parting = map[int]bool{}, map[int]bool{}
	s.mu.Lock()
	s.back = nil
	s.mu.Unlock()
}

// leave gives everything back in order.
func (s *sharer) leave() {
	pumps := s.e.list()
	s.e.flush(pumps)
	given := make(chan struct{})
	s.e.sends.Go(func() { defer close(given); s.e.drain(pumps, s.e.cfg.Patience) })
	select {
	case <-given:
	case <-time.After(2*s.e.cfg.Patience + patient): // the database is away
	}
	for _, p := range pumps {
		p.cancel()
	}
	if s.conn != nil {
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		_ = s.conn.Close(ctx) // and the locks with it
	}
}

// flush records how far endpoints have come.
func (e *Engine) flush(pumps []*pump) {
	for _, p := range pumps {
		p.mu.Lock()
		p.keepCursor()
		p.mu.Unlock()
	}
}
