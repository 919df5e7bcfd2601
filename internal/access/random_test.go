package access_test

import (
	"cmp"
	"flag"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"pgregory.net/rapid"

	"chancery/domain"
	"chancery/internal/access"
	"chancery/internal/dcb"
)

// play is a random history, in the index and on paper. The index has answered, and remembers, while it changes.
type play struct {
	x     *access.Index
	paper reference
	world world // what the history amounts to
}

// failer is a *testing.T or a *rapid.T.
type failer interface {
	Helper()
	Fatalf(format string, args ...any)
	Fatal(args ...any)
}

func (p *play) tell(t failer, events ...told) {
	t.Helper()
	for _, e := range events {
		r := dcb.Recorded{Meta: dcb.Meta{Position: int64(len(p.paper.events) + 1), Tenant: e.in}, Event: e.event}
		p.paper.events = append(p.paper.events, r)
		if err := p.x.Apply([]dcb.Recorded{r}); err != nil {
			t.Fatal(err)
		}
	}
	p.world = p.paper.world()
}

// told is an event and the tenant that it is recorded in.
type told struct {
	in    uuid.UUID
	event dcb.Event
}

// begin makes a platform and two tenants, in which there is a little of everything.
func (c chance) begin(f failer) *play {
	p := &play{x: access.New(), paper: reference{}}
	var first []told
	for _, id := range []uuid.UUID{domain.Root.UUID, named('t', 1), named('t', 2)} {
		first = append(first, told{id, domain.TenantCreated{Tenant: domain.TenantID{UUID: id}, Slug: domain.Slug("s-" + id.String())}})
		for _, s := range []domain.Setting{domain.DelegateIn, domain.DelegateOut, domain.OutsideMembers, domain.JoinOutside} {
			first = append(first, told{id, domain.PolicySet{Key: s.Key, Value: pick(c, "true", "true", "true", "false")}})
		}
		first = append(first, told{id, domain.PolicySet{Key: domain.ImpersonationWord.Key, Value: pick(c, domain.Allowed, domain.OnRequest)}})
	}
	for _, p := range privileges {
		first = append(first, told{domain.Root.UUID, domain.PrivilegeRegistered{Privilege: p}})
	}
	first = append(first, c.installedAtFirst()...)
	for n := range pool {
		user := domain.UserRegistered{User: domain.UserID{UUID: named('u', n)}, Department: domain.DepartmentID{UUID: c.maybe('d')}, Status: domain.UserActive}
		if c.IntN(10) > 0 { // somebody may come later, and be spoken of before
			first = append(first, told{c.tenant(), user})
		}
		for _, t := range []uuid.UUID{domain.Root.UUID, named('t', 1), named('t', 2)} {
			first = append(first,
				told{t, domain.RoleCreated{Role: domain.RoleID{UUID: named('r', n+c.IntN(2)*pool)}}},
				told{t, domain.GroupCreated{Group: domain.GroupID{UUID: named('g', n)}, Parent: domain.GroupID{UUID: c.maybe('g')}}},
				told{t, domain.DepartmentCreated{Department: domain.DepartmentID{UUID: named('d', n)}, Parent: domain.DepartmentID{UUID: c.maybe('d')}}})
		}
	}
	first = append(first, told{domain.Root.UUID, domain.PolicySet{Key: domain.OverrideAllow.Key, Value: string(pick(c, patterns...)) + " repo.read repository.*"}})
	p.tell(f, first...)
	for _, t := range []uuid.UUID{domain.Root.UUID, named('t', 1), named('t', 2)} {
		var more []told
		for n := range pool {
			more = append(more, told{t, domain.RolePrivilegeAdded{Role: domain.RoleID{UUID: named('r', n)}, Privilege: pick(c, patterns...)}})
			if given := (domain.RoleAssigned{Assignment: domain.AssignmentID{UUID: named('a', n)}, Role: domain.RoleID{UUID: named('r', n)}}); c.IntN(2) == 0 {
				given.User, given.Department, given.Group = c.subjects(false)
				more = append(more, told{t, given}, told{t, c.joins(p.world, t)})
			}
		}
		eased := domain.OverrideAdded{Override: domain.OverrideID{UUID: named('o', c.IntN(8))}, Effect: domain.Allow, Privilege: pick(c, patterns...)}
		eased.User, eased.Department, eased.Group = c.subjects(true)
		p.tell(f, append(more, told{t, eased})...)
	}
	return p
}

// histories plays random histories event by event.
func histories(t *testing.T, c chance, runs, length int, each func(*access.Index, world)) {
	t.Helper()
	for range runs {
		p := c.begin(t)
		for range length {
			p.tell(t, c.happening(p.world)...)
			each(p.x, p.world)
		}
		if t.Failed() {
			return
		}
	}
}

// property plays histories that rapid makes shorter if one fails; after each event something is looked at. ACCESS_SEED repeats a run,
// ACCESS_RUNS makes it as many times longer.
func property(t *testing.T, runs int, look func(t *rapid.T, c chance, p *play)) {
	t.Helper()
	seed := os.Getenv("ACCESS_SEED")
	if seed == "" {
		seed = strconv.FormatUint(rand.Uint64(), 10)
	}
	t.Logf("ACCESS_SEED=%s", seed)
	if times, err := strconv.Atoi(os.Getenv("ACCESS_RUNS")); err == nil {
		runs *= times
	}
	for name, value := range map[string]string{"seed": seed, "checks": strconv.Itoa(runs), "steps": "100", "nofailfile": "true", "shrinktime": "10s"} {
		if err := flag.Set("rapid."+name, value); err != nil {
			t.Fatal(err)
		}
	}
	bit := rapid.Bool()
	dice := rapid.Custom(func(rt *rapid.T) (n uint64) { // of which a whole step is thrown, so that it is left out as a whole; rapid.Uint64 is mostly small
		for range 24 {
			if n <<= 1; bit.Draw(rt, "") {
				n++
			}
		}
		return n
	})
	rapid.Check(t, func(rt *rapid.T) {
		throw := func() chance { return chance{rand.New(rand.NewPCG(dice.Draw(rt, "dice"), 0))} }
		p := throw().begin(rt)
		rt.Repeat(map[string]func(*rapid.T){
			"": func(rt *rapid.T) { look(rt, throw(), p) },
			"something happens": func(rt *rapid.T) {
				events := throw().happening(p.world)
				for _, e := range events {
					rt.Logf("%s: %T%+v", e.in, e.event, e.event)
				}
				p.tell(rt, events...)
			},
		})
	})
}

