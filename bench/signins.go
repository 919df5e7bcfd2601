package main

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"runtime"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/alexedwards/argon2id"
	"github.com/google/uuid"
	"golang.org/x/sync/errgroup"

	"chancery/domain"
	"chancery/internal/authn"
	"chancery/internal/dcb"
	"chancery/internal/eventlog"
	"chancery/internal/imports"
)

const (
	crowd        = 96 // accounts that exist, and as many that do not
	signInConns  = 8
	benchPass    = "a sentence that nobody else has thought of"
	wrongPass    = "a sentence that somebody else has thought of"
	leastSignIns = 0.9 // of the bare Argon2 limit
)

// account is an address to sign in with. Hash is of benchPass; the account exists if it is stored.
type account struct {
	email, hash string
	device      string // ticket of an earlier sign-in
}

// people are accounts by whether they exist and by how they are hashed; see authn.Hasher.
type people struct{ known, unknown map[bool][]*account }

// signIns measures signing in over HTTP, and whether the time it takes tells accounts that exist from others.
func (b *bench) signIns(ctx context.Context) error {
	s, err := b.serve(ctx)
	if err != nil {
		return err
	}
	defer s.stop()
	p, err := s.people(ctx)
	if err != nil {
		return fmt.Errorf("make accounts: %w", err)
	}
	if err := b.signInRate(ctx, s, p.known[false]); err != nil {
		return fmt.Errorf("sign in: %w", err)
	}
	for _, strong := range []bool{false, true} {
		if err := b.signInTime(ctx, s, strong, p.known[strong], p.unknown[strong]); err != nil {
			return fmt.Errorf("sign in with a wrong password: %w", err)
		}
	}
	return nil
}

// people makes the accounts. Passwords are written straight into the log, as no administrator can.
func (s *server) people(ctx context.Context) (people, error) {
	tenant := numbered('t', 1)
	p := people{map[bool][]*account{}, map[bool][]*account{}}
	lines := make([]imports.Line, crowd)
	for i := range lines {
		lines[i] = imports.Line{Command: "register-user", Body: map[string]any{
			"id": numbered('u', int64(i)), "display_name": fmt.Sprintf("User %d", i), "email": address(true, i),
		}}
	}
	create := []imports.Line{{Command: "create-tenant", Body: map[string]any{"id": tenant, "name": "Acme", "slug": "acme"}}}
	if err := errors.Join(s.bulk().Send(ctx, "root", create), s.bulk().Send(ctx, "acme", lines)); err != nil {
		return p, err
	}
	in, err := open(ctx, s.url, s.data, eventlog.Config{})
	if err != nil {
		return p, err
	}
	defer in.close(ctx)
	hasher, err := authn.New(authn.Config{Keys: in.store.Vault})
	if err != nil {
		return p, err
	}
	all := make([]*account, 2*crowd)
	each, hashing := errgroup.WithContext(ctx)
	for i := range all {
		a := &account{email: address(i < crowd, i)}
		all[i] = a
		each.Go(func() (err error) {
			a.hash, err = hasher.HashPassword(hashing, benchPass, tenant+"/"+a.email, false) // named as commands name it
			return err
		})
	}
	if err := each.Wait(); err != nil {
		return p, err
	}
	t := domain.TenantID{UUID: uuid.MustParse(tenant)}
	part := dcb.Part{ID: uuid.New()}
	for i, a := range all {
		strong := strings.Contains(a.hash, "m=65536")
		if i >= crowd {
			p.unknown[strong] = append(p.unknown[strong], a)
			continue
		}
		p.known[strong] = append(p.known[strong], a)
		u := domain.UserID{UUID: uuid.MustParse(numbered('u', int64(i)))}
		part.Events = append(part.Events, dcb.Pending{Tenant: t.UUID, Event: domain.PasswordSet{
			Credential: domain.PasswordID(t, u), User: u, Hash: dcb.Hide(a.hash),
		}})
	}
	_, _, err = in.store.Append(ctx, []dcb.Part{part}, nil)
	return p, err
}

func address(known bool, i int) string {
	if known {
		return fmt.Sprintf("user-%d@example.org", i)
	}
	return fmt.Sprintf("nobody-%d@example.org", i)
}

// visitors have addresses of their own, so that they are throttled as people and not as one.
var visitors atomic.Int64

func (a *account) request(password string) []byte {
	n := visitors.Add(1)
	head := fmt.Sprintf("X-Forwarded-For: 10.%d.%d.%d\r\n", n>>16&255, n>>8&255, n&255)
	if a.device != "" {
		head += "Chancery-Device: " + a.device + "\r\n"
	}
	r := request("/v1/tenants/acme/sessions", "", fmt.Sprintf(`{"email":%q,"password":%q}`, a.email, password))
	return bytes.Replace(r, []byte("Host: bench\r\n"), []byte("Host: bench\r\n"+head), 1)
}

