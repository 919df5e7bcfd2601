package access_test

import (
	"cmp"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"chancery/domain"
	"chancery/internal/access"
	"chancery/internal/dcb"
)

// Few of everything, so that things meet: ids are shared between tenants, and some are never made.
const pool = 5

var privileges = []domain.Privilege{
	"repo.read", "repo.write", "repo.writer", "repository.read", "core.groups.rename", "core.group-memberships.add",
}

var patterns = []domain.Pattern{"*", "repo.*", "repo.read", "repo.write", "repository.*", "core.*", "core.groups.*"}

type chance struct{ *rand.Rand }

// seeded is a source of chance that prints its seed; ACCESS_SEED repeats a run.
func seeded(t testing.TB) chance {
	seed := uint64(time.Now().UnixNano())
	if s := os.Getenv("ACCESS_SEED"); s != "" {
		seed, _ = strconv.ParseUint(s, 10, 64)
	}
	t.Logf("ACCESS_SEED=%d", seed)
	return chance{rand.New(rand.NewPCG(seed, 0))}
}

func (c chance) id(kind byte) uuid.UUID { return named(kind, c.IntN(pool)) }

func named(kind byte, n int) uuid.UUID {
	return uuid.UUID(binary.BigEndian.AppendUint64([]byte{kind, 7: 0}, uint64(n+1)))
}

// maybe is now and then no thing at all.
func (c chance) maybe(kind byte) uuid.UUID {
	if c.IntN(3) == 0 {
		return uuid.Nil
	}
	return c.id(kind)
}

func (c chance) tenant() uuid.UUID {
	if n := c.IntN(3); n > 0 {
		return named('t', n)
	}
	return domain.Root.UUID
}

func (c chance) instant() time.Time {
	return time.Date(2026, 1, 1+c.IntN(4), 0, 0, 0, c.IntN(3)-1, time.UTC)
}

func (c chance) instantOrNone() time.Time {
	if c.IntN(3) > 0 {
		return time.Time{}
	}
	return c.instant()
}

func (c chance) scope() domain.Scope {
	switch c.IntN(5) {
	case 0, 1:
		return ""
	case 2:
		return domain.Scope("group:" + c.id('g').String())
	}
	return domain.Scope(fmt.Sprintf("repo:%d", c.IntN(3)))
}

func pick[T any](c chance, list ...T) T { return list[c.IntN(len(list))] }

func (c chance) subjects(everyone bool) (u domain.UserID, d domain.DepartmentID, g domain.GroupID) {
	switch c.IntN(6) {
	case 0, 1:
		d.UUID = c.id('d')
	case 2, 3:
		g.UUID = c.id('g')
	case 4:
		if everyone {
			return
		}
		fallthrough
	default:
		u.UUID = c.id('u')
	}
	return
}

