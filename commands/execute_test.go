package commands_test

import (
	"bytes"
	"context"
	"encoding/base64"
	"errors"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"chancery/commands"
	"chancery/domain"
	"chancery/internal/dcb"
	"chancery/internal/eventlog"
)

func newUser(name, email string) *commands.RegisterUser {
	return &commands.RegisterUser{ID: user(name), DisplayName: name, Email: email}
}

func TestACommandIsAppendedWithWhoDidIt(t *testing.T) {
	w := newWorld(t)
	r := w.must(t, w.order(acme, newUser("ann", "ann@acme.test")))
	head := w.head(t)
	if r.ID != user("ann").UUID || r.Position != head || len(r.Events) != 1 || r.Events[0].Type != "user.registered" || r.Replayed {
		t.Fatalf("answered %+v at head %d", r, head)
	}
	e := w.stored(t, head-1)[0]
	if e.Position != r.Events[0].Position || e.ID != r.Events[0].ID || e.Tenant != acme.UUID || e.Actor != chief.UUID ||
		e.Command != "register-user" || e.Target != r.ID || !e.At.Equal(now) {
		t.Errorf("stored %+v, answered %+v", e.Meta, r)
	}
	got := e.Event.(domain.UserRegistered)
	if got.DisplayName.Reveal() != "ann" || got.Email.Reveal() != "ann@acme.test" {
		t.Errorf("stored %q and %q", got.DisplayName.Reveal(), got.Email.Reveal())
	}
}

func TestTimesAreUTCAndAsThePreciseAsTheLog(t *testing.T) {
	w := newWorld(t)
	w.must(t, w.order(acme, newUser("ann", "")))
	w.must(t, w.order(domain.Root, &commands.CreateRole{ID: role("r"), Name: "r"}))
	w.mu.Lock()
	w.now = now.Add(123456789).In(time.FixedZone("east", 3600))
	w.mu.Unlock()
	w.must(t, w.order(acme, &commands.AssignRole{Role: role("r"), User: user("ann")}))
	e := w.stored(t, w.head(t)-1)[0]
	from := e.Event.(domain.RoleAssigned).Window.From
	if want := now.Add(123456 * time.Microsecond); !from.Equal(want) || from.Location() != time.UTC || !from.Equal(e.At) {
		t.Errorf("it begins at %v and was recorded at %v, want both %v", from, e.At, want)
	}
}

func TestNothingIsAppendedWhereNothingChanges(t *testing.T) {
	w := newWorld(t)
	w.must(t, w.order(acme, newUser("ann", "")))
	head := w.head(t)
	r := w.must(t, w.order(acme, &commands.UpdateUser{ID: user("ann"), DisplayName: "ann"}))
	if len(r.Events) != 0 || r.Position != head || r.ID != user("ann").UUID || w.head(t) != head {
		t.Errorf("answered %+v at head %d, then %d", r, head, w.head(t))
	}
}

func TestADecisionIsMadeAgainWhenARivalWasFaster(t *testing.T) {
	w := newWorld(t)
	rival := func(o commands.Order) func() { return func() { w.must(t, o) } }
	w.log.beforeNextAppend(rival(w.order(acme, newUser("bob", "one@acme.test"))))
	w.refused(t, w.order(acme, newUser("ann", "one@acme.test")), domain.ErrEmailTaken)
	if n := w.tried("register-user"); n != 2 {
		t.Errorf("decided %d times, want 2", n)
	}
	// Another address is no matter.
	w.log.beforeNextAppend(rival(w.order(acme, &commands.CreateGroup{Name: "crew"})))
	w.must(t, w.order(acme, newUser("ann", "two@acme.test")))
	if n := w.tried("register-user"); n != 1 {
		t.Errorf("decided %d times, want 1", n)
	}
	// Nor is the same address in another tenant.
	w.log.beforeNextAppend(rival(w.order(globex, newUser("gus", "three@acme.test"))))
	w.must(t, w.order(acme, newUser("cat", "three@acme.test")))
}

func TestARefusalNeverRestsOnTwoMomentsOfHistory(t *testing.T) {
	w := newWorld(t)
	for _, g := range []string{"a", "b"} {
		w.must(t, w.order(acme, &commands.CreateGroup{ID: group(g), Name: g}))
	}
	w.must(t, w.order(acme, &commands.CreateGroup{ID: group("c"), Name: "c", Parent: group("b")}))
	// c stood below b when the first was read, and b stands below a when the second is: a never stood below c.
	w.log.beforeSecondRead(func() {
		w.must(t, w.order(acme, &commands.MoveGroup{ID: group("c")}))
		w.must(t, w.order(acme, &commands.MoveGroup{ID: group("b"), Parent: group("a")}))
	})
	w.must(t, w.order(acme, &commands.MoveGroup{ID: group("a"), Parent: group("c")}))
	if n := w.tried("move-group"); n != 2 {
		t.Errorf("decided %d times, want 2", n)
	}
}

