package commands_test

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"chancery/commands"
	"chancery/domain"
	"chancery/internal/dcb"
	"chancery/internal/eventlog"
)

func erasure(name string) domain.ErasureID { return domain.ErasureID{UUID: named("erasure " + name)} }

func erase(who string, e commands.Env) dcb.Decision {
	return commands.EraseUser{ID: erasure("e"), User: user(who), Reason: "asked"}.Decide(e)
}

func approve(e commands.Env) dcb.Decision {
	return commands.ApproveErasure{ID: erasure("e")}.Decide(e)
}

func asked(who, by string) domain.ErasureRequested {
	return domain.ErasureRequested{Erasure: erasure("e"), User: user(who), By: user(by), Reason: "asked"}
}

func erased(who string, changes ...func(*domain.UserErased)) domain.UserErased {
	e := domain.UserErased{User: user(who), Erases: user(who).UUID, Erasure: erasure("e"), Reason: "asked"}
	for _, change := range changes {
		change(&e)
	}
	return e
}

func releasing(email domain.Email) func(*domain.UserErased) {
	return func(e *domain.UserErased) { e.Released = email.Claim() }
}

func unreasoned(e *domain.UserErased) { e.Reason = "" }

func fourEyes() domain.PolicySet { return policy(domain.ErasureFour, "true") }

func TestAUserIsErasedAtOnceWithAllThatWasTheirs(t *testing.T) {
	given(registered("ann")).When(erase("ann", env())).Then(t, erased("ann"))
	in := registered("ann")
	in.Department = department("sales")
	given(departmentMade("sales", ""), in).When(erase("ann", env())).Then(t, erased("ann", func(e *domain.UserErased) { e.Department = department("sales") }))

	a, b := linked("a", "ann", "github", "42"), linked("b", "ann", "gitlab", "42")
	started := func(name string, who domain.UserID, end time.Time) domain.SessionStarted {
		return domain.SessionStarted{Session: domain.SessionID{UUID: named("session " + name)}, User: who, ExpiresAt: end}
	}
	one, over, ended := started("one", user("ann"), now.Add(time.Hour)), started("over", user("ann"), now), started("ended", user("ann"), now.Add(time.Hour))
	theirs := started("theirs", user("bob"), now.Add(time.Hour))
	link := domain.LinkIssued{Link: domain.LinkID{UUID: named("link")}, User: user("ann"), ExpiresAt: now.Add(time.Hour)}
	password := domain.PasswordSet{Credential: domain.CredentialID{UUID: named("password")}, User: user("ann")}
	given(withEmail("ann"), registered("bob"), password, a, b, unlinked(b), one, over, ended, theirs, link,
		domain.SessionEnded{Session: ended.Session, User: user("ann")}, linked("c", "bob", "github", "43"),
	).When(erase("ann", env())).Then(t,
		unlinked(a),
		domain.CredentialRemoved{Credential: password.Credential, User: user("ann")},
		domain.SessionEnded{Session: one.Session, User: user("ann"), Reason: domain.SessionErased},
		domain.LinkRevoked{Link: link.Link, User: user("ann")},
		erased("ann", releasing("ann@acme.test")))
}

func TestAnErasedUsersAddressIsFreeOrNobodysForEver(t *testing.T) {
	again := func() dcb.Decision { return register("bob", "ann@acme.test").Decide(env()) }
	h := given(withEmail("ann"))
	h.When(erase("ann", env())).Then(t, erased("ann", releasing("ann@acme.test")))
	h.and(erased("ann", releasing("ann@acme.test"))).When(again()).Then(t, withEmail("bob"))
	h.and(erased("ann", releasing("ann@acme.test")), withEmail("bob")).When(register("cat", "ann@acme.test").Decide(env())).ThenRefused(t, domain.ErrEmailTaken)
	reserved := h.and(policy(domain.ErasedEmail, "reserved"))
	reserved.When(erase("ann", env())).Then(t, erased("ann"))
	reserved.and(erased("ann")).When(again()).ThenRefused(t, domain.ErrEmailTaken)
	given(withEmail("ann"), emailChanged("ann@new.test", "ann@acme.test")).When(erase("ann", env())).Then(t, erased("ann", releasing("ann@new.test")))
}

