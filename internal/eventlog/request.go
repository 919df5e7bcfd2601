package eventlog

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/google/uuid"
)

// Normal returns the request as a log stores it, ids filled and times in UTC microseconds, or why no log takes it
// (ErrBadRequest, ErrTooWide). The caller's slices of events stay as they are.
func (r Request) Normal() (Request, error) {
	if err := r.checkParts(); err != nil {
		return r, fmt.Errorf("%w: %w", ErrBadRequest, err)
	}
	for _, c := range r.Conditions {
		if err := c.Query.Check(); err != nil {
			return r, err
		}
	}
	for _, k := range r.Keys {
		if k.Tenant == uuid.Nil || k.Subject == uuid.Nil || len(k.Wrapped) == 0 {
			return r, fmt.Errorf("%w: data key without tenant, subject or content", ErrBadRequest)
		}
	}
	events := make([]Raw, len(r.Events))
	for i, e := range r.Events {
		if err := e.check(); err != nil {
			return r, fmt.Errorf("%w: event %d: %w", ErrBadRequest, i, err)
		}
		if e.ID == uuid.Nil {
			id, err := uuid.NewV7()
			if err != nil {
				return r, fmt.Errorf("eventlog: new event id: %w", err)
			}
			e.ID = id
		}
		if e.SourceApp == "" {
			e.SourceApp = "core"
		}
		if !e.OccurredAt.IsZero() {
			e.OccurredAt = Instant(e.OccurredAt)
		}
		events[i] = e
	}
	r.Events = events
	return r, nil
}

func (r Request) checkParts() error {
	n := 0
	seen := make(map[uuid.UUID]bool, len(r.Parts))
	for _, p := range r.Parts {
		if p.ID == uuid.Nil || seen[p.ID] || p.Events < 0 {
			return fmt.Errorf("part %s is nil, named twice or has a negative number of events", p.ID)
		}
		seen[p.ID] = true
		n += p.Events
	}
	if len(r.Parts) == 0 || n != len(r.Events) {
		return fmt.Errorf("%d parts cover %d of %d events", len(r.Parts), n, len(r.Events))
	}
	return nil
}

// Check refuses items without a tag, and texts that no event can carry.
func (q Query) Check() error {
	for _, i := range q {
		if len(i.Tags) == 0 {
			return ErrTooWide
		}
		for _, t := range i.Tags {
			if !plain(t) {
				return fmt.Errorf("%w: tag %q", ErrBadRequest, t)
			}
		}
	}
	return nil
}

func (e *Raw) check() error {
	if e.Tenant == uuid.Nil {
		return errors.New("no tenant")
	}
	if !plain(e.Type) || e.SourceApp != "" && !plain(e.SourceApp) {
		return fmt.Errorf("type %q or source app %q is empty, not UTF-8 or has control characters", e.Type, e.SourceApp)
	}
	for _, t := range e.Tags {
		if !plain(t) {
			return fmt.Errorf("tag %q is empty, not UTF-8 or has control characters", t)
		}
	}
	if !stored(e.Payload) || !stored(e.Metadata) {
		return fmt.Errorf("payload or metadata of %s is not JSON in UTF-8", e.Type)
	}
	return nil
}

// plain admits the texts that may be joined by a control character, and that PostgreSQL can hold.
func plain(s string) bool {
	return s != "" && utf8.ValidString(s) && !strings.ContainsFunc(s, func(r rune) bool { return r < 0x20 || r == 0x7f })
}

func stored(b []byte) bool { return utf8.Valid(b) && json.Valid(b) }

// Instant is a time as the log keeps it.
func Instant(t time.Time) time.Time { return t.UTC().Truncate(time.Microsecond) }

// OutOfOrder reports whether a given OccurredAt goes back within one tenant's events of one request. After an event
// without one, which happens now, nothing earlier can have happened.
func OutOfOrder(events []Raw) bool {
	timed := false
	for i := range events {
		timed = timed || !events[i].OccurredAt.IsZero()
	}
	if !timed {
		return false
	}
	newest := map[uuid.UUID]*Raw{}
	for i := range events {
		e := &events[i]
		before := newest[e.Tenant]
		newest[e.Tenant] = e
		if before == nil || e.OccurredAt.IsZero() {
			continue
		}
		if before.OccurredAt.IsZero() || e.OccurredAt.Before(before.OccurredAt) {
			return true
		}
	}
	return false
}
