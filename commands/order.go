package commands

import (
	"crypto/sha256"
	"fmt"
	"reflect"
	"strings"
	"time"

	"github.com/google/uuid"

	"chancery/domain"
	"chancery/internal/dcb"
)

// Order is one command with all that it comes with.
type Order struct {
	Spec        *Spec
	Command     Command
	Tenant      domain.TenantID // where it is decided
	Request     uuid.UUID
	Fingerprint []byte // tells the same request from another one under the same id
	Former      []byte // Fingerprint as older releases made it; none: they made none
	Keyed       bool   // the caller chose the request id, and may repeat it
	Seed        string // what secrets are made of; the same for a repeated request
	IfMatch     int64  // refuse if the thing changed after this position; 0 for no matter
	At          time.Time
	Rights      Rights
	By          dcb.Provenance
	Privileged  bool // see Env
	ungated     bool
	anonymous   bool // nobody is known yet: whose data the events hold, they acted
	fresh       bool
}

// app is the one that the request's token speaks for: in the tenant of its user, nowhere else.
func (o Order) app() string {
	if o.By.ActorTenant != o.Tenant.UUID {
		return ""
	}
	return o.By.App
}

// Result is what a command came to.
type Result struct {
	Position int64 // of the last event, or the position that the decision saw
	ID       uuid.UUID
	Events   []Ref
	Reveal   [2]string // name and value of what the answer shows once
	Replayed bool
}

// Ref names an event.
type Ref struct {
	Position int64
	ID       uuid.UUID
	Type     string
}

// Outcome is a result or a refusal.
type Outcome struct {
	Result Result
	Err    error
}

// NewOrder makes an order of a decoded command (a pointer, as of Spec.New), filling in the id of what it creates.
func NewOrder(spec *Spec, decoded any, sent domain.TenantID) Order {
	o := Order{Spec: spec, Tenant: sent, Request: uuid.Must(uuid.NewV7())}
	if c, ok := decoded.(Creating); ok && *c.NewID() == uuid.Nil {
		*c.NewID() = uuid.Must(uuid.NewV7())
		o.fresh = true
	}
	o.Command = reflect.ValueOf(decoded).Elem().Interface().(Command)
	if abroad, ok := o.Command.(Abroad); ok {
		o.Tenant = abroad.Destination(sent)
	}
	return o
}

// settledID is the id of what the command is about where it changed nothing; nil where it made up the id itself.
func (o Order) settledID() uuid.UUID {
	switch c := o.Command.(type) {
	case Paired:
		if _, things := c.Pair(o.Tenant); len(things) == 1 {
			return idIn(things[0])
		}
	case Targeted:
		if !o.fresh {
			return idIn(c.Target())
		}
	}
	return uuid.Nil
}

// idOf is the id of the thing that the events create or change.
func (o Order) idOf(events []dcb.Event) uuid.UUID {
	if t, ok := o.Command.(Targeted); ok && t.Target().Tag() != "" {
		return idIn(t.Target())
	}
	last := events[len(events)-1]
	kind := domain.Catalog.KindOf(last.EventType()) + ":"
	for _, t := range dcb.TagsOf(last) {
		if strings.HasPrefix(string(t), kind) {
			return idIn(rawTag(t))
		}
	}
	return uuid.Nil
}

type rawTag dcb.Tag

func (t rawTag) Tag() dcb.Tag { return dcb.Tag(t) }

func idIn(t dcb.Tagger) uuid.UUID {
	_, text, _ := strings.Cut(string(t.Tag()), ":")
	id, _ := uuid.Parse(text)
	return id
}

// actor is on whose account the events go.
func (o Order) actor(events []dcb.Event) dcb.Provenance {
	by := o.By
	if !o.anonymous {
		return by
	}
	for _, e := range events {
		if s, ok := e.(dcb.Subjected); ok {
			by.Actor, by.Effective, by.ActorTenant = s.DataSubject(), s.DataSubject(), o.Tenant.UUID
			return by
		}
	}
	by.IP, by.Agent = dcb.Personal{}, dcb.Personal{} // nobody's key to seal them under
	return by
}

// target is the kind and the tags of the thing that If-Match is about.
func (o Order) target() (kind string, tags []dcb.Tag) {
	switch c := o.Command.(type) {
	case Paired:
		kind, things := c.Pair(o.Tenant)
		for _, t := range things {
			tags = append(tags, t.Tag())
		}
		return kind, tags
	case Targeted:
		t := c.Target().Tag()
		kind, _, _ = strings.Cut(string(t), ":")
		return kind, []dcb.Tag{t}
	}
	return "", nil
}

// Matchable reports whether If-Match has a meaning for the command.
func (o Order) Matchable() bool { kind, _ := o.target(); return kind != "" }

// Object is what the command is about, as kind:id, for the record of a refusal.
func (o Order) Object() string {
	_, tags := o.target()
	if len(tags) == 0 || o.fresh {
		return ""
	}
	return string(tags[len(tags)-1])
}

// Fingerprint tells one request from another.
func Fingerprint(parts ...[]byte) []byte {
	h := sha256.New()
	for _, p := range parts {
		fmt.Fprintf(h, "%d:", len(p))
		h.Write(p)
	}
	return h.Sum(nil)
}