func TestAnErasedUserIsNobodyToOtherCommands(t *testing.T) {
	h := given(departmentMade("sales", ""), groupMade("g", ""), roleMade("r"), registered("ann"), erased("ann"))
	phone := "+49 30 123456"
	for name, d := range map[string]dcb.Decision{
		"update":     commands.UpdateUser{ID: user("ann"), DisplayName: "Ann"}.Decide(env()),
		"email":      commands.ChangeUserEmail{ID: user("ann"), Email: "ann@acme.test"}.Decide(env()),
		"contact":    commands.ChangeUserContact{ID: user("ann"), Phone: &phone}.Decide(privileged(env())),
		"move":       moveUser("ann", "sales", env()),
		"deactivate": commands.DeactivateUser{ID: user("ann")}.Decide(env()),
		"reactivate": commands.ReactivateUser{ID: user("ann")}.Decide(env()),
		"link":       link("x", "ann", "github", "42", env()),
		"token":      commands.IssueToken{ID: apiToken("t"), User: user("ann"), Name: "t", ExpiresAt: now.Add(time.Hour)}.Decide(env()),
		"member":     commands.AddGroupMember{ID: membership("m"), Group: group("g"), User: user("ann")}.Decide(env()),
		"assign":     commands.AssignRole{ID: assignment("a"), Role: role("r"), User: user("ann")}.Decide(env()),
		"override":   commands.AddOverride{ID: override("o"), Effect: domain.Deny, Privilege: "file.*", User: user("ann"), ExpiresAt: now.Add(time.Hour), Reason: "r"}.Decide(env()),
	} {
		t.Run(name, func(t *testing.T) { h.When(d).ThenRefused(t, domain.ErrUserUnknown) })
	}
	h.When(register("ann", "").Decide(env())).ThenRefused(t, domain.ErrIDTaken)
}

// privileged is a caller who holds the command's privilege, where that is told apart.
func privileged(e commands.Env) commands.Env { e.Privileged = true; return e }

func TestAnErasedUserDoesNotHoldADepartment(t *testing.T) {
	in := registered("ann")
	in.Department = department("sales")
	h := given(departmentMade("sales", ""), in)
	remove := func() dcb.Decision { return commands.DeleteDepartment{ID: department("sales")}.Decide(env()) }
	h.When(remove()).ThenRefused(t, domain.ErrDepartmentNotEmpty)
	h.and(erased("ann", func(e *domain.UserErased) { e.Department = department("sales") })).When(remove()).Events(t)
}

func TestWhereFourEyesAreWantedSomebodyElseApproves(t *testing.T) {
	h := given(fourEyes(), withEmail("ann"), registered("bob"), linked("a", "ann", "github", "42"))
	request := asked("ann", "")
	request.By = chief
	h.When(erase("ann", env())).Then(t, request)
	own, others := h.and(request), h.and(asked("ann", "bob"))
	own.When(approve(env())).ThenRefused(t, domain.ErrFourEyes)
	others.When(approve(env())).Then(t, unlinked(linked("a", "ann", "github", "42")), erased("ann", releasing("ann@acme.test"), unreasoned))
	others.and(domain.PolicyReset{Policy: domain.ErasureFour.ID(acme), Key: domain.ErasureFour.Key, Version: 2}).When(approve(env())).Events(t)
	own.and(domain.PolicyReset{Policy: domain.ErasureFour.ID(acme), Key: domain.ErasureFour.Key, Version: 2}).When(approve(env())).ThenRefused(t, domain.ErrFourEyes)
	given().When(approve(env())).ThenRefused(t, domain.ErrErasureUnknown)
	given().elsewhere(globex, registered("ann"), asked("ann", "bob")).When(approve(env())).ThenRefused(t, domain.ErrErasureUnknown)
}

func TestNobodyApprovesAnErasureForWhomTheyActOrWhoActsForThem(t *testing.T) {
	h := given(fourEyes(), registered("ann"), registered("bob"))
	for name, tie := range map[string][]dcb.Event{
		"a delegate": tiedBy("d", user("bob"), chief), "a grantor": tiedBy("d", chief, user("bob")),
		"a delegate of a delegate": append(tiedBy("d", user("bob"), user("cat")), tiedBy("e", user("cat"), chief, "d")...),
	} {
		t.Run(name, func(t *testing.T) {
			h.and(tie...).and(asked("ann", "bob")).When(approve(env())).ThenRefused(t, domain.ErrFourEyesTied)
			onBehalf := asked("ann", "eve")
			onBehalf.For = user("bob")
			h.and(tie...).and(onBehalf).When(approve(env())).ThenRefused(t, domain.ErrFourEyesTied)
		})
	}
	request := h.and(asked("ann", "bob"))
	request.When(approve(forByDelegation(env(), user("cat")))).ThenRefused(t, domain.ErrActing)
	request.When(approve(asByImpersonation(env(), user("cat")))).ThenRefused(t, domain.ErrActing)
	mine := asked("ann", "bob")
	mine.For = chief
	h.and(mine).When(approve(env())).ThenRefused(t, domain.ErrFourEyes)
	onBehalf := asked("ann", "")
	onBehalf.By, onBehalf.For = chief, user("bob")
	h.When(erase("ann", forByDelegation(env(), user("bob")))).Then(t, onBehalf)
}