func (c chance) event(t uuid.UUID) dcb.Event {
	var (
		tenant     = domain.TenantID{UUID: t}
		user       = domain.UserID{UUID: c.id('u')}
		group      = domain.GroupID{UUID: c.id('g')}
		department = domain.DepartmentID{UUID: c.id('d')}
		role       = domain.RoleID{UUID: c.id('r')}
		officer    = pick(c, domain.Member, domain.Maintainer, domain.Owner)
	)
	switch c.IntN(46) {
	case 0:
		if c.IntN(20) > 0 {
			return domain.TenantSuspended{Tenant: tenant}
		}
		return domain.TenantClosed{Tenant: tenant}
	case 1, 2, 40:
		return domain.TenantReactivated{Tenant: tenant}
	case 3, 4, 5:
		return domain.UserRegistered{User: user, Department: domain.DepartmentID{UUID: c.maybe('d')}, Status: pick(c, domain.UserActive, domain.UserActive, domain.UserInvited)}
	case 6:
		return domain.UserMoved{User: user, Department: domain.DepartmentID{UUID: c.maybe('d')}}
	case 7:
		if c.IntN(8) == 0 {
			return domain.UserErased{User: user, Erases: user.UUID}
		}
		return domain.UserDeactivated{User: user}
	case 8, 9, 10:
		return domain.UserReactivated{User: user}
	case 11, 12:
		return domain.DepartmentCreated{Department: department, Parent: domain.DepartmentID{UUID: c.maybe('d')}}
	case 13:
		return domain.DepartmentMoved{Department: department, Parent: domain.DepartmentID{UUID: c.maybe('d')}}
	case 14, 15:
		return domain.GroupCreated{Group: group, Parent: domain.GroupID{UUID: c.maybe('g')}}
	case 16:
		return domain.GroupMoved{Group: group, Parent: domain.GroupID{UUID: c.maybe('g')}}
	case 17:
		return pick[dcb.Event](c, domain.GroupDeleted{Group: group}, domain.DepartmentDeleted{Department: department}, domain.RoleDeleted{Role: role})
	case 18, 19, 20:
		return domain.MemberAdded{User: user, Group: group, Role: officer}
	case 21:
		return domain.MemberRoleChanged{User: user, Group: group, Role: officer}
	case 22:
		return domain.MemberRemoved{User: user, Group: group}
	case 23:
		return domain.RoleCreated{Role: role}
	case 24, 25, 26, 27, 28, 44, 45:
		return domain.RolePrivilegeAdded{Role: role, Privilege: pick(c, patterns...)}
	case 29:
		return domain.RolePrivilegeRemoved{Role: role, Privilege: pick(c, patterns...)}
	case 30:
		return domain.RoleParentAdded{Role: role, Parent: domain.RoleID{UUID: c.id('r')}}
	case 31:
		return pick[dcb.Event](c, domain.RoleParentRemoved{Role: role, Parent: domain.RoleID{UUID: c.id('r')}}, domain.PolicyReset{Key: "overrides.allowable"})
	case 32, 33, 34, 41, 42, 43:
		u, d, g := c.subjects(false)
		return domain.RoleAssigned{
			Assignment: domain.AssignmentID{UUID: named('a', c.IntN(15))}, Role: role, User: u, Department: d, Group: g, Scope: c.scope(),
			Window: domain.Window{From: c.instantOrNone(), Until: c.instantOrNone()},
		}
	case 35:
		return domain.RoleUnassigned{Assignment: domain.AssignmentID{UUID: named('a', c.IntN(15))}}
	case 36, 37:
		u, d, g := c.subjects(true)
		return domain.OverrideAdded{
			Override: domain.OverrideID{UUID: named('o', c.IntN(8))}, Effect: pick(c, domain.Allow, domain.Deny), Privilege: pick(c, patterns...),
			User: u, Department: d, Group: g, Scope: c.scope(), ExpiresAt: c.instantOrNone(),
		}
	case 38:
		return domain.OverrideRevoked{Override: domain.OverrideID{UUID: named('o', c.IntN(8))}}
	}
	return domain.PolicySet{Key: "overrides.allowable", Value: strings.Join([]string{string(pick(c, patterns...)), string(pick(c, patterns...))}, " ")}
}

func (c chance) question(x *access.Index) access.Question {
	q := access.Question{
		Tenant: domain.TenantID{UUID: c.tenant()}, User: domain.UserID{UUID: c.id('u')}, Privilege: pick(c, privileges...),
		Scope: c.scope(), At: c.instant(), Platform: c.IntN(12) == 0,
	}
	if home, _, ok := x.User(q.User); ok && home != domain.Root && c.IntN(4) > 0 {
		q.Tenant = home
	}
	if c.IntN(4) == 0 {
		q.Ceiling = []domain.Pattern{}
		for range c.IntN(3) {
			q.Ceiling = append(q.Ceiling, pick(c, patterns...))
		}
	}
	return q
}

// histories plays random histories event by event: the index has answered, and remembers, while they change.
func histories(t *testing.T, c chance, runs, length int, each func(*access.Index, world)) {
	for range runs {
		x, ref := access.New(), reference{}
		play := func(tenant uuid.UUID, e dcb.Event) {
			r := dcb.Recorded{Meta: dcb.Meta{Position: int64(len(ref.events) + 1), Tenant: tenant}, Event: e}
			ref.events = append(ref.events, r)
			if err := x.Apply([]dcb.Recorded{r}); err != nil {
				t.Fatal(err)
			}
		}
		for _, id := range []uuid.UUID{domain.Root.UUID, named('t', 1)} {
			play(id, domain.TenantCreated{Tenant: domain.TenantID{UUID: id}, Slug: domain.Slug("s-" + id.String())})
		}
		for _, p := range privileges {
			play(domain.Root.UUID, domain.PrivilegeRegistered{Privilege: p})
		}
		for n := range pool {
			play(c.tenant(), domain.UserRegistered{User: domain.UserID{UUID: named('u', n)}, Department: domain.DepartmentID{UUID: c.maybe('d')}, Status: domain.UserActive})
			for _, t := range []uuid.UUID{domain.Root.UUID, named('t', 1), named('t', 2)} {
				play(t, domain.RoleCreated{Role: domain.RoleID{UUID: named('r', n+c.IntN(2)*pool)}})
				play(t, domain.GroupCreated{Group: domain.GroupID{UUID: named('g', n)}, Parent: domain.GroupID{UUID: c.maybe('g')}})
				play(t, domain.DepartmentCreated{Department: domain.DepartmentID{UUID: named('d', n)}, Parent: domain.DepartmentID{UUID: c.maybe('d')}})
			}
		}
		for range length {
			tenant := c.tenant()
			play(tenant, c.event(tenant))
			each(x, ref.world())
		}
		if t.Failed() {
			return
		}
	}
}

