package access

import (
	"slices"
	"sync/atomic"

	"chancery/domain"
	"chancery/internal/dcb"
)

// seatPool is the seats of a pool. Under the index's lock, as all else; shown is memoised by readers.
type seatPool struct {
	plan  *domain.SeatPlan
	shown atomic.Pointer[domain.Seats] // nil: not yet shown since the last change
}

func newSeatPool() *seatPool { return &seatPool{plan: domain.NewSeatPlan(nil)} }

// seats are a copy, made once for each change.
func (p *seatPool) seats() domain.Seats {
	if s := p.shown.Load(); s != nil {
		return *s
	}
	s := slices.AppendSeq(make(domain.Seats, 0, p.plan.Len()), p.plan.All())
	p.shown.Store(&s)
	return s
}

func (p *seatPool) fold(event dcb.Event) {
	p.shown.Store(nil)
	p.plan.Fold(event)
}