func TestARivalWhoNeverRestsIsAConflict(t *testing.T) {
	w := newWorld(t)
	w.must(t, w.order(acme, newUser("ann", "")))
	n := 0
	var meddle func()
	meddle = func() {
		n++
		w.log.beforeNextAppend(nil)
		w.must(t, w.order(acme, &commands.UpdateUser{ID: user("ann"), DisplayName: strings.Repeat("x", n)}))
		w.log.beforeNextAppend(meddle)
	}
	w.log.beforeNextAppend(meddle)
	if _, err := w.do(w.order(acme, &commands.UpdateUser{ID: user("ann"), DisplayName: "Ann"})); !errors.Is(err, dcb.ErrConflict) {
		t.Fatalf("got %v, want a conflict", err)
	}
}

func TestARequestSentAgainIsAnsweredAgain(t *testing.T) {
	w := newWorld(t)
	w.must(t, w.order(acme, newUser("ann", "")))
	for what, command := range map[string]func() any{
		"with an id":        func() any { return newUser("bob", "bob@acme.test") },
		"that makes an id":  func() any { return &commands.CreateGroup{Name: "crew"} },
		"that reveals":      func() any { return &commands.IssueToken{User: user("ann"), Name: "ci", ExpiresAt: now.Add(day)} },
		"that shows":        func() any { return &commands.AddDomain{Domain: "acme.test"} },
		"with many events":  func() any { return &commands.CreateRole{Name: "r", Privileges: []domain.Pattern{"a.*", "b.*"}} },
		"about the tenant":  func() any { return &commands.SetPolicy{Key: domain.TokenDays.Key, Value: "30"} },
		"about two things":  func() any { return &commands.AddGroupMember{Group: group("g"), User: user("ann")} },
		"about another one": func() any { return &commands.RenameTenant{Name: "Acme Inc."} },
	} {
		t.Run(what, func(t *testing.T) {
			if what == "about two things" {
				w.must(t, w.order(acme, &commands.CreateGroup{ID: group("g"), Name: "g"}))
			}
			same := func(o *commands.Order) { keyed(what)(o); o.Fingerprint = []byte(what) } // the body that was sent, not what became of it
			first := w.must(t, w.order(acme, command(), same))
			head := w.head(t)
			again := w.must(t, w.order(acme, command(), same))
			if !again.Replayed || first.Replayed {
				t.Errorf("replayed: first %v, then %v", first.Replayed, again.Replayed)
			}
			again.Replayed = false
			if diff := cmp.Diff(first, again); diff != "" || w.head(t) != head {
				t.Errorf("answered otherwise, or appended (-first +again):\n%s", diff)
			}
			if first.ID == uuid.Nil {
				t.Error("the answer has no id")
			}
		})
	}
}

func TestASecretIsTheSameOnlyForTheSameRequest(t *testing.T) {
	w := newWorld(t)
	w.must(t, w.order(acme, newUser("ann", "")))
	issued := w.must(t, w.order(acme, &commands.IssueToken{ID: apiToken("ci"), User: user("ann"), Name: "ci", ExpiresAt: now.Add(day)}))
	seen := map[string]bool{issued.Reveal[1]: true}
	for _, name := range []string{"one", "two"} {
		first := w.must(t, w.order(acme, &commands.RotateToken{ID: apiToken("ci")}, keyed(name)))
		again := w.must(t, w.order(acme, &commands.RotateToken{ID: apiToken("ci")}, keyed(name)))
		if first.Reveal != again.Reveal || seen[first.Reveal[1]] {
			t.Errorf("rotated to %v, then %v", first.Reveal, again.Reveal)
		}
		seen[first.Reveal[1]] = true
		_, hash := hashed(first.Reveal[1])
		events := w.stored(t, first.Position-1)
		if got := events[0].Event.(domain.TokenRotated).Hash; !bytes.Equal(got, hash) {
			t.Error("the stored hash is not that of the token shown")
		}
	}
}

func TestAKeyIsGoodForOneRequest(t *testing.T) {
	w := newWorld(t)
	w.must(t, w.order(acme, newUser("ann", ""), keyed("k")))
	if _, err := w.do(w.order(acme, newUser("bob", ""), keyed("k"))); !errors.Is(err, dcb.ErrKeyReused) {
		t.Fatalf("got %v, want that the key was used", err)
	}
	got := w.batch(t, acme, false, w.order(acme, newUser("bob", ""), keyed("k")), w.order(acme, newUser("cat", ""), keyed("m")),
		w.order(acme, newUser("cat", ""), keyed("m")), w.order(acme, newUser("dan", ""), keyed("m")), w.order(acme, newUser("ann", ""), keyed("k")))
	outcomes(t, got, dcb.ErrKeyReused, nil, dcb.ErrConflict, dcb.ErrKeyReused, nil)
	if !got[4].Result.Replayed {
		t.Error("the last line was not replayed")
	}
}