func TestTheIndexItsExplanationAndThePlainReadingOfHistoryAgree(t *testing.T) {
	why, links := map[access.Reason]int{}, map[int]int{}
	property(t, 60, func(rt *rapid.T, c chance, p *play) {
		for range 12 {
			q := c.question(p.x, p.world)
			got := p.x.Decide(q)
			if why[got.Why]++; got.Allowed && !q.Delegation.IsZero() {
				links[len(p.world.chain(q.Delegation.UUID))]++
			}
			if got.Allowed != p.world.allows(q) {
				rt.Fatalf("%+v: decided %+v, history says %v; explained %+v", q, got, !got.Allowed, p.x.Explain(q))
			}
			e := p.x.Explain(q)
			if e.Answer != got {
				rt.Fatalf("%+v: decided %+v, explained %+v", q, got, e)
			}
			if wrong := unsound(q, e); wrong != "" {
				rt.Fatalf("%+v: %s: %+v", q, wrong, e)
			}
		}
	})
	t.Log(why)
	if t.Logf("allowed by chains of so many links: %v", links); testing.Short() {
		return
	}
	if links[1] == 0 || links[2] == 0 || links[3] == 0 {
		t.Error("no chain was long: the histories are too tame")
	}
	for _, w := range []access.Reason{
		access.Granted, access.AllowedByOverride, access.DeniedByOverride, access.BeyondCeiling, access.NotGranted, access.TenantForeign,
		access.SubjectInactive, access.HomeInactive, access.DelegationUnknown, access.DelegationBroken, access.DelegationPending, access.DelegationEarly,
		access.DelegationOver, access.DelegationForbidden, access.GrantorInactive, access.BeyondDelegation, access.ImpersonationOver,
		access.ImpersonationUnknown, access.TargetInactive, access.ImpersonationForbidden, access.BeyondImpersonation,
		access.AppDisabled, access.LicenseEnded,
	} {
		if why[w] == 0 {
			t.Errorf("no question was answered %q: the histories are too tame", w)
		}
	}
}

func TestSearchesFindExactlyWhatChecksAllow(t *testing.T) {
	found := map[string]int{}
	property(t, 60, func(rt *rapid.T, c chance, p *play) {
		for range 2 {
			q := c.question(p.x, p.world)
			q.Platform = false
			kind := "alone"
			switch {
			case !q.Delegation.IsZero():
				kind = "delegated"
			case !q.Impersonation.IsZero():
				kind = "impersonating"
			}
			found[kind] += searched(rt, p.x, p.world, q)
		}
	})
	t.Log(found)
	for _, kind := range []string{"alone", "delegated", "impersonating"} {
		if found[kind] < 50 && !testing.Short() {
			t.Errorf("only %d things were found %s: the histories are too tame", found[kind], kind)
		}
	}
}

// searched holds the searches against the plain reading of history, and tells how much they found.
func searched(t failer, x *access.Index, w world, q access.Question) int {
	t.Helper()
	var users []domain.UserID
	for n := range pool {
		if w.allows(by(q, named('u', n))) {
			users = append(users, domain.UserID{UUID: named('u', n)})
		}
	}
	same(t, "subjects", q, x.SearchSubjects(q), users, domain.UserID.String)

	var actions []domain.Privilege
	for _, p := range w.listed(q.Tenant.UUID) {
		if w.allows(to(q, p)) {
			actions = append(actions, p)
		}
	}
	same(t, "actions", q, x.SearchActions(q, nil), actions, func(p domain.Privilege) string { return string(p) })

	found := len(users) + len(actions)
	for _, typ := range []string{"repo", "group", "department", "user", "tenant", "nothing"} {
		ids, whole := x.SearchResources(q, typ)
		var want []string
		for _, id := range w.known(q.Tenant.UUID, q.Delegation.UUID, typ) {
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
	return found
}

func same[T any](t failer, what string, q any, got, want []T, text func(T) string) {
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

// known are the resources of a type that history names in a tenant, or a delegation with those above it.
func (w world) known(tenant, delegation uuid.UUID, typ string) []string {
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
	for _, d := range w.chain(delegation) {
		for _, s := range d.Bounds.Resources {
			if id, ok := strings.CutPrefix(string(s), typ+":"); ok {
				add(id)
			}
		}
	}
	for p := range w.inside {
		if p.tenant == tenant && p.kind == typ && !w.gone[p] {
			add(p.id.String())
		}
	}
	return out
}

// seeded is a source of chance that prints its seed; ACCESS_SEED repeats a run.
func seeded(t testing.TB) chance {
	t.Helper()
	seed := uint64(time.Now().UnixNano())
	if s := os.Getenv("ACCESS_SEED"); s != "" {
		seed, _ = strconv.ParseUint(s, 10, 64)
	}
	t.Logf("ACCESS_SEED=%d", seed)
	return chance{rand.New(rand.NewPCG(seed, 0))}
}
