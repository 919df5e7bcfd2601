package eventlog

import "sync"

// cache keeps recently written and read events by position, up to a number of bytes; the oldest to enter leave first.
// Nothing in it can grow stale: events never change.
type cache struct {
	mu    sync.RWMutex // owns the rest
	limit int
	size  int
	held  map[int64]Raw
	order []int64 // positions, in order of entry
}

func newCache(limit int) *cache { return &cache{limit: limit, held: map[int64]Raw{}} }

func weight(e *Raw) int { return 400 + len(e.Payload) + len(e.Metadata) + 60*len(e.Tags) }

func (c *cache) add(events []Raw) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for i := range events {
		e := events[i]
		if _, ok := c.held[e.Position]; ok {
			continue
		}
		e.Typed = nil
		c.held[e.Position] = e
		c.order = append(c.order, e.Position)
		c.size += weight(&e)
	}
	drop := 0
	for ; c.size > c.limit && drop < len(c.order); drop++ {
		old := c.held[c.order[drop]]
		c.size -= weight(&old)
		delete(c.held, c.order[drop])
	}
	c.order = c.order[drop:]
}

// pick copies the events that are held into place and appends the other positions to missing.
func (c *cache) pick(positions []int64, into []Raw, missing []int64) []int64 {
	c.mu.RLock()
	defer c.mu.RUnlock()
	for i, p := range positions {
		if e, ok := c.held[p]; ok {
			into[i] = e
		} else {
			missing = append(missing, p)
		}
	}
	return missing
}
