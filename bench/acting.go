package main

import (
	"context"
	"encoding/binary"
	"fmt"
	"time"

	"github.com/google/uuid"

	"chancery/domain"
	"chancery/internal/access"
	"chancery/internal/dcb"
)

// acting measures decisions about those who act for others, in the process: at the end of five delegations that begin with somebody
// who has a thousand roles, beside the same questions about that somebody; and among 100,000 live delegations, beside the same among
// 100: once of as many that are in use, and once of all of them in turn, which measures the memory of the machine too.
func (b *bench) acting(context.Context) error {
	if err := b.chain(5, 1000); err != nil {
		return err
	}
	return b.crowd(100, 100_000)
}

// deputies is a tenant in which people act for others.
type deputies struct {
	x      *access.Index
	tenant domain.TenantID
	at     time.Time
	next   int64
}

func newDeputies() (*deputies, error) {
	d := &deputies{x: access.New(), tenant: domain.TenantID{UUID: deputyID('t', 0)}, at: time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)}
	return d, d.happen(domain.TenantCreated{Tenant: d.tenant, Name: "Deputies", Slug: "deputies"})
}

func (d *deputies) happen(events ...dcb.Event) error {
	page := make([]dcb.Recorded, len(events))
	for i, e := range events {
		d.next++
		page[i] = dcb.Recorded{Meta: dcb.Meta{Position: d.next, Tenant: d.tenant.UUID, At: d.at, RecordedAt: d.at}, Event: e}
	}
	return d.x.Apply(page)
}

func (d *deputies) user(n int) (domain.UserID, dcb.Event) {
	id := domain.UserID{UUID: deputyID('u', n)}
	return id, domain.UserRegistered{User: id, Status: domain.UserActive}
}

// delegate lets one user act for another, accepted.
func (d *deputies) delegate(n int, from, to domain.UserID, above []domain.DelegationID, most int) []dcb.Event {
	home := domain.HomeIn(d.tenant)
	e := domain.DelegationGranted{
		Delegation: domain.DelegationID{UUID: deputyID('d', n)}, Tenant: home, Grantor: from, GrantorTenant: home, Delegate: to, DelegateTenant: home,
		Chain: above, Bounds: domain.Bounds{Privileges: []domain.Pattern{"app.*", "core.*"}}, Redelegations: most,
		Window: domain.Window{From: d.at, Until: d.at.AddDate(1, 0, 0)},
	}
	if len(above) > 0 {
		e.Parent = above[len(above)-1]
	}
	return []dcb.Event{e, domain.DelegationAccepted{Delegation: e.Delegation, Tenant: home, Grantor: from, Delegate: to}}
}

func privilegeOf(role, n int) domain.Privilege {
	return domain.Privilege(fmt.Sprintf("app.role%d.do%d", role, n))
}

// role gives somebody a role of ten privileges.
func (d *deputies) role(n int, to domain.UserID) []dcb.Event {
	id := domain.RoleID{UUID: deputyID('r', n)}
	events := []dcb.Event{domain.RoleCreated{Role: id, Name: id.String()}}
	for i := range 10 {
		events = append(events, domain.RolePrivilegeAdded{Role: id, Privilege: domain.Pattern(privilegeOf(n, i))})
	}
	return append(events, domain.RoleAssigned{Assignment: domain.AssignmentID{UUID: deputyID('a', n)}, Role: id, User: to})
}

