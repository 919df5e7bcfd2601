package dcb

import (
	"context"
	"slices"

	"github.com/google/uuid"
)

// Fact is a question put to history: a query, and the fold that answers it.
// Without Anywhere, Also or Only it hears only events of the tenant in which the decision is made, so an id
// of another tenant is an id that does not exist.
type Fact[S any] struct {
	Value    S
	item     Item
	bound    []Tag
	sole     bool
	anywhere bool
	also     uuid.UUID
	only     uuid.UUID
	unread   bool
	folds    []Fold[S] // few: a search through them beats a map
}

// Fold takes one type of event into a fact.
type Fold[S any] struct {
	typ string
	fn  func(*S, Recorded)
}

// On folds one type of event.
func On[S any, E Event](fn func(*S, E)) Fold[S] {
	var zero E
	return Fold[S]{zero.EventType(), func(s *S, r Recorded) { fn(s, r.Event.(E)) }}
}

// OnMeta folds one type of event together with its envelope.
func OnMeta[S any, E Event](fn func(*S, E, Meta)) Fold[S] {
	var zero E
	return Fold[S]{zero.EventType(), func(s *S, r Recorded) { fn(s, r.Event.(E), r.Meta) }}
}

// Ask makes a fact about the events carrying all of tags. The event types are those of its folds, so
// the query and the fold cannot disagree. Put the most selective tag first: it drives the lookup.
func Ask[S any](initial S, tags []Tag, folds ...Fold[S]) *Fact[S] {
	f := &Fact[S]{Value: initial, item: Item{Tags: tags}}
	return f.Folding(folds...)
}

// Folding adds folds to a fact, for those that must ask the fact itself.
func (f *Fact[S]) Folding(folds ...Fold[S]) *Fact[S] {
	f.folds = append(f.folds, folds...)
	f.item.Types = slices.Grow(f.item.Types, len(folds))
	for _, fold := range folds {
		f.item.Types = append(f.item.Types, fold.typ)
	}
	return f
}

// Watch is a fact without a value, relied on and not read: it says that no event of the types (none: of any type) that carries all of
// the tags comes while the decision is made. It is for a decision that rests on more of the past than it can read, and knows that
// by other means up to the head of what it did read.
func Watch(tags []Tag, types ...string) *Fact[struct{}] {
	return &Fact[struct{}]{item: Item{Types: types, Tags: tags}, unread: true}
}

// Stored reports whether t, as stored, is the tag that the fact asks about.
func (f *Fact[S]) Stored(t Tag) bool { return slices.Contains(f.bound, t) }

// Anywhere makes the fact hear every tenant: for claims that are unique on the whole platform.
func (f *Fact[S]) Anywhere() *Fact[S] { f.anywhere = true; return f }

// Also makes the fact hear one further tenant: for things of the platform that tenants share.
func (f *Fact[S]) Also(tenant uuid.UUID) *Fact[S] { f.also = tenant; return f }

// Only makes the fact hear that tenant alone, wherever the decision is made: for things of a tenant that the decision names.
func (f *Fact[S]) Only(tenant uuid.UUID) *Fact[S] { f.only = tenant; return f }

// Sole says that its tags stand on few events but those that it folds. Then it asks by tag alone: one range of the index
// instead of one for each type, and facts about the same tag are one question.
func (f *Fact[S]) Sole() *Fact[S] { f.sole = true; return f }

// LatestOf is the envelope of the last event of the types that carries all of the tags and counts.
func LatestOf(types []string, tags []Tag, counts func(Event) bool) *Fact[Meta] {
	f := Ask(Meta{}, tags)
	for _, typ := range types {
		f.Folding(Fold[Meta]{typ, func(m *Meta, r Recorded) {
			if counts(r.Event) {
				*m = r.Meta
			}
		}})
	}
	return f
}

// AnyFact is a fact of whatever value.
type AnyFact interface {
	Item() Item
	bind(claim func(Tag) Tag) Item
	read() bool
	apply(tenant uuid.UUID, r Recorded)
}

// Item is the question in the words of the domain.
func (f *Fact[S]) Item() Item { return f.item }

func (f *Fact[S]) read() bool { return !f.unread }

func (f *Fact[S]) bind(claim func(Tag) Tag) Item {
	f.bound = make([]Tag, len(f.item.Tags))
	for i, t := range f.item.Tags {
		f.bound[i] = claim(t)
	}
	if f.sole {
		return Item{Tags: f.bound}
	}
	return Item{Types: f.item.Types, Tags: f.bound}
}

func (f *Fact[S]) apply(tenant uuid.UUID, r Recorded) {
	if !f.hears(tenant, r.Tenant) {
		return
	}
	typ := r.Event.EventType()
	i := slices.IndexFunc(f.folds, func(fold Fold[S]) bool { return fold.typ == typ })
	if i < 0 {
		return
	}
	for _, t := range f.bound {
		if !slices.Contains(r.Tags, t) {
			return
		}
	}
	f.folds[i].fn(&f.Value, r)
}