func TestThereIsOneOpenRequestForAUser(t *testing.T) {
	h := given(registered("ann"), registered("bob"), asked("ann", "bob"))
	again := func(who string) dcb.Decision {
		return commands.EraseUser{ID: erasure("f"), User: user(who), Reason: "asked"}.Decide(env())
	}
	h.When(again("ann")).ThenRefused(t, domain.ErrErasureOpen)
	h.and(fourEyes()).When(again("ann")).ThenRefused(t, domain.ErrErasureOpen)
	h.When(again("bob")).Events(t) // who asks is not whom it is about
	h.and(domain.ErasureCancelled{Erasure: erasure("e"), User: user("ann")}).When(again("ann")).Events(t)
}

func TestAnErasureIsCancelledUntilItIsDone(t *testing.T) {
	h := given(registered("ann"), asked("ann", "bob"))
	cancel := func() dcb.Decision { return commands.CancelErasure{ID: erasure("e")}.Decide(having()) }
	cancelled := domain.ErasureCancelled{Erasure: erasure("e"), User: user("ann")}
	h.When(cancel()).Then(t, cancelled)
	h.and(cancelled).When(cancel()).ThenNothing(t)
	h.and(cancelled).When(approve(env())).ThenRefused(t, domain.ErrErasureOver)
	h.and(erased("ann")).When(cancel()).ThenRefused(t, domain.ErrErasureOver)
	given().When(cancel()).ThenRefused(t, domain.ErrErasureUnknown)
	given().elsewhere(globex, registered("ann"), asked("ann", "bob")).When(cancel()).ThenRefused(t, domain.ErrErasureUnknown)
}

func TestWhatIsErasedMayBeErasedAgain(t *testing.T) {
	h := given(registered("ann"), asked("ann", "bob"), erased("ann"))
	h.When(erase("ann", env())).ThenNothing(t)
	h.When(approve(env())).ThenNothing(t)
	h.and(fourEyes()).When(erase("ann", env())).ThenNothing(t)
}

func TestAnErasureHasAReasonAndAnIDOfItsOwn(t *testing.T) {
	for reason, ok := range names() {
		o := given(registered("ann")).When(commands.EraseUser{ID: erasure("e"), User: user("ann"), Reason: reason}.Decide(env()))
		if ok {
			o.Events(t)
		} else {
			o.ThenInvalid(t, "/reason")
		}
	}
	for _, h := range []history{
		given(asked("bob", "cat")), given().elsewhere(globex, asked("bob", "cat")), given(erased("bob")), given().elsewhere(globex, erased("bob")),
	} {
		h.and(registered("ann")).When(erase("ann", env())).ThenRefused(t, domain.ErrIDTaken)
	}
	given().elsewhere(globex, registered("ann")).When(erase("ann", env())).ThenRefused(t, domain.ErrUserUnknown)
}

func TestNobodyErasesThemselvesNorWhoHasMore(t *testing.T) {
	me := domain.UserRegistered{User: chief, DisplayName: dcb.Plain("chief"), Status: domain.UserActive}
	mine := commands.EraseUser{ID: erasure("e"), User: chief, Reason: "asked"}
	given(me).When(mine.Decide(env())).ThenRefused(t, domain.ErrSelf)
	about := asked("", "bob")
	about.User = chief
	given(me, about).When(approve(env())).ThenRefused(t, domain.ErrSelf)

	h := given(registered("ann"))
	request := h.and(asked("ann", "bob"))
	for _, c := range []struct {
		with rights
		may  bool
	}{{rights{}, false}, {rights{covers: []domain.UserID{user("bob")}}, false}, {rights{covers: []domain.UserID{user("ann")}}, true}} {
		for _, o := range []outcome{h.When(erase("ann", by(c.with))), h.and(fourEyes()).When(erase("ann", by(c.with))), request.When(approve(by(c.with)))} {
			if c.may {
				o.Events(t)
			} else {
				o.ThenRefused(t, domain.ErrMayNotErase)
			}
		}
	}
}