func (b *bench) chain(links, roles int) error {
	d, err := newDeputies()
	if err != nil {
		return err
	}
	first, e := d.user(0)
	events, last := []dcb.Event{e}, first
	for r := range roles {
		events = append(events, d.role(r, first)...)
	}
	var chain []domain.DelegationID
	for n := range links {
		next, e := d.user(n + 1)
		events = append(append(events, e), d.delegate(n, last, next, chain, links-n-1)...)
		chain, last = append(chain[:n:n], domain.DelegationID{UUID: deputyID('d', n)}), next
	}
	if err := d.happen(events...); err != nil {
		return err
	}
	under, alone := make([]access.Question, 4096), make([]access.Question, 4096)
	for i := range under {
		q := access.Question{Tenant: d.tenant, User: last, Delegation: chain[links-1], Privilege: privilegeOf(i*7%roles, i%11), At: d.at.AddDate(0, 1, 0)}
		under[i], alone[i] = q, q
		alone[i].User, alone[i].Delegation = first, domain.DelegationID{}
	}
	if err := mixed(d.x, under); err != nil {
		return err
	}
	each, bare := d.nanos(b.span/4, under), d.nanos(b.span/4, alone)
	b.add(row{
		what:     fmt.Sprintf("decision at the end of %d delegations, first grantor with %d roles (the grantor's own)", links, roles),
		measured: fmt.Sprintf("%.0f ns", each), baseline: fmt.Sprintf("%.0f ns", bare), ratio: each / bare, aim: "≤ 20,000 ns", met: each <= 20_000,
	})
	return nil
}

func (b *bench) crowd(few, many int) error {
	var hot, cold [2]float64
	for i, n := range []int{few, many} {
		d, err := newDeputies()
		if err != nil {
			return err
		}
		var events []dcb.Event
		for u := range n {
			grantor, a := d.user(2 * u)
			deputy, b := d.user(2*u + 1)
			events = append(append(events, a, b), d.delegate(u, grantor, deputy, nil, 0)...)
			if u < 50 {
				events = append(events, d.role(u, grantor)...)
			} else {
				events = append(events, domain.RoleAssigned{
					Assignment: domain.AssignmentID{UUID: deputyID('a', u)}, Role: domain.RoleID{UUID: deputyID('r', u%50)}, User: grantor,
				})
			}
		}
		if err := d.happen(events...); err != nil {
			return err
		}
		// A prime as the stride: all over the place.
		if hot[i], err = d.measure(b.span/8, few, func(q int) int { return q % few * 24_593 % n }); err != nil {
			return err
		}
		if cold[i], err = d.measure(b.span/8, n, func(q int) int { return q * 24_593 % n }); err != nil {
			return err
		}
	}
	for _, r := range []struct {
		of   string
		took [2]float64
		aim  string
	}{{fmt.Sprintf("%d of them in use", few), hot, "≤ 2.00 x"}, {"all of them in turn", cold, ""}} {
		b.add(row{
			what: fmt.Sprintf("decision under one of %d live delegations, %s (of %d)", many, r.of, few), measured: fmt.Sprintf("%.0f ns", r.took[1]),
			baseline: fmt.Sprintf("%.0f ns", r.took[0]), ratio: r.took[1] / r.took[0], aim: r.aim, met: r.took[1] <= 2*r.took[0],
		})
	}
	return nil
}

// measure asks about delegations, the n-th question about the one that which names.
func (d *deputies) measure(span time.Duration, most int, which func(n int) int) (float64, error) {
	questions := make([]access.Question, max(4096, most))
	for q := range questions {
		u := which(q)
		questions[q] = access.Question{
			Tenant: d.tenant, User: domain.UserID{UUID: deputyID('u', 2*u+1)}, Delegation: domain.DelegationID{UUID: deputyID('d', u)},
			Privilege: privilegeOf(u%50, q%11), At: d.at.AddDate(0, 1, 0),
		}
	}
	if err := mixed(d.x, questions); err != nil {
		return 0, err
	}
	return d.nanos(span, questions), nil
}

// mixed holds that some questions are allowed and some are not: else nothing is measured.
func mixed(x *access.Index, questions []access.Question) error {
	allowed := 0
	for _, q := range questions {
		if x.Decide(q).Allowed {
			allowed++
		}
	}
	if allowed == 0 || allowed == len(questions) {
		return fmt.Errorf("%d of %d questions are allowed: that measures nothing", allowed, len(questions))
	}
	return nil
}

func (d *deputies) nanos(span time.Duration, questions []access.Question) float64 {
	return nanos(span, func(i int) { d.x.Decide(questions[i%len(questions)]) })
}

func deputyID(kind byte, n int) uuid.UUID {
	return uuid.UUID(binary.BigEndian.AppendUint64([]byte{kind, 7: 0}, uint64(n+1)))
}
