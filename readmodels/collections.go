package readmodels

import (
	"cmp"
	"context"
	"reflect"
	"strconv"

	"github.com/google/uuid"

	"chancery/domain"
	"chancery/readmodels/internal/decimal"
	"chancery/readmodels/internal/rows"
)

// Collections is every collection there is, in the order of the API. To add one: its file, its SQL, its line.
var Collections = []Collection{
	tenants, domains, departments, groups, groupMemberships, groupInvitations, policies,
	users, identities, tokens, credentials, sessions, links, erasures,
	secrets, secretVersions, secretAccess,
	privileges, roles, assignments, overrides,
	delegations, impersonations, approvals, constraints, reviews, reviewItems,
	issuers,
	vendors, signingKeys, apps, appVersions, tenantApps,
	licenses, activations,
	routes,
	entitlements, usage, seats,
	endpoints,
	consumption,
	deliveries,
	audit, events,
}

// CollectionOf is the collection of that name.
func CollectionOf(name string) (Collection, bool) {
	for _, c := range Collections {
		if c.Name == name {
			return c, true
		}
	}
	return Collection{}, false
}

// The projectors whose offsets answers state.
const (
	core     = "core"
	auditing = "audit"
	theLog   = ""
)

// Collection is a list of things of one kind, as the API shows it.
type Collection struct {
	Name      string           // as in the address
	Kind      string           // of the tag under which the log keeps a thing's history; empty if things have none
	Projector string           // whose offset says how much an answer has seen; empty: the log itself, which never lags
	Needs     domain.Privilege // to read it; core.<name>.read if empty
	Filters   []Filter
	Owns      string // the filter by which users ask for what is their own; user_id if empty
	Item      any    // a zero item, to describe its shape

	place  place
	judges func(query) bool // what a question judges is bounded, and so is how many judge at once; nil: none
	list   func(context.Context, *rows.Queries, query) ([]item, error)
}

// Privilege is what a caller needs to read the collection.
func (c Collection) Privilege() domain.Privilege {
	if c.Needs != "" {
		return c.Needs
	}
	return domain.Privilege("core." + c.Name + ".read")
}

// Owned is an item of a collection of which users may read their own, asked for by OwnFilter.
type Owned interface{ OwnedBy(user uuid.UUID) bool }

// Guarded is an item of which its owner sees less than those with the privilege.
type Guarded interface{ Guard(owner uuid.UUID) }

// Own reports whether users may read those of its items that are their own, whatever they lack.
func (c Collection) Own() bool {
	_, owned := reflect.TypeAssert[Owned](reflect.New(reflect.TypeOf(c.Item)))
	return owned
}

// OwnFilter is the name of the filter by which users ask for what is their own.
func (c Collection) OwnFilter() string { return cmp.Or(c.Owns, "user_id") }

// item is one row on its way out.
type item interface {
	// key is the row's place in the list, which cursors name, and the position that changed it last.
	key() (place string, version decimal.Int64)
}

// place is the kind of key by which a collection is ordered.
type place uint8

const (
	byID place = iota
	byNumber
	byDelivery
)

func (p place) valid(s string) bool {
	switch p {
	case byID:
		_, err := uuid.Parse(s)
		return err == nil && len(s) == 36
	case byNumber:
		n, err := strconv.ParseInt(s, 10, 64)
		return err == nil && n > 0
	case byDelivery:
		_, ok := spotOf(s)
		return ok
	}
	return false
}

// collection completes a collection with the query behind it. It asks for one row or a page; rows of the query's struct
// become items by conversion, so that the compiler keeps both the same.
func collection[T any, P interface {
	*T
	item
}](c Collection, list func(context.Context, *rows.Queries, query) ([]T, error),
) Collection {
	c.Item = *new(T)
	c.list = func(ctx context.Context, db *rows.Queries, q query) ([]item, error) {
		found, err := list(ctx, db, q)
		out := make([]item, len(found))
		for i := range found {
			out[i] = P(&found[i])
		}
		return out, err
	}
	return c
}

// each converts the rows of a query.
func each[R, T any](found []R, convert func(R) T) []T {
	out := make([]T, len(found))
	for i, r := range found {
		out[i] = convert(r)
	}
	return out
}
