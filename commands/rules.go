package commands

import (
	"bytes"
	"slices"
	"time"

	"github.com/google/uuid"

	"chancery/domain"
	"chancery/internal/dcb"
)

// refused is a decision that history cannot change.
func refused(err error) dcb.Decision {
	return dcb.From().Decide(func() ([]dcb.Event, error) { return nil, err })
}

// some is a list of the id, empty if the id is absent.
func some[ID interface{ IsZero() bool }](id ID) []ID {
	if id.IsZero() {
		return nil
	}
	return []ID{id}
}

// inOrder lists the values of a map in the order of their ids, so that a decision is the same each time.
func inOrder[K comparable, V any](m map[K]V, id func(V) uuid.UUID) []V {
	all := make([]V, 0, len(m))
	for _, v := range m {
		all = append(all, v)
	}
	slices.SortFunc(all, func(a, b V) int { x, y := id(a), id(b); return bytes.Compare(x[:], y[:]) })
	return all
}

// unique drops repetitions and keeps the order.
func unique[T comparable](in []T) []T {
	var out []T
	for _, v := range in {
		if !slices.Contains(out, v) {
			out = append(out, v)
		}
	}
	return out
}

// label is the name and the description of a group or a role; the key keeps its name unique.
type label struct {
	name, description string
	key               domain.Key
}

// changed is the label with what was sent in its place; what is absent stays.
func (l label) changed(name string, description *string, key domain.Key) (label, error) {
	if name != "" {
		l.name, l.key = name, key
	}
	if description != nil {
		l.description = *description
	}
	return l, domain.FirstError(domain.CheckName("/name", l.name), domain.CheckText("/description", l.description))
}

// covers reports whether the actor has every right that the user has. One from whom nothing is kept covers a user too
// whom Rights cannot know yet, such as one registered earlier in the same batch.
func (env Env) covers(u domain.UserID) bool {
	return env.Rights.HoldsEverything() || env.Rights.Covers(u)
}

// System is Chancery itself, acting at its first start: nothing is kept from it.
type System struct{}

func (System) Actor() domain.UserID                     { return domain.UserID{} }
func (System) Effective() domain.UserID                 { return domain.UserID{} }
func (System) Holds(domain.Pattern, domain.Scope) bool  { return true }
func (System) Denied(domain.Pattern, domain.Scope) bool { return false }
func (System) HoldsEverything() bool                    { return true }
func (System) Covers(domain.UserID) bool                { return true }
func (System) WithinCeiling([]domain.Pattern) bool      { return true }
func (System) Until() time.Time                         { return time.Time{} }
