package vault

import (
	"container/list"
	"sync"

	"github.com/google/uuid"
	"github.com/tink-crypto/tink-go/v2/tink"
)

// subjectRef names one subject of one tenant.
type subjectRef struct{ tenant, subject uuid.UUID }

// cache keeps the most recently used data keys in unwrapped form.
//
// mu owns everything. Invariant: a key that was read from the source before a drop is never stored after it; that is
// what generation is for. Readers take it before they ask the source, and put refuses what is older than the last drop.
type cache struct {
	mu         sync.Mutex
	limit      int
	generation uint64
	order      *list.List // of *cached, most recently used first
	entries    map[subjectRef]*list.Element
}

type cached struct {
	ref subjectRef
	key tink.AEAD
}

func newCache(limit int) *cache {
	return &cache{limit: limit, order: list.New(), entries: make(map[subjectRef]*list.Element)}
}

// find returns the key, if it is here, and the generation as of now.
func (c *cache) find(ref subjectRef) (tink.AEAD, uint64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	element, ok := c.entries[ref]
	if !ok {
		return nil, c.generation
	}
	c.order.MoveToFront(element)
	return element.Value.(*cached).key, c.generation
}

func (c *cache) put(ref subjectRef, key tink.AEAD, generation uint64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if generation != c.generation {
		return
	}
	if element, ok := c.entries[ref]; ok {
		element.Value.(*cached).key = key
		c.order.MoveToFront(element)
		return
	}
	c.entries[ref] = c.order.PushFront(&cached{ref: ref, key: key})
	if c.order.Len() > c.limit {
		oldest := c.order.Remove(c.order.Back()).(*cached)
		delete(c.entries, oldest.ref)
	}
}

func (c *cache) drop(ref subjectRef) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.generation++
	if element, ok := c.entries[ref]; ok {
		c.order.Remove(element)
		delete(c.entries, ref)
	}
}