func TestATwinInFlightIsAnsweredAsTheSameRequest(t *testing.T) {
	w := newWorld(t)
	order := w.order(acme, newUser("ann", "ann@acme.test"), keyed("k"))
	var first commands.Result
	w.log.beforeNextAppend(func() { first = w.must(t, order) })
	again := w.must(t, order)
	again.Replayed = false
	if diff := cmp.Diff(first, again); diff != "" {
		t.Errorf("the twin was answered otherwise:\n%s", diff)
	}
	other := w.order(acme, newUser("bob", ""), keyed("n"))
	w.log.beforeNextAppend(func() { w.must(t, w.order(acme, newUser("cat", ""), keyed("n"))) })
	if _, err := w.do(other); !errors.Is(err, dcb.ErrKeyReused) {
		t.Errorf("got %v, want that the key was used", err)
	}
}

func TestIfMatchRefusesWhatChangedSince(t *testing.T) {
	w := newWorld(t)
	made := w.must(t, w.order(acme, newUser("ann", "")))
	rename := func(name string, p int64) commands.Order {
		return w.order(acme, &commands.UpdateUser{ID: user("ann"), DisplayName: name}, ifMatch(p))
	}
	w.must(t, w.order(acme, newUser("bob", "")))
	changed := w.must(t, rename("Ann", made.Position))
	w.refused(t, rename("Anna", made.Position), domain.ErrStale)
	w.refused(t, rename("Anna", changed.Position-1), domain.ErrStale)
	w.must(t, rename("Anna", changed.Position))
	w.must(t, rename("Hannah", 1<<40))

	set := func(value string, p int64) commands.Order {
		return w.order(acme, &commands.SetPolicy{Key: domain.TokenDays.Key, Value: value}, ifMatch(p))
	}
	one := w.must(t, set("30", 1))
	w.refused(t, set("31", one.Position-1), domain.ErrStale)
	w.must(t, w.order(acme, &commands.SetPolicy{Key: domain.OverrideDays.Key, Value: "1"}))
	w.must(t, set("31", one.Position))
	w.must(t, w.order(globex, &commands.SetPolicy{Key: domain.TokenDays.Key, Value: "7"}, ifMatch(1)))

	w.must(t, w.order(acme, &commands.CreateGroup{ID: group("crew"), Name: "crew"}))
	in := w.must(t, w.order(acme, &commands.AddGroupMember{Group: group("crew"), User: user("ann")}))
	w.must(t, w.order(acme, &commands.AddGroupMember{Group: group("crew"), User: user("bob")}))
	w.refused(t, w.order(acme, &commands.RemoveGroupMember{Group: group("crew"), User: user("ann")}, ifMatch(in.Position-1)), domain.ErrStale)
	w.must(t, w.order(acme, &commands.RemoveGroupMember{Group: group("crew"), User: user("ann")}, ifMatch(in.Position)))
}

func TestAThingDoesNotChangeBecauseAnotherOneStandsBelowIt(t *testing.T) {
	w := newWorld(t)
	d := w.must(t, w.order(acme, &commands.CreateDepartment{ID: department("sales"), Name: "sales"}))
	w.must(t, w.order(acme, &commands.CreateDepartment{ID: department("inland"), Name: "inland", Parent: department("sales")}))
	w.must(t, w.order(acme, &commands.MoveDepartment{ID: department("inland")}))
	w.must(t, w.order(acme, &commands.MoveDepartment{ID: department("inland"), Parent: department("sales")}))
	w.must(t, w.order(acme, &commands.DeleteDepartment{ID: department("inland")}))
	w.must(t, w.order(acme, &commands.RenameDepartment{ID: department("sales"), Name: "trade"}, ifMatch(d.Position)))

	g := w.must(t, w.order(acme, &commands.CreateGroup{ID: group("crew"), Name: "crew"}))
	w.must(t, w.order(acme, &commands.CreateGroup{ID: group("deck"), Name: "deck", Parent: group("crew")}))
	w.must(t, w.order(acme, &commands.MoveGroup{ID: group("deck")}))
	w.must(t, w.order(acme, &commands.RenameGroup{ID: group("crew"), Name: "team"}, ifMatch(g.Position)))

	r := w.must(t, w.order(acme, &commands.CreateRole{ID: role("base"), Name: "base"}))
	w.must(t, w.order(acme, &commands.CreateRole{ID: role("heir"), Name: "heir", Parents: []domain.RoleID{role("base")}}))
	w.must(t, w.order(acme, &commands.RemoveRoleParent{ID: role("heir"), Parent: role("base")}))
	last := w.must(t, w.order(acme, &commands.AddRolePrivilege{ID: role("base"), Privilege: "a.*"}, ifMatch(r.Position)))
	w.refused(t, w.order(acme, &commands.RenameRole{ID: role("base"), Name: "x"}, ifMatch(last.Position-1)), domain.ErrStale)

	w.must(t, w.order(acme, &commands.CreateDepartment{ID: department("east"), Name: "east"}))
	moved := w.must(t, w.order(acme, &commands.MoveDepartment{ID: department("east"), Parent: department("sales")}))
	w.refused(t, w.order(acme, &commands.DeleteDepartment{ID: department("east")}, ifMatch(moved.Position-1)), domain.ErrStale)
}

