package main

import (
	"context"
	"fmt"
	"time"

	"github.com/google/uuid"

	"chancery/domain"
	"chancery/internal/access"
	"chancery/internal/eventlog"
)

// access measures decisions about a tenant of 1,000 users, 50 groups and 20 roles: over HTTP, and in the process.
func (b *bench) access(ctx context.Context) error {
	s, err := b.serve(ctx)
	if err != nil {
		return err
	}
	defer s.stop()
	if err := office(ctx, s.bulk()); err != nil {
		return err
	}
	if err := b.checks(ctx, s); err != nil {
		return err
	}
	return b.decide(ctx, s)
}

func (b *bench) checks(ctx context.Context, s *server) error {
	const n = 32
	conns, closeAll, err := dial(ctx, s.address, n)
	if err != nil {
		return err
	}
	defer closeAll()
	asks := make([][]byte, 2048)
	for i := range asks {
		user, privilege, thing := question(i)
		asks[i] = request("/v1/tenants/office/access/v1/evaluation", s.token, fmt.Sprintf(
			`{"subject":{"type":"user","id":"%s"},"action":{"name":"%s"},"resource":{"type":"repo","id":"%d"}}`, user, privilege, thing))
	}
	next, before := make([]int, n), b.usage()
	checks, err := drive(n, b.span, func(i int) error {
		next[i]++
		return conns[i].ok(asks[(next[i]*n+i)%len(asks)])
	})
	if err != nil {
		return err
	}
	b.spent(before, checks.rate*b.span.Seconds()*1.1)
	healthz := request("/healthz", "", "")
	alive, err := drive(n, b.span, func(i int) error { return conns[i].ok(healthz) })
	if err != nil {
		return err
	}
	b.add(versus(fmt.Sprintf("HTTP access check, %d connections (GET /healthz)", n), checks, alive, 10000))
	return nil
}

// decide asks an index of the same log the same questions.
func (b *bench) decide(ctx context.Context, s *server) error {
	in, err := open(ctx, s.url, s.data, eventlog.Config{})
	if err != nil {
		return err
	}
	defer in.close(ctx)
	x := access.New()
	for {
		raws, err := in.log.Page(ctx, x.Position(), 1000)
		if err != nil {
			return err
		}
		if len(raws) == 0 {
			break
		}
		page, err := in.store.DecodeAll(raws)
		if err != nil {
			return err
		}
		if err := x.Apply(page); err != nil {
			return err
		}
	}
	tenant, _, _ := x.Tenant("office")
	questions := make([]access.Question, 2048)
	answers := map[key]bool{}
	allowed := 0
	for i := range questions {
		user, privilege, thing := question(i)
		questions[i] = access.Question{
			Tenant: tenant, User: domain.UserID{UUID: uuid.MustParse(user)}, Privilege: domain.Privilege(privilege),
			Scope: domain.Scope(fmt.Sprintf("repo:%d", thing)), At: time.Now(),
		}
		if x.Decide(questions[i]).Allowed {
			allowed++
		}
		answers[plain(questions[i])] = x.Decide(questions[i]).Allowed
	}
	if allowed == 0 || allowed == len(questions) {
		return fmt.Errorf("%d of %d questions are allowed: that measures nothing", allowed, len(questions))
	}
	b.compare(x, questions, answers)
	return nil
}

func (b *bench) compare(x *access.Index, questions []access.Question, answers map[key]bool) {
	found := 0
	each := nanos(b.span/4, func(i int) { x.Decide(questions[i%len(questions)]) })
	bare := nanos(b.span/4, func(i int) {
		if answers[plain(questions[i%len(questions)])] {
			found++
		}
	})
	b.add(row{
		what: "access decision in the process, warm (Go map lookup)", measured: fmt.Sprintf("%.0f ns", each), baseline: fmt.Sprintf("%.0f ns", bare),
		ratio: each / bare, aim: "≤ 5,000 ns", met: each <= 5000,
	})
}

// key is what a decision turns on, but for the time.
type key struct {
	tenant, user uuid.UUID
	privilege    domain.Privilege
	scope        domain.Scope
}

func plain(q access.Question) key { return key{q.Tenant.UUID, q.User.UUID, q.Privilege, q.Scope} }

// nanos is how long one call takes, called for a span.
func nanos(span time.Duration, call func(i int)) float64 {
	began, n := time.Now(), 0
	for time.Since(began) < span {
		for range 1000 {
			call(n)
			n++
		}
	}
	return float64(time.Since(began).Nanoseconds()) / float64(n)
}