// hears reports whether what was recorded in a tenant counts for a decision that is made in tenant.
func (f *Fact[S]) hears(tenant, recorded uuid.UUID) bool {
	if f.only != uuid.Nil {
		return recorded == f.only
	}
	return f.anywhere || recorded == tenant || f.also != uuid.Nil && recorded == f.also
}

// Decision is a pure function of the facts it names.
type Decision struct {
	facts   []AnyFact
	more    []func() []AnyFact
	consult func(context.Context) error
	guards  []func() error
	decide  func() ([]Event, error)
	open    Clear
}

// From starts a decision on facts.
func From(facts ...AnyFact) Decision { return Decision{facts: facts} }

// Then names further facts once the earlier ones are known. It is called again, after what it returned
// is known, until it returns none; so it can walk a chain of unknown length.
func (d Decision) Then(more func() []AnyFact) Decision {
	d.more = append(slices.Clip(d.more), more)
	return d
}

// Consult asks the outside world (DNS, say) once all facts are known. It MUST keep its answer in the
// closure, and change nothing.
func (d Decision) Consult(ask func(context.Context) error) Decision { d.consult = ask; return d }

// Opening says that the facts need personal fields in the clear.
func (d Decision) Opening() Decision { d.open |= Personals; return d }

// Unsealing says that the facts need fields of type Sealed in the clear.
func (d Decision) Unsealing() Decision { d.open |= Secrets; return d }

// Decide completes the decision with the rule itself.
func (d Decision) Decide(rule func() ([]Event, error)) Decision { d.decide = rule; return d }

// Guarded adds a rule of whoever runs the decision, and the fact that it rests on. Guards are asked before the
// decision's own rule, the last added first.
func (d Decision) Guarded(fact AnyFact, rule func() error) Decision {
	d.facts = append(slices.Clip(d.facts), fact)
	d.guards = append([]func() error{rule}, d.guards...)
	return d
}

// Verified adds such a rule that is asked only of what the decision's own rule does not refuse.
func (d Decision) Verified(fact AnyFact, rule func() error) Decision {
	d.facts = append(slices.Clip(d.facts), fact)
	decide := d.decide
	d.decide = func() ([]Event, error) {
		events, err := decide()
		if err == nil {
			err = rule()
		}
		return events, err
	}
	return d
}

// Opens is what is needed in the clear.
func (d Decision) Opens() Clear { return d.open }

// Emit is the usual end of a rule.
func Emit(events ...Event) ([]Event, error) { return events, nil }

// Source answers a query with the matching events, in order.
type Source func(Query) ([]Recorded, error)

// Run asks every fact of the decision, made in tenant, stage by stage, and decides. It returns the decided events
// and the whole query that they rest on. Claim gives the stored form of a tag.
func (d Decision) Run(ctx context.Context, tenant uuid.UUID, claim func(Tag) Tag, ask Source) ([]Event, Query, error) {
	whole, err := resolve(tenant, nil, d.facts, claim, ask)
	if err != nil {
		return nil, nil, err
	}
	for _, allowed := range d.guards {
		if err := allowed(); err != nil {
			return nil, nil, err
		}
	}
	for _, more := range d.more {
		for facts := more(); len(facts) > 0; facts = more() {
			if whole, err = resolve(tenant, whole, facts, claim, ask); err != nil {
				return nil, nil, err
			}
		}
	}
	if d.consult != nil {
		if err := d.consult(ctx); err != nil {
			return nil, nil, err
		}
	}
	if d.decide == nil { // it is only asked
		return nil, whole, nil
	}
	events, err := d.decide()
	return events, whole, err
}

// FirstQuery is the query of the facts known before anything is read.
func (d Decision) FirstQuery(claim func(Tag) Tag) Query {
	q := make(Query, 0, len(d.facts))
	for _, f := range d.facts {
		if f.read() {
			q = append(q, f.bind(claim))
		}
	}
	return q
}

func resolve(tenant uuid.UUID, whole Query, facts []AnyFact, claim func(Tag) Tag, ask Source) (Query, error) {
	q := make(Query, 0, len(facts))
	for _, f := range facts {
		if item := f.bind(claim); f.read() {
			q = append(q, item)
		} else {
			whole = append(whole, item)
		}
	}
	if len(q) == 0 {
		return whole, nil
	}
	events, err := ask(q)
	if err != nil {
		return nil, err
	}
	for _, r := range events {
		for _, f := range facts {
			f.apply(tenant, r)
		}
	}
	return append(whole, q...), nil
}

// Matches reports whether an event of typ with tags answers q.
func (q Query) Matches(typ string, tags []Tag) bool {
	return slices.ContainsFunc(q, func(i Item) bool { return i.Matches(typ, tags) })
}

// Matches reports whether an event of typ with tags answers i.
func (i Item) Matches(typ string, tags []Tag) bool {
	if len(i.Types) > 0 && !slices.Contains(i.Types, typ) {
		return false
	}
	for _, t := range i.Tags {
		if !slices.Contains(tags, t) {
			return false
		}
	}
	return true
}