func TestALaterLineOfABatchSeesTheEarlierOnes(t *testing.T) {
	w := newWorld(t)
	w.must(t, w.order(acme, &commands.CreateRole{ID: role("r"), Name: "r"}))
	w.must(t, w.order(acme, &commands.CreateGroup{ID: group("crew"), Name: "crew"}))
	head := w.head(t)
	got := w.batch(t, acme, true,
		w.order(acme, newUser("ann", "ann@acme.test")),
		w.order(acme, &commands.AssignRole{ID: assignment("a"), Role: role("r"), User: user("ann")}),
		w.order(acme, &commands.AddGroupMember{ID: membership("m"), Group: group("crew"), User: user("ann")}),
		w.order(acme, &commands.LinkIdentity{ID: identity("i"), User: user("ann"), Issuer: "github", Subject: "42"}),
		w.order(acme, &commands.UpdateUser{ID: user("ann"), DisplayName: "ann"}),
		w.order(acme, &commands.UpdateUser{ID: user("ann"), DisplayName: "Ann"}))
	outcomes(t, got, nil, nil, nil, nil, nil, nil)
	var types []string
	for _, e := range w.stored(t, head) {
		types = append(types, e.Event.EventType())
	}
	want := []string{"user.registered", "role.assigned", "group-member.added", "identity.linked", "user.updated"}
	if diff := cmp.Diff(want, types); diff != "" {
		t.Errorf("stored otherwise:\n%s", diff)
	}
	if p := got[4].Result; len(p.Events) != 0 || p.Position != head {
		t.Errorf("the line that changes nothing was answered %+v", p)
	}
	if got[5].Result.Position != head+5 {
		t.Errorf("the last line is at %d, want %d", got[5].Result.Position, head+5)
	}
}

func TestClaimsAreMadeAndReleasedWithinABatch(t *testing.T) {
	w := newWorld(t)
	w.must(t, w.order(acme, newUser("old", "old@acme.test")))
	got := w.batch(t, acme, false,
		w.order(acme, newUser("ann", "one@acme.test")),
		w.order(acme, newUser("bob", "ONE@acme.test")),
		w.order(acme, &commands.ChangeUserEmail{ID: user("ann"), Email: "two@acme.test"}),
		w.order(acme, newUser("bob", "one@acme.test")),
		w.order(acme, newUser("cat", "two@acme.test")),
		w.order(acme, &commands.ChangeUserEmail{ID: user("old"), Email: "older@acme.test"}),
		w.order(acme, newUser("cat", "old@acme.test")),
		w.order(acme, &commands.CreateGroup{ID: group("a"), Name: "crew"}),
		w.order(acme, &commands.CreateGroup{ID: group("b"), Name: "Crew"}),
		w.order(acme, &commands.DeleteGroup{ID: group("a")}),
		w.order(acme, &commands.CreateGroup{ID: group("b"), Name: "Crew"}),
		w.order(acme, &commands.CreateGroup{ID: group("a"), Name: "other"}))
	outcomes(t, got, nil, domain.ErrEmailTaken, nil, nil, domain.ErrEmailTaken, nil, nil, nil, domain.ErrGroupName, nil, nil, domain.ErrIDTaken)
}

func TestAnAbortedBatchStoresNothing(t *testing.T) {
	w := newWorld(t)
	head := w.head(t)
	got := w.batch(t, acme, true, w.order(acme, newUser("ann", "")), w.order(acme, newUser("ann", "")), w.order(acme, newUser("bob", "")))
	outcomes(t, got, commands.ErrAborted, domain.ErrIDTaken, commands.ErrAborted)
	if w.head(t) != head {
		t.Errorf("the head went from %d to %d", head, w.head(t))
	}
	w.must(t, w.order(acme, newUser("ann", "")))
}

