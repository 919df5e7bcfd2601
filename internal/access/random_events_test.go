package access_test

import (
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"strings"
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

var patterns = []domain.Pattern{"*", "repo.*", "repo.read", "repo.write", "repository.*", "core.*", "core.groups.*", "wiki.*", "wiki.read"}

type chance struct{ *rand.Rand }

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
	switch c.IntN(48) {
	case 0:
		if c.IntN(30) > 0 {
			return domain.TenantSuspended{Tenant: tenant}
		}
		return domain.TenantClosed{Tenant: tenant}
	case 1, 2, 40, 46, 47:
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

// question asks about anybody and anything; mostly about those who may something.
func (c chance) question(x *access.Index, w ...world) access.Question {
	q := access.Question{
		Tenant: domain.TenantID{UUID: c.tenant()}, User: domain.UserID{UUID: c.id('u')}, Privilege: pick(c, privileges...),
		Scope: c.scope(), At: c.instant(), Platform: c.IntN(12) == 0,
	}
	if c.IntN(4) == 0 {
		q.Privilege = pick(c, brought...)
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
	if len(w) > 0 {
		c.acting(&q, w[0])
	}
	return q
}