// signInRate measures sign-ins from known devices beside hashing alone, on all cores.
func (b *bench) signInRate(ctx context.Context, s *server, all []*account) error {
	conns, closeAll, err := dial(ctx, s.address, signInConns)
	if err != nil {
		return err
	}
	defer closeAll()
	for _, a := range all {
		conns[0].want = "Chancery-Device: "
		if err := conns[0].ok(a.request(benchPass)); err != nil {
			return err
		}
		if a.device = conns[0].wanted; a.device == "" {
			return errors.New("the answer names no device")
		}
	}
	conns[0].want = ""
	next := make([]int, signInConns)
	_, phc, _ := strings.Cut(all[0].hash, ":")
	var rows []row
	for range 3 { // of which the middle one counts: the two must have had the same machine
		before := b.usage()
		measured, err := drive(signInConns, b.span, func(i int) error {
			next[i]++
			return conns[i].ok(all[(next[i]*signInConns+i)%len(all)].request(benchPass))
		})
		if err != nil {
			return err
		}
		b.spent(before, measured.rate*b.span.Seconds()*1.1)
		bare, err := drive(runtime.GOMAXPROCS(0), b.span, func(int) error {
			_, err := argon2id.ComparePasswordAndHash(benchPass, phc)
			return err
		})
		if err != nil {
			return err
		}
		r := versus(fmt.Sprintf("HTTP sign-in, %d connections (bare Argon2id, 19 MiB, t=2, on all cores)", signInConns), measured, bare, 0)
		r.aim, r.met = fmt.Sprintf("≥ %.1f of the baseline", leastSignIns), r.ratio >= leastSignIns
		rows = append(rows, r)
	}
	slices.SortFunc(rows, func(a, b row) int { return cmp.Compare(a.ratio, b.ratio) })
	b.add(rows[1])
	return nil
}

// What the samples of accounts that exist and of those that do not are judged by.
const (
	leastChance = 0.001 // of samples as different as these, if there is no difference: under it there is one
	mostWelch   = 4.5   // the same for the means, as is usual in tests of side channels
	planted     = 0.05  // a difference of this size must be found, or the test is worth nothing
)

// signInTime takes the time of wrong passwords for accounts of one strength, one at a time, in random order.
func (b *bench) signInTime(ctx context.Context, s *server, strong bool, known, unknown []*account) error {
	conns, closeAll, err := dial(ctx, s.address, 1)
	if err != nil {
		return err
	}
	defer closeAll()
	if len(known) == 0 || len(unknown) == 0 {
		return errors.New("no account is of this strength")
	}
	const warm = 10
	n, name := int(60*b.span.Seconds()), "ordinary"
	if strong {
		n, name = n/4, "strong"
	}
	n = min(n, 20*min(len(known), len(unknown))) // more tries of one account would be throttled
	seed := rand.Uint64()                        //nolint:gosec // of an order, which is no secret
	random := rand.New(rand.NewPCG(seed, 0))     //nolint:gosec // as above
	order := make([]bool, 2*n)
	for i := range order {
		order[i] = i < n
	}
	random.Shuffle(len(order), func(i, j int) { order[i], order[j] = order[j], order[i] })
	of := map[bool][]*account{true: known, false: unknown}
	took, used := map[bool][]float64{}, map[bool]int{}
	for i, exists := range append(make([]bool, warm), order...) {
		a := of[exists][used[exists]%len(of[exists])]
		used[exists]++
		stranger := account{email: a.email}
		r := stranger.request(wrongPass)
		began := time.Now()
		status, err := conns[0].send(r)
		if err == nil && status != 401 {
			err = fmt.Errorf("answered %d: %s", status, conns[0].body)
		}
		if err != nil {
			return err
		}
		if i >= warm {
			took[exists] = append(took[exists], time.Since(began).Seconds()*1000)
		}
	}
	b.compareTimes(fmt.Sprintf("HTTP sign-in, wrong password, %s hash, %d each, seed %d: exists (does not)", name, n, seed), took[true], took[false])
	return nil
}

// compareTimes adds two rows: that the samples are alike, and that they would not be if there was a difference.
func (b *bench) compareTimes(what string, x, y []float64) {
	for _, delay := range []float64{0, planted} {
		late := slices.Clone(y)
		for i := range late {
			late[i] *= 1 + delay
		}
		t := welch(x, late)
		d, p := kolmogorov(x, late)
		r := row{what: what, measured: spread(x), baseline: fmt.Sprintf("%s; t %.2f, D %.3f, p %.4f", spread(late), t, d, p), ratio: median(x) / median(late)}
		alike := p >= leastChance && t < mostWelch && t > -mostWelch
		r.aim, r.met = fmt.Sprintf("p ≥ %g, |t| ≤ %g", leastChance, mostWelch), alike
		if delay > 0 {
			r.what, r.aim, r.met = fmt.Sprintf("  the same, the latter made %.0f %% slower", 100*delay), "is told apart", !alike
		}
		b.add(r)
	}
}