func TestABatchSentAgainIsAnsweredAgain(t *testing.T) {
	w := newWorld(t)
	lines := func() []commands.Order {
		return []commands.Order{
			w.order(acme, newUser("ann", "ann@acme.test"), keyed("1")), w.order(acme, newUser("bob", "ann@acme.test"), keyed("2")),
			w.order(acme, &commands.CreateRole{ID: role("r"), Name: "r", Privileges: []domain.Pattern{"a.*", "b.*"}}, keyed("3")),
		}
	}
	first := w.batch(t, acme, false, lines()...)
	outcomes(t, first, nil, domain.ErrEmailTaken, nil)
	again := w.batch(t, acme, false, lines()...)
	outcomes(t, again, nil, domain.ErrEmailTaken, nil)
	for i := range first {
		again[i].Result.Replayed = false
		if diff := cmp.Diff(first[i].Result, again[i].Result); diff != "" {
			t.Errorf("line %d is answered otherwise:\n%s", i, diff)
		}
	}
}

func TestImportedHistoryNeverGoesBack(t *testing.T) {
	w := newWorld(t)
	past := now.AddDate(-8, 0, 0)
	w.refused(t, w.order(acme, newUser("ann", ""), at(past)), domain.ErrTooEarly) // the tenant itself is of today
	old := domain.TenantID{UUID: named("old")}
	w.must(t, w.order(domain.Root, &commands.CreateTenant{ID: old, Name: "Old", Slug: "old"}, at(past)))
	w.must(t, w.order(old, newUser("ann", ""), at(past)))
	w.must(t, w.order(old, newUser("bob", ""), at(past.Add(time.Microsecond))))
	w.refused(t, w.order(old, newUser("cat", ""), at(past)), domain.ErrTooEarly)
	w.refused(t, w.order(old, newUser("cat", ""), at(now.Add(time.Microsecond))), domain.ErrTooEarly)
	events := w.stored(t, w.head(t)-1)
	if e := events[0]; !e.At.Equal(past.Add(time.Microsecond)) || !e.RecordedAt.Equal(now) {
		t.Errorf("it happened at %v and was recorded at %v", e.At, e.RecordedAt)
	}
	w.must(t, w.order(old, newUser("cat", ""), at(now)))
}

// The clock is what is sold, or the order in which they came: nobody says when it was.
func TestWhatIsTakenOfALicenceIsTakenNow(t *testing.T) {
	w := newWorld(t)
	for _, spec := range commands.Registry {
		_, contended := spec.Zero.(commands.Contended)
		_, hands := spec.Zero.(commands.Handing)
		if !contended && !hands && spec.Name != "import-license" {
			continue
		}
		for _, when := range []time.Time{now, now.AddDate(-8, 0, 0)} {
			o := w.order(acme, spec.New(), at(when))
			_, err := w.do(o)
			if in, is := errors.AsType[*domain.InputError](err); !is || in.Pointer != "/at" || !isRefusal(err, domain.ErrInvalid) {
				t.Errorf("%s at %s: %v", spec.Name, when, err)
			}
		}
	}
}

func TestOnlyTheLineThatGoesBackIsRefused(t *testing.T) {
	w := newWorld(t)
	past := now.AddDate(-8, 0, 0)
	old := domain.TenantID{UUID: named("old")}
	w.must(t, w.order(domain.Root, &commands.CreateTenant{ID: old, Name: "Old", Slug: "old"}, at(past)))
	for what, early := range map[string]time.Time{"than the log": past.Add(-time.Second), "than the batch": past.Add(time.Second), "than anything can": now.Add(time.Hour)} {
		t.Run(what, func(t *testing.T) {
			w, old := w, old
			later := past.Add(24 * time.Hour)
			got := w.batch(t, old, false, w.order(old, newUser(what+"1", ""), at(later)), w.order(old, newUser(what+"2", ""), at(early)),
				w.order(old, newUser(what+"3", ""), at(later)))
			outcomes(t, got, nil, domain.ErrTooEarly, nil)
			head := w.head(t)
			got = w.batch(t, old, true, w.order(old, newUser(what+"4", ""), at(later)), w.order(old, newUser(what+"5", ""), at(early)))
			outcomes(t, got[1:], domain.ErrTooEarly)
			if w.head(t) != head || got[0].Err == nil {
				t.Errorf("the batch was not given up: %+v, head %d then %d", got, head, w.head(t))
			}
		})
	}
	head := w.head(t)
	got := w.batch(t, old, false, w.order(old, newUser("now", "")), w.order(old, newUser("before", ""), at(past.Add(48*time.Hour))))
	outcomes(t, got, nil, domain.ErrTooEarly)
	if w.head(t) != head+1 {
		t.Errorf("the head went from %d to %d, want one more", head, w.head(t))
	}
	got = w.batch(t, old, true, w.order(old, newUser("then", "")), w.order(old, newUser("before", ""), at(past.Add(48*time.Hour))))
	outcomes(t, got, commands.ErrAborted, domain.ErrTooEarly)
}