func TestTheIndexItsExplanationAndThePlainReadingOfHistoryAgree(t *testing.T) {
	c := seeded(t)
	allowed := map[access.Reason]int{}
	histories(t, c, 60, 150, func(x *access.Index, w world) {
		for range 12 {
			q := c.question(x)
			got, want := x.Decide(q), w.allows(q)
			allowed[got.Why]++
			if got.Allowed != want {
				t.Fatalf("%+v: decided %+v, history says %v; explained %+v", q, got, want, x.Explain(q))
			}
			if e := x.Explain(q); e.Answer != got {
				t.Fatalf("%+v: decided %+v, explained %+v", q, got, e)
			}
		}
	})
	t.Log(allowed)
	for _, why := range []access.Reason{access.Granted, access.AllowedByOverride, access.DeniedByOverride, access.BeyondCeiling, access.NotGranted} {
		if allowed[why] == 0 {
			t.Errorf("no question was answered %q: the histories are too tame", why)
		}
	}
}

func TestSearchesFindExactlyWhatChecksAllow(t *testing.T) {
	c := seeded(t)
	found := 0
	histories(t, c, 40, 150, func(x *access.Index, w world) {
		q := c.question(x)
		q.Ceiling, q.Platform = nil, false
		var users []domain.UserID
		for n := range pool {
			if w.allows(by(q, named('u', n))) {
				users = append(users, domain.UserID{UUID: named('u', n)})
			}
		}
		same(t, "subjects", q, x.SearchSubjects(q.Tenant, q.Privilege, q.Scope, q.At), users, domain.UserID.String)

		var actions []domain.Privilege
		for _, p := range privileges {
			if w.allows(to(q, p)) {
				actions = append(actions, p)
			}
		}
		same(t, "actions", q, x.SearchActions(q.Tenant, q.User, q.Scope, q.At, nil), actions, func(p domain.Privilege) string { return string(p) })

		for _, typ := range []string{"repo", "group", "department", "user", "tenant", "nothing"} {
			ids, whole := x.SearchResources(q.Tenant, q.User, q.Privilege, typ, q.At)
			var want []string
			for _, id := range w.known(q.Tenant.UUID, typ) {
				if w.allows(on(q, typ, id)) {
					want = append(want, id)
				}
			}
			same(t, typ+"s", q, ids, want, strings.Clone)
			if whole != w.allows(on(q, "tenant", "")) {
				t.Fatalf("%+v: whole is %v", q, whole)
			}
			found += len(ids)
		}
		found += len(users) + len(actions)
	})
	if found < 500 {
		t.Errorf("only %d things were found: the histories are too tame", found)
	}
}

func same[T any](t *testing.T, what string, q any, got, want []T, text func(T) string) {
	t.Helper()
	slices.SortFunc(want, func(a, b T) int { return cmp.Compare(text(a), text(b)) })
	if !slices.EqualFunc(got, want, func(a, b T) bool { return text(a) == text(b) }) {
		t.Fatalf("%+v: %s are %v, checks allow %v", q, what, got, want)
	}
}

func by(q access.Question, u uuid.UUID) access.Question {
	q.User = domain.UserID{UUID: u}
	return q
}

func to(q access.Question, p domain.Privilege) access.Question {
	q.Privilege = p
	return q
}

func on(q access.Question, typ, id string) access.Question {
	if q.Scope = ""; typ != "tenant" {
		q.Scope = domain.Scope(typ + ":" + id)
	}
	return q
}

// known are the resources of a type that history names in a tenant.
func (w world) known(tenant uuid.UUID, typ string) []string {
	var out []string
	add := func(id string) {
		if !slices.Contains(out, id) {
			out = append(out, id)
		}
	}
	if _, made := w.tenants[tenant]; made && typ == "tenant" {
		add(tenant.String())
	}
	for _, c := range w.claims {
		if id, ok := strings.CutPrefix(string(c.scope), typ+":"); ok && c.tenant == tenant {
			add(id)
		}
	}
	for p := range w.inside {
		if p.tenant == tenant && p.kind == typ && !w.gone[p] {
			add(p.id.String())
		}
	}
	return out
}
