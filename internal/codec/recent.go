package codec

import (
	"sync"

	"github.com/google/uuid"

	"chancery/internal/eventlog"
)

// recent remembers the newest events of this process as they were written, so that its projectors, which see each of
// them soon after, need not decode them again. An entry counts only for the very event: position and id must agree.
//
// mu guards ring; the entry of a position is at its remainder.
type recent struct {
	mu   sync.RWMutex
	ring [recentEvents]recentEvent
}

const (
	recentEvents = 4096
	recentBytes  = 8 << 10 // of a payload: larger ones are decoded again, or a few thousand of them would be all there is room for
)

type recentEvent struct {
	position int64
	id       uuid.UUID
	written  written
}

// Remember takes events that were appended, as the log hands them to OnAppend.
func (s *Store) Remember(raws []eventlog.Raw) {
	s.recent.mu.Lock()
	defer s.recent.mu.Unlock()
	for _, raw := range raws {
		if w, ok := raw.Typed.(written); ok && len(raw.Payload) <= recentBytes {
			s.recent.ring[raw.Position%recentEvents] = recentEvent{raw.Position, raw.ID, w}
		}
	}
}

func (r *recent) find(raw *eventlog.Raw) (written, bool) {
	r.mu.RLock()
	defer r.mu.RUnlock()
	e := &r.ring[raw.Position%recentEvents]
	return e.written, e.position == raw.Position && e.id == raw.ID
}
