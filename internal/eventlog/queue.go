package eventlog

import "sync"

// queue hands over everything that waits to whoever takes next. It is as long as there are callers waiting.
type queue[T any] struct {
	mu     sync.Mutex // owns the rest
	filled sync.Cond
	items  []T
	closed bool
}

func newQueue[T any]() *queue[T] {
	q := &queue[T]{}
	q.filled.L = &q.mu
	return q
}

// put reports false if the queue is closed.
func (q *queue[T]) put(item T) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.closed {
		return false
	}
	q.items = append(q.items, item)
	q.filled.Signal()
	return true
}

// take returns all waiting items, after those in held. With nothing held it waits, until it returns none: closed and empty.
func (q *queue[T]) take(held []T) []T {
	q.mu.Lock()
	defer q.mu.Unlock()
	for len(held) == 0 && len(q.items) == 0 && !q.closed {
		q.filled.Wait()
	}
	held = append(held, q.items...)
	clear(q.items)
	q.items = q.items[:0]
	return held
}

func (q *queue[T]) close() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.closed = true
	q.filled.Broadcast()
}