func TestNothingHappensInATenantThatIsSuspendedOrClosedOrUnknown(t *testing.T) {
	w := newWorld(t)
	w.refused(t, w.order(domain.TenantID{UUID: named("none")}, newUser("ann", "")), domain.ErrTenantUnknown)
	w.must(t, w.order(domain.Root, &commands.SuspendTenant{TenantNamed: commands.TenantNamed{ID: acme}}))
	for i := range commands.Registry {
		o := commands.NewOrder(&commands.Registry[i], commands.Registry[i].New(), acme)
		o.Rights, o.Fingerprint = rights{all: true}, []byte("x")
		if commands.Registry[i].Revives {
			continue
		}
		w.refused(t, o, domain.ErrTenantSuspended)
	}
	w.must(t, w.order(globex, newUser("gus", "")))
	got := w.batch(t, acme, false,
		w.order(acme, newUser("ann", "")), w.order(acme, &commands.ReactivateTenant{}), w.order(acme, newUser("ann", "")),
		w.order(acme, &commands.SuspendTenant{}), w.order(acme, newUser("bob", "")), w.order(acme, &commands.CloseTenant{}), w.order(acme, newUser("bob", "")),
		w.order(acme, &commands.ReactivateTenant{}), w.order(acme, &commands.CloseTenant{}))
	outcomes(t, got, domain.ErrTenantSuspended, nil, nil, nil, domain.ErrTenantSuspended, nil, domain.ErrTenantClosed, domain.ErrTenantClosed, nil)
}

func TestPersonalDataIsNeverInTheLogInTheClear(t *testing.T) {
	w := newWorld(t)
	canaries := []string{"canary-name", "canary@acme.test", "other-canary@acme.test", "canary-subject", "canary-again"}
	w.must(t, w.order(acme, &commands.RegisterUser{ID: user("ann"), DisplayName: canaries[0], Email: canaries[1]}))
	w.must(t, w.order(acme, &commands.ChangeUserEmail{ID: user("ann"), Email: canaries[2]}))
	w.must(t, w.order(acme, &commands.UpdateUser{ID: user("ann"), DisplayName: canaries[4]}))
	w.must(t, w.order(acme, &commands.LinkIdentity{ID: identity("i"), User: user("ann"), Issuer: "github", Subject: canaries[3]}))
	w.must(t, w.order(acme, &commands.UnlinkIdentity{ID: identity("i")}))
	token := w.must(t, w.order(acme, &commands.IssueToken{User: user("ann"), Name: "ci", ExpiresAt: now.Add(day)})).Reveal[1]
	w.refused(t, w.order(acme, &commands.RegisterUser{DisplayName: "x", Email: canaries[2]}), domain.ErrEmailTaken)
	w.batch(t, acme, false, w.order(acme, &commands.RegisterUser{ID: user("bob"), DisplayName: canaries[0], Email: canaries[1]}), w.order(acme, &commands.UpdateUser{ID: user("bob"), DisplayName: canaries[4]}))

	for _, c := range append(canaries, token, token[len(token)/2:]) {
		if where := w.find(t, c); where != "" {
			t.Errorf("%q is in the clear in %s", c, where)
		}
	}
	w.must(t, w.order(acme, &commands.CreateGroup{Name: canaries[0]}))
	if w.find(t, canaries[0]) == "" {
		t.Error("the search finds nothing at all")
	}
}

// find searches everything that the log holds, as it is and in base64.
func (w *world) find(t *testing.T, text string) string {
	t.Helper()
	raws, err := w.log.Page(context.Background(), 0, 1<<20)
	if err != nil {
		t.Fatal(err)
	}
	needles := []string{strings.ToLower(text), strings.ToLower(base64.RawStdEncoding.EncodeToString([]byte(text))[:len(text)])}
	for _, r := range raws {
		all := strings.ToLower(strings.Join(append([]string{string(r.Payload), string(r.Metadata)}, r.Tags...), "\n"))
		if slices.ContainsFunc(needles, func(n string) bool { return strings.Contains(all, n) }) {
			return r.Type
		}
	}
	return ""
}

