package mail

import (
	"container/heap"
	"context"
	"sync"
	"time"
)

// Courier tries deliveries until they are over, a few at a time and each at its own pace: what is slow or fails holds up
// nothing but itself. It forgets everything when it ends; whoever starts it knows what is still to be delivered.
//
// mu owns queue and known. Invariant: a key is in known from Add until it is over, and in queue unless it is being tried.
type Courier[K comparable] struct {
	Try     func(context.Context, K) (over bool) // one attempt; it must end soon
	Workers int                                  // attempts at a time; 0 means 4
	Min     time.Duration                        // the pause after the first failure, doubled after each; 0 means 5 s
	Max     time.Duration                        // the longest pause; 0 means 5 min

	mu    sync.Mutex
	queue agenda[K]
	known map[K]struct{}
	wake  chan struct{}
}

type errand[K comparable] struct {
	key      K
	due      time.Time
	failures int
}

// Add takes deliveries on; those that are known already stay as they are.
func (c *Courier[K]) Add(keys ...K) {
	c.mu.Lock()
	c.prepare()
	for _, k := range keys {
		if _, twice := c.known[k]; !twice {
			c.known[k] = struct{}{}
			heap.Push(&c.queue, &errand[K]{key: k, due: time.Now()})
		}
	}
	c.mu.Unlock()
	c.poke()
}

// Waiting is how many deliveries are not over.
func (c *Courier[K]) Waiting() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.known)
}

// Run works until ctx ends and every attempt has come back.
func (c *Courier[K]) Run(ctx context.Context) {
	c.mu.Lock()
	c.prepare()
	c.mu.Unlock()
	workers := c.Workers
	if workers <= 0 {
		workers = 4
	}
	var wg sync.WaitGroup
	defer wg.Wait()
	slots := make(chan struct{}, workers)
	for {
		select {
		case slots <- struct{}{}:
		case <-ctx.Done():
			return
		}
		e := c.next(ctx)
		if e == nil {
			return
		}
		wg.Go(func() {
			defer func() { <-slots }()
			c.done(e, c.Try(ctx, e.key))
		})
	}
}

// prepare needs mu.
func (c *Courier[K]) prepare() {
	if c.known == nil {
		c.known, c.wake = map[K]struct{}{}, make(chan struct{}, 1)
	}
}

func (c *Courier[K]) poke() {
	select {
	case c.wake <- struct{}{}:
	default:
	}
}

// next waits for the next delivery that is due; nil when ctx has ended.
func (c *Courier[K]) next(ctx context.Context) *errand[K] {
	for {
		pause := time.Hour
		c.mu.Lock()
		if len(c.queue) > 0 {
			if pause = time.Until(c.queue[0].due); pause <= 0 && ctx.Err() == nil {
				e := heap.Pop(&c.queue).(*errand[K])
				c.mu.Unlock()
				return e
			}
		}
		c.mu.Unlock()
		t := time.NewTimer(pause)
		select {
		case <-t.C:
		case <-c.wake:
		case <-ctx.Done():
			t.Stop()
			return nil
		}
		t.Stop()
	}
}

func (c *Courier[K]) done(e *errand[K], over bool) {
	c.mu.Lock()
	if over {
		delete(c.known, e.key)
	} else {
		e.due = time.Now().Add(c.pause(e.failures))
		e.failures++
		heap.Push(&c.queue, e)
	}
	c.mu.Unlock()
	c.poke()
}

func (c *Courier[K]) pause(failures int) time.Duration {
	least, most := c.Min, c.Max
	if least <= 0 {
		least = 5 * time.Second
	}
	if most <= 0 {
		most = 5 * time.Minute
	}
	return min(least<<min(failures, 20), most)
}

// agenda is a heap by due time.
type agenda[K comparable] []*errand[K]

func (a agenda[K]) Len() int           { return len(a) }
func (a agenda[K]) Less(i, j int) bool { return a[i].due.Before(a[j].due) }
func (a agenda[K]) Swap(i, j int)      { a[i], a[j] = a[j], a[i] }
func (a *agenda[K]) Push(x any)        { *a = append(*a, x.(*errand[K])) }

// Pop takes the last one, as container/heap wants it.
func (a *agenda[K]) Pop() any {
	last := len(*a) - 1
	e := (*a)[last]
	(*a)[last], *a = nil, (*a)[:last]
	return e
}