func TestThePlatformsLastAdministratorIsNotErased(t *testing.T) {
	root := given().elsewhere(domain.Root, registered("ann"), registered("bob"), adminOf("ann"))
	root.WhenIn(domain.Root, erase("ann", onPlatform(env()))).ThenRefused(t, domain.ErrLastAdmin)
	root.elsewhere(domain.Root, asked("ann", "bob")).WhenIn(domain.Root, approve(onPlatform(env()))).ThenRefused(t, domain.ErrLastAdmin)
	root.WhenIn(domain.Root, erase("bob", onPlatform(env()))).Events(t)
	two := root.elsewhere(domain.Root, adminOf("bob"))
	two.WhenIn(domain.Root, erase("ann", onPlatform(env()))).Events(t)
	other := func(e *domain.UserErased) { e.Erasure = erasure("f") }
	two.elsewhere(domain.Root, erased("bob", other)).WhenIn(domain.Root, erase("ann", onPlatform(env()))).ThenRefused(t, domain.ErrLastAdmin)
	given(registered("ann"), adminOf("ann")).When(erase("ann", env())).Events(t)
}

func TestARestoredDatabaseErasesAgainWhateverTheRulesAre(t *testing.T) {
	again := func() dcb.Decision { return commands.EraseAgain{User: user("ann")}.Decide(by(rights{})) }
	h := given(fourEyes(), withEmail("ann"), linked("a", "ann", "github", "42"))
	events := h.When(again()).Events(t)
	gone, ok := events[len(events)-1].(domain.UserErased)
	if !ok || len(events) != 2 || gone.Erases != user("ann").UUID || gone.Reason == "" || gone.Erasure == (domain.ErasureID{}) {
		t.Fatalf("decided %v", events)
	}
	h.and(events...).When(again()).ThenNothing(t)
	given().When(again()).ThenNothing(t)
	given().elsewhere(domain.Root, registered("ann"), adminOf("ann")).WhenIn(domain.Root, commands.EraseAgain{User: user("ann")}.Decide(onPlatform(by(rights{})))).Events(t)
	open := h.and(asked("ann", "bob")).When(again()).Events(t)
	if got := open[len(open)-1].(domain.UserErased).Erasure; got != erasure("e") {
		t.Errorf("the open request is left open; done is %s", got)
	}
}

// Over the log in memory, which destroys keys as the database does.

func (w *world) userErased(t *testing.T, name string) {
	t.Helper()
	w.must(t, w.order(acme, &commands.EraseUser{User: user(name), Reason: "asked"}))
	w.vault.Drop(acme.UUID, user(name).UUID) // as every process does that sees the event
}

func TestACommandOvertakenByAnErasureIsRefusedAndKeepsNothing(t *testing.T) {
	w := newWorld(t)
	w.must(t, w.order(acme, &commands.RegisterUser{ID: user("ann"), DisplayName: "Ann", Email: "ann@acme.test"}))
	update := w.order(acme, &commands.UpdateUser{ID: user("ann"), DisplayName: "Anna"})
	w.log.beforeNextAppend(func() { w.userErased(t, "ann") })
	w.refused(t, update, domain.ErrUserUnknown)
	if key, _ := w.log.Key(acme.UUID, user("ann").UUID); len(key) > 0 {
		t.Error("the key is back")
	}
}

// overtaken is a store that lets something happen after a decision, before it looks up any key.
type overtaken struct {
	dcb.Store
	once sync.Once
	by   func()
}

func (s *overtaken) Append(ctx context.Context, parts []dcb.Part, conditions []dcb.Condition) ([]dcb.Receipt, []dcb.Recorded, error) {
	s.once.Do(s.by)
	return s.Store.Append(ctx, parts, conditions)
}

func TestACommandThatFindsTheKeyDestroyedDecidesAgain(t *testing.T) {
	w := newWorld(t)
	w.must(t, w.order(acme, &commands.RegisterUser{ID: user("ann"), DisplayName: "Ann"}))
	store := w.Store
	w.Store = &overtaken{Store: store, by: func() {
		w.Store = store
		w.userErased(t, "ann")
	}}
	w.refused(t, w.order(acme, &commands.UpdateUser{ID: user("ann"), DisplayName: "Anna"}), domain.ErrUserUnknown)
	if n := w.tried("update-user"); n != 2 {
		t.Errorf("decided %d times", n)
	}
}