func TestOfManyRivalsExactlyOneWins(t *testing.T) {
	const rivals = 200
	w := newWorld(t)
	dns := zone{}
	w.Resolver = dns
	tenants := make([]domain.TenantID, rivals)
	for i := range tenants {
		tenants[i] = domain.TenantID{UUID: uuid.New()}
		slug := domain.Slug("t" + strings.ReplaceAll(tenants[i].String(), "-", "")[:20])
		w.must(t, w.order(domain.Root, &commands.CreateTenant{ID: tenants[i], Name: "T", Slug: slug}))
		claim := w.must(t, w.order(tenants[i], &commands.AddDomain{ID: dnsDomain(string(slug)), Domain: "prize.test"}))
		dns["_chancery-challenge.prize.test"] = append(dns["_chancery-challenge.prize.test"], claim.Reveal[1])
		_ = claim
	}
	claimOf := func(i int) domain.DomainID {
		return dnsDomain("t" + strings.ReplaceAll(tenants[i].String(), "-", "")[:20])
	}
	for what, race := range map[string]struct {
		order func(i int) commands.Order
		lost  *domain.Refusal
	}{
		"an e-mail address": {func(int) commands.Order {
			return w.order(acme, &commands.RegisterUser{DisplayName: "x", Email: "prize@acme.test"})
		}, domain.ErrEmailTaken},
		"a slug":   {func(i int) commands.Order { return w.order(tenants[i], &commands.RenameTenant{Slug: "prize"}) }, domain.ErrSlugTaken},
		"a domain": {func(i int) commands.Order { return w.order(tenants[i], &commands.VerifyDomain{ID: claimOf(i)}) }, domain.ErrDomainTaken},
		"an id":    {func(i int) commands.Order { return w.order(tenants[i], newUser("prize", "")) }, domain.ErrIDTaken},
		"a name":   {func(int) commands.Order { return w.order(acme, &commands.CreateGroup{Name: "prize"}) }, domain.ErrGroupName},
	} {
		t.Run(what, func(t *testing.T) {
			errs := make([]error, rivals)
			var wg sync.WaitGroup
			for i := range rivals {
				o := race.order(i)
				wg.Go(func() { _, errs[i] = w.do(o) })
			}
			wg.Wait()
			won := 0
			for _, err := range errs {
				switch {
				case err == nil:
					won++
				case !isRefusal(err, race.lost) && !errors.Is(err, dcb.ErrConflict):
					t.Errorf("got %v, want %v", err, race.lost)
				}
			}
			if won != 1 {
				t.Errorf("%d won, want 1", won)
			}
		})
	}
}

// Whatever a caller sends is judged; none of it is a fault.
func TestOddInputIsRefusedAndNeverAFault(t *testing.T) {
	w := newWorld(t)
	texts := []string{"", "\x01", "a\x7fb", "\xff", "\n", strings.Repeat("x", 1<<16), "~email:x", "sealed:1:x"}
	for i := range commands.Registry {
		for _, text := range texts {
			for _, tenant := range []domain.TenantID{acme, domain.Root} {
				command := commands.Registry[i].New()
				fill(reflect.ValueOf(command).Elem(), text)
				o := commands.NewOrder(&commands.Registry[i], command, tenant)
				o.Rights, o.Fingerprint, o.IfMatch = rights{all: true}, []byte("x"), 1<<40
				if _, err := w.do(o); err != nil {
					if _, refused := domain.IsRefusal(err); !refused {
						t.Errorf("%s with %.20q: %v", o.Spec.Name, text, err)
					}
				}
			}
		}
	}
}

// fill puts the text into every string, and one element into every list.
func fill(v reflect.Value, text string) {
	switch {
	case v.Type() == reflect.TypeFor[uuid.UUID]() || v.Type() == reflect.TypeFor[time.Time]():
	case v.Kind() == reflect.String:
		v.SetString(text)
	case v.Kind() == reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		fill(v.Elem(), text)
	case v.Kind() == reflect.Struct:
		for _, f := range v.Fields() {
			fill(f, text)
		}
	case v.Kind() == reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 1, 1))
		fill(v.Index(0), text)
	}
}

func TestAFaultIsNoRefusal(t *testing.T) {
	w := newWorld(t)
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := w.Execute(ctx, w.order(acme, newUser("ann", ""))); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want that the call was given up", err)
	}
}

// A name server that does not answer is the matter of the line that asks it, not of those beside it.
func TestASilentNameServerFailsOneLineOnly(t *testing.T) {
	w := newWorld(t)
	w.Resolver = zone{"_chancery-challenge.acme.test": {"fault"}}
	w.must(t, w.order(acme, &commands.AddDomain{ID: dnsDomain("d"), Domain: "acme.test"}))
	outcomes(t, w.batch(t, acme, false, w.order(acme, newUser("ann", "")), w.order(acme, &commands.VerifyDomain{ID: dnsDomain("d")}),
		w.order(acme, newUser("bob", ""))), nil, domain.ErrDomainLookup, nil)

	ctx, cancel := context.WithCancel(context.Background())
	w.Resolver = leaving{cancel}
	if _, err := w.Execute(ctx, w.order(acme, &commands.VerifyDomain{ID: dnsDomain("d")})); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want that the call was given up", err)
	}
}

// leaving is the resolver of a caller who leaves meanwhile.
type leaving struct{ leave func() }

func (l leaving) TXT(ctx context.Context, _ string) ([]string, error) {
	l.leave()
	return nil, ctx.Err()
}