func TestNothingIsKeptUnderTheIDOfSomebodyOfWhomOnlyTheErasureIsKnown(t *testing.T) {
	w := newWorld(t)
	gone := domain.UserErased{User: user("ann"), Erases: user("ann").UUID, Erasure: erasure("e")}
	part := dcb.Part{ID: named("request"), Fingerprint: []byte("x"), Events: []dcb.Pending{{Tenant: acme.UUID, Event: gone}}}
	if _, _, err := w.Store.Append(context.Background(), []dcb.Part{part}, nil); err != nil {
		t.Fatal(err)
	}
	ann := func() *commands.RegisterUser { return &commands.RegisterUser{ID: user("ann"), DisplayName: "Ann"} }
	w.refused(t, w.order(acme, ann()), domain.ErrUserErased)
	bob := &commands.RegisterUser{ID: user("bob"), DisplayName: "Bob"}
	outcomes(t, w.batch(t, acme, false, w.order(acme, ann()), w.order(acme, bob)), domain.ErrUserErased, nil)
	cat := &commands.RegisterUser{ID: user("cat"), DisplayName: "Cat"}
	outcomes(t, w.batch(t, acme, true, w.order(acme, ann()), w.order(acme, cat)), domain.ErrUserErased, domain.ErrUserErased)
}

// The right to be forgotten does not wait for a tenant that nobody may use any more.
func TestUsersOfSuspendedAndClosedTenantsAreErased(t *testing.T) {
	w := newWorld(t)
	for _, name := range []string{"ann", "abe", "eve"} {
		w.must(t, w.order(acme, &commands.RegisterUser{ID: user(name), DisplayName: "N"}))
	}
	w.must(t, w.order(acme, &commands.SetPolicy{Key: domain.ErasureFour.Key, Value: "true"}))
	request := w.order(acme, &commands.EraseUser{ID: erasure("e"), User: user("eve"), Reason: "asked"})
	request.Rights = commands.System{} // somebody else
	w.must(t, request)
	w.must(t, w.order(acme, &commands.ResetPolicy{Key: domain.ErasureFour.Key}))
	w.must(t, w.order(domain.Root, &commands.SuspendTenant{TenantNamed: commands.TenantNamed{ID: acme}}))
	w.userErased(t, "ann")
	w.must(t, w.order(domain.Root, &commands.CloseTenant{TenantNamed: commands.TenantNamed{ID: acme}}))
	w.userErased(t, "abe")
	w.must(t, w.order(acme, &commands.ApproveErasure{ID: erasure("e")}))
	for _, name := range []string{"ann", "abe", "eve"} {
		if key, _ := w.log.Key(acme.UUID, user(name).UUID); len(key) > 0 {
			t.Errorf("%s has a key", name)
		}
	}
}

func TestAnErasureIsAnsweredOnlyWhenItIsOnRecordOutside(t *testing.T) {
	w := newWorld(t)
	full := errors.New("no space left")
	var asked []int64
	fault := full
	w.Erased = func(_ context.Context, position int64) error { asked = append(asked, position); return fault }
	w.must(t, w.order(acme, &commands.RegisterUser{ID: user("ann"), DisplayName: "Ann"}))
	if len(asked) > 0 {
		t.Fatal("a command that erases nothing waited")
	}
	first := func() commands.Order {
		return w.order(acme, &commands.EraseUser{ID: erasure("e"), User: user("ann"), Reason: "asked"}, keyed("e"))
	}
	plain := func() commands.Order { return w.order(acme, &commands.EraseUser{User: user("ann"), Reason: "asked"}) }
	for _, o := range []commands.Order{first(), first(), plain()} { // done, replayed, nothing to be done
		if _, err := w.do(o); !errors.Is(err, commands.ErrOffRecord) || !errors.Is(err, full) {
			t.Fatalf("answered %v", err)
		}
	}
	fault = nil
	if r := w.must(t, first()); !r.Replayed || r.ID != erasure("e").UUID {
		t.Errorf("%+v", r)
	}
	w.must(t, plain())
	raws, head, err := w.log.Read(context.Background(), eventlog.Query{{Types: []string{"user.erased"}, Tags: []string{string(user("ann").Tag())}}})
	if err != nil || len(raws) != 1 {
		t.Fatalf("%d erasures, %v", len(raws), err)
	}
	for _, position := range asked {
		if position < raws[0].Position || position > head {
			t.Errorf("waited for %d; the erasure is at %d", position, raws[0].Position)
		}
	}
	if len(asked) != 5 || strings.Contains(commands.ErrOffRecord.Error(), "space") {
		t.Errorf("waited %d times", len(asked))
	}
}