func TestEveryCommandIsDescribed(t *testing.T) {
	seen := map[domain.Privilege]string{}
	for _, s := range commands.Registry {
		if s.Doc == "" || s.Privilege.Check("") != nil || !strings.HasPrefix(string(s.Privilege), "core.") {
			t.Errorf("%s: doc %q, privilege %q", s.Name, s.Doc, s.Privilege)
		}
		if other, twice := seen[s.Privilege]; twice {
			t.Errorf("%s and %s need the same privilege", s.Name, other)
		}
		seen[s.Privilege] = s.Name
		if got, ok := commands.Named(s.Name); !ok || got.Name != s.Name {
			t.Errorf("%s is not found by its name", s.Name)
		}
	}
	if _, ok := commands.Named("no-such"); ok {
		t.Error("a command that does not exist is found")
	}
}

func TestIfMatchHasAMeaningWhereACommandIsAboutOneThing(t *testing.T) {
	w := newWorld(t)
	for i := range commands.Registry {
		c := commands.Registry[i].New()
		_, creating := c.(commands.Creating)
		fillIDs(reflect.ValueOf(c).Elem())
		if p, ok := c.(*commands.PublishAppVersion); ok { // what it is about stands in the manifest
			*p = publish(manifestOf("1.0.0"))
		}
		if name := commands.Registry[i].Name; name == "set-password" || name == "lease-seat" || name == "consume-event" {
			continue // it is about the caller; about whatever seat is free; about the app that the token speaks for
		}
		if o := w.order(acme, c); !o.Matchable() && !creating {
			t.Errorf("%s is about nothing", o.Spec.Name)
		} else if o.Object() == "" {
			t.Errorf("%s: a refusal of it is about nothing", o.Spec.Name)
		}
	}
	if o := w.order(acme, &commands.CreateGroup{Name: "x"}); o.Object() != "" {
		t.Errorf("a refusal is about %s, which never was", o.Object())
	}
}

func fillIDs(v reflect.Value) {
	switch {
	case v.Type() == reflect.TypeFor[uuid.UUID]():
		v.Set(reflect.ValueOf(uuid.New()))
	case v.Kind() == reflect.Struct && v.Type() != reflect.TypeFor[time.Time]():
		for i := range v.NumField() {
			if v.Type().Field(i).IsExported() {
				fillIDs(v.Field(i))
			}
		}
	}
}

var _ eventlog.Log = (*meddled)(nil)

func TestARequestThatChangedNothingIsAnsweredAgainToo(t *testing.T) {
	w := newWorld(t)
	w.must(t, w.order(acme, newUser("ann", "")))
	same := func() commands.Order {
		return w.order(acme, &commands.UpdateUser{ID: user("ann"), DisplayName: "ann"}, keyed("k"))
	}
	first := w.must(t, same())
	w.must(t, w.order(acme, &commands.UpdateUser{ID: user("ann"), DisplayName: "Ann"}))
	head := w.head(t)
	again := w.must(t, same())
	if len(again.Events) != 0 || again.ID != first.ID || again.Position != first.Position || w.head(t) != head {
		t.Errorf("answered %+v, then %+v", first, again)
	}
	if _, err := w.do(w.order(acme, &commands.UpdateUser{ID: user("ann"), DisplayName: "Anna"}, keyed("k"))); !errors.Is(err, dcb.ErrKeyReused) {
		t.Errorf("got %v, want that the key was used", err)
	}
	got := w.batch(t, acme, false, same(), w.order(acme, &commands.UpdateUser{ID: user("ann"), DisplayName: "Ann"}, keyed("m")), w.order(acme, newUser("bob", ""), keyed("n")))
	outcomes(t, got, nil, nil, nil)
}

func TestARefusalByOnesOwnTwinIsNoRefusal(t *testing.T) {
	w := newWorld(t)
	order := w.order(acme, newUser("ann", "ann@acme.test"), keyed("k"))
	w.log.beforeSecondRead(nil)
	w.log.mu.Lock()
	w.log.skip, w.log.beforeRead = 0, func() { w.must(t, order) } // after its receipt was looked for, before history is read
	w.log.mu.Unlock()
	if r := w.must(t, order); !r.Replayed {
		t.Errorf("answered %+v", r)
	}
}

func TestCommandsAboutAGroupNeedTheirPrivilegeOnTheGroupOnly(t *testing.T) {
	want := domain.Scope("group:" + group("crew").String())
	for _, c := range []commands.Scoped{commands.RenameGroup{ID: group("crew")}, commands.AddGroupMember{Group: group("crew")}, commands.ChangeGroupRole{Group: group("crew")}, commands.RemoveGroupMember{Group: group("crew")}} {
		if got := c.Scope(); got != want {
			t.Errorf("%T needs it on %q, want %q", c, got, want)
		}
	}
}
