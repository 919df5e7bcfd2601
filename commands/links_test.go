package commands_test

import (
	"context"
	"crypto/sha256"
	"errors"
	"log/slog"
	"testing"
	"time"

	"chancery/commands"
	"chancery/commands/commandstest"
	"chancery/domain"
	"chancery/internal/dcb"
)

func linkID(name string) domain.LinkID { return domain.LinkID{UUID: named("link " + name)} }

// invited is the invitation of ann@acme.test.
func invited() domain.UserRegistered {
	e := withEmail("ann")
	e.Status = domain.UserInvited
	return e
}

func tokenOf(name string) string { return "secret link " + linkID(name).String() }

func linkIssued(name string, u domain.UserID, p domain.LinkPurpose, until time.Time) domain.LinkIssued {
	_, hash := hashed(tokenOf(name))
	return domain.LinkIssued{Link: linkID(name), User: u, Purpose: p, Hash: hash, Token: dcb.Hide(tokenOf(name)), ExpiresAt: until}
}

func invitation(name string) domain.LinkIssued {
	return linkIssued(name, user("ann"), domain.Invitation, now.Add(7*day))
}

func reset(name string) domain.LinkIssued {
	return linkIssued(name, user("ann"), domain.PasswordReset, now.Add(time.Hour))
}

func invite() dcb.Decision {
	return commands.InviteUser{ID: linkID("new"), User: user("ann")}.Decide(having())
}

func sendReset() dcb.Decision {
	return commands.SendPasswordReset{ID: linkID("new"), User: user("ann")}.Decide(having())
}

func request(email string) dcb.Decision {
	return commands.RequestReset{Link: linkID("new"), Email: email}.Decide(having())
}

// redeem follows the link old.
func redeem(password string) dcb.Decision {
	return commands.RedeemLink{Link: linkID("old"), Hash: sha256.Sum256([]byte(tokenOf("old"))), Password: password}.Decide(env())
}

func without() commands.Env { e := having(); e.Mails = false; return e }

func revoked(name string) domain.LinkRevoked {
	return domain.LinkRevoked{Link: linkID(name), User: user("ann")}
}
func used() domain.LinkUsed { return domain.LinkUsed{Link: linkID("old"), User: user("ann")} }

func TestAnInvitedUserIsSentALink(t *testing.T) {
	given(invited()).When(invite()).Then(t, invitation("new"))
	old := invitation("old")
	given(invited(), old).When(invite()).Then(t, revoked("old"), invitation("new"))
	given(invited(), old, revoked("old")).When(invite()).Then(t, invitation("new"))
	old.ExpiresAt = now
	given(invited(), old).When(invite()).Then(t, invitation("new"))
	given(invited(), reset("other")).When(invite()).Then(t, invitation("new"))

	unreachable := registered("ann")
	unreachable.Status = domain.UserInvited
	given(unreachable).When(invite()).ThenRefused(t, domain.ErrNoAddress)
	given(withEmail("ann")).When(invite()).ThenRefused(t, domain.ErrNotInvited)
	given(invited(), domain.UserDeactivated{User: user("ann")}).When(invite()).ThenRefused(t, domain.ErrNotInvited)
	given().When(invite()).ThenRefused(t, domain.ErrUserUnknown)
	given().elsewhere(globex, invited()).When(invite()).ThenRefused(t, domain.ErrUserUnknown)
	given(invited(), linkIssued("new", user("bob"), domain.Invitation, now)).When(invite()).ThenRefused(t, domain.ErrIDTaken)
	given(invited()).When(commands.InviteUser{ID: linkID("new"), User: user("ann")}.Decide(without())).ThenRefused(t, domain.ErrMailOff)
}

func TestAnActiveUserIsSentALinkForAnotherPassword(t *testing.T) {
	given(withEmail("ann")).When(sendReset()).Then(t, reset("new"))
	given(withEmail("ann"), reset("old"), invitation("other")).When(sendReset()).Then(t, revoked("old"), reset("new"))
	given(registered("ann")).When(sendReset()).ThenRefused(t, domain.ErrNoAddress)
	given(invited()).When(sendReset()).ThenRefused(t, domain.ErrUserNotActive)
	given(withEmail("ann"), domain.UserDeactivated{User: user("ann")}).When(sendReset()).ThenRefused(t, domain.ErrUserNotActive)
	given().elsewhere(globex, withEmail("ann")).When(sendReset()).ThenRefused(t, domain.ErrUserUnknown)
	given(withEmail("ann"), reset("new")).When(sendReset()).ThenRefused(t, domain.ErrIDTaken)
	given(withEmail("ann")).When(commands.SendPasswordReset{ID: linkID("new"), User: user("ann")}.Decide(without())).ThenRefused(t, domain.ErrMailOff)
}

func TestALinkIsWithdrawnOnce(t *testing.T) {
	revoke := func() dcb.Decision { return commands.RevokeLink{ID: linkID("old")}.Decide(having()) }
	given(invitation("old")).When(revoke()).Then(t, revoked("old"))
	given(invitation("old"), revoked("old")).When(revoke()).ThenNothing(t)
	given(invitation("old"), used()).When(revoke()).ThenNothing(t)
	given().When(revoke()).ThenRefused(t, domain.ErrLinkUnknown)
	given().elsewhere(globex, invitation("old")).When(revoke()).ThenRefused(t, domain.ErrLinkUnknown)
}

// Whoever asks learns nothing: there is no refusal, whoever has the address.
func TestWhoAsksForAnotherPasswordByAddressLearnsNothing(t *testing.T) {
	given(withEmail("ann")).When(request("Ann@ACME.test")).Then(t, reset("new"))
	given(withEmail("ann"), reset("old")).When(request("ann@acme.test")).Then(t, revoked("old"), reset("new"))
	for name, h := range map[string]history{
		"nobody":      given(),
		"elsewhere":   given().elsewhere(globex, withEmail("ann")),
		"invited":     given(invited()),
		"deactivated": given(withEmail("ann"), domain.UserDeactivated{User: user("ann")}),
		"moved":       given(withEmail("ann"), emailChanged("ann@new.test", "ann@acme.test")),
	} {
		if got := h.When(request("ann@acme.test")); got.Err() != nil || len(got.Events(t)) > 0 {
			t.Errorf("%s: %v %v", name, got.Err(), got.Events(t))
		}
	}
	given(withEmail("ann")).When(request("ann")).ThenNothing(t)
	given(withEmail("ann")).When(request("")).ThenNothing(t)
	off := commands.RequestReset{Link: linkID("new"), Email: "ann@acme.test"}.Decide(without())
	given(withEmail("ann")).When(off).ThenNothing(t)
}

func TestWhomOnlyAnIssuerKnowsGetsNoPasswordByAsking(t *testing.T) {
	known := domain.IdentityLinked{Identity: identity("ann"), User: user("ann"), Issuer: "https://id.test"}
	h := given(withEmail("ann"), known)
	h.When(request("ann@acme.test")).ThenNothing(t)
	h.When(sendReset()).Then(t, reset("new"))
	h.and(passwordOf(user("ann"), "x")).When(request("ann@acme.test")).Then(t, reset("new"))
	gone := domain.CredentialRemoved{Credential: domain.PasswordID(acme, user("ann")), User: user("ann")}
	h.and(passwordOf(user("ann"), "x"), gone).When(request("ann@acme.test")).ThenNothing(t)
	h.and(domain.IdentityUnlinked{Identity: identity("ann"), User: user("ann")}).When(request("ann@acme.test")).Then(t, reset("new"))
}

// standing is a history in a tenant that is active.
func standing(events ...dcb.Event) history { return given(tenantMade(acme, "acme")).and(events...) }

func TestALinkGivesAPasswordAndEndsEverySession(t *testing.T) {
	ann := user("ann")
	standing(invited(), invitation("old")).When(redeem(good)).Then(t,
		used(), domain.UserReactivated{User: ann}, passwordOf(ann, good))
	standing(withEmail("ann"), invitation("old")).When(redeem(good)).Then(t, used(), passwordOf(ann, good))
	standing(withEmail("ann"), reset("old"), invitation("other"), began("a", ann), began("b", ann)).When(redeem(good)).Then(t,
		used(), revoked("other"), passwordOf(ann, good),
		ended("a", ann, domain.CredentialsChanged), ended("b", ann, domain.CredentialsChanged))
	factors := append(totpOf(ann, true), passkeyOf(ann, "key"))
	standing(withEmail("ann"), reset("old")).and(factors...).When(redeem(good)).Then(t, used(), passwordOf(ann, good))

	var whose commands.Account
	c := commands.RedeemLink{Link: linkID("old"), Hash: sha256.Sum256([]byte(tokenOf("old"))), Password: good, Whose: &whose}
	standing(withEmail("ann"), reset("old")).When(c.Decide(env())).Events(t)
	if whose != (commands.Account{User: ann, Email: "ann@acme.test"}) {
		t.Errorf("it was the link of %+v", whose)
	}
}

func TestALinkThatDoesNotWorkIsAnsweredAlikeWhateverThePassword(t *testing.T) {
	ann := user("ann")
	over, soon := reset("old"), reset("old")
	over.ExpiresAt, soon.ExpiresAt = now, now.Add(time.Nanosecond)
	standing(withEmail("ann"), soon).When(redeem(good)).Events(t)
	wrong := commands.RedeemLink{Link: linkID("old"), Hash: sha256.Sum256([]byte("x")), Password: good}.Decide(env())
	standing(withEmail("ann"), reset("old")).When(wrong).ThenRefused(t, domain.ErrLinkDead)
	zero := commands.RedeemLink{Link: linkID("old"), Password: good}.Decide(env())
	standing(withEmail("ann"), reset("old")).When(zero).ThenRefused(t, domain.ErrLinkDead)
	standing().When(zero).ThenRefused(t, domain.ErrLinkDead)
	rehashed := passwordOf(ann, "x")
	rehashed.Rehashed = true
	standing(withEmail("ann"), reset("old"), rehashed).When(redeem(good)).Events(t)
	for name, h := range map[string]history{
		"unknown":            standing(withEmail("ann")),
		"of another tenant":  standing().elsewhere(globex, withEmail("ann"), reset("old")),
		"used":               standing(withEmail("ann"), reset("old"), used()),
		"revoked":            standing(withEmail("ann"), reset("old"), revoked("old")),
		"too old":            standing(withEmail("ann"), over),
		"of an older time":   standing(withEmail("ann"), reset("old"), passwordOf(ann, "x")),
		"to an old address":  standing(withEmail("ann"), reset("old"), emailChanged("ann@new.test", "ann@acme.test")),
		"of a deactivated":   standing(withEmail("ann"), reset("old"), domain.UserDeactivated{User: ann}),
		"of before that":     standing(withEmail("ann"), reset("old"), domain.UserDeactivated{User: ann}, domain.UserReactivated{User: ann}),
		"of an erased user":  standing(withEmail("ann"), reset("old"), domain.UserErased{User: ann, Erases: ann.UUID}),
		"a reset of invited": standing(invited(), reset("old")),
	} {
		for _, password := range []string{good, "short", ""} {
			if err := h.When(redeem(password)).Err(); !errors.Is(err, domain.ErrLinkDead) {
				t.Errorf("%s, with %q: %v", name, password, err)
			}
		}
	}
	elsewhere := env()
	elsewhere.Tenant = globex
	held := given().elsewhere(globex, tenantMade(globex, "globex"), withEmail("ann"), reset("old"))
	c := commands.RedeemLink{Link: linkID("old"), Hash: sha256.Sum256([]byte(tokenOf("old"))), Password: good}
	held.WhenIn(globex, c.Decide(elsewhere)).Events(t)
	suspended := history{held.Elsewhere(globex.UUID, domain.TenantSuspended{Tenant: globex})}
	suspended.WhenIn(globex, c.Decide(elsewhere)).ThenRefused(t, domain.ErrLinkDead)
}

func TestAPasswordThatIsRefusedLeavesTheLinkAsItWas(t *testing.T) {
	h := standing(invited(), invitation("old"))
	h.When(redeem("short")).ThenRefused(t, domain.ErrPasswordShort)
	h.When(redeem("known from a breach")).ThenRefused(t, domain.ErrPasswordKnown)
	h.When(redeem(good)).Events(t)
}

// mailing is a world from which mail is sent, with ann who is invited.
func mailing(t *testing.T) *world {
	t.Helper()
	w := newWorld(t)
	w.Mails, w.Authn = true, commandstest.Authn{}
	w.must(t, w.order(acme, &commands.RegisterUser{ID: user("ann"), DisplayName: "Ann", Email: "ann@acme.test", Status: domain.UserInvited}))
	return w
}

func (w *world) mail(t *testing.T, id domain.LinkID) commands.LinkMail {
	t.Helper()
	m, err := w.LinkMail(context.Background(), acme, id)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func (w *world) mailed(t *testing.T, m commands.LinkMail, reason string) []dcb.Recorded {
	t.Helper()
	before := w.head(t)
	if err := w.LinkMailed(context.Background(), acme, m.Link, reason); err != nil {
		t.Fatal(err)
	}
	return w.stored(t, before)
}

func (w *world) later(d time.Duration) { w.mu.Lock(); defer w.mu.Unlock(); w.now = w.now.Add(d) }

func TestAMailIsToBeSentUntilThatIsOnRecord(t *testing.T) {
	w := mailing(t)
	w.must(t, w.order(acme, &commands.InviteUser{ID: linkID("new"), User: user("ann")}))
	m := w.mail(t, linkID("new"))
	if m.Over || m.Hopeless != "" || m.Waits || m.Address != "ann@acme.test" || m.Organisation != "Acme" || m.Purpose != domain.Invitation {
		t.Fatalf("to be sent: %+v", m)
	}
	c := commands.RedeemLink{Link: linkID("new"), Hash: sha256.Sum256([]byte(m.Token)), Password: good}
	if got := w.mailed(t, m, ""); len(got) != 1 || got[0].Event != dcb.Event(domain.LinkMailed{Link: linkID("new"), User: user("ann")}) || got[0].Causation != m.Issued {
		t.Errorf("recorded %v", got)
	}
	if !w.mail(t, linkID("new")).Over || len(w.mailed(t, m, "")) != 0 || len(w.mailed(t, m, domain.MailRefused)) != 0 {
		t.Error("it is to be sent twice")
	}
	if w.mail(t, linkID("unknown")).Over != true {
		t.Error("a link that nobody made is to be sent")
	}
	before := w.head(t)
	if _, err := w.do(commands.RedeemOrder(c, acme, dcb.Provenance{IP: dcb.Plain("192.0.2.1")})); err != nil {
		t.Fatal(err)
	}
	if r := w.stored(t, before)[0]; r.Actor != user("ann").UUID || r.Command != "redeem-link" || r.Effective != r.Actor || r.ActorTenant != acme.UUID {
		t.Errorf("it went on the account of %+v", r.Provenance)
	}
	_, err := w.do(commands.RedeemOrder(c, acme, dcb.Provenance{}))
	if !isRefusal(err, domain.ErrLinkDead) {
		t.Errorf("used twice: %v", err)
	}
	if _, err := w.do(commands.RedeemOrder(c, domain.TenantID{UUID: named("nowhere")}, dcb.Provenance{})); !isRefusal(err, domain.ErrLinkDead) {
		t.Errorf("in a tenant that does not exist: %v", err)
	}
}

func TestAMailThatHasLostItsSenseIsNotSent(t *testing.T) {
	w := mailing(t)
	issue := func(name string) {
		w.must(t, w.order(acme, &commands.InviteUser{ID: linkID(name), User: user("ann")}))
	}
	issue("first")
	first := w.mail(t, linkID("first"))
	issue("second")
	if !w.mail(t, linkID("first")).Over || len(w.mailed(t, first, "")) != 0 {
		t.Error("a link that was replaced is to be sent")
	}
	w.must(t, w.order(acme, &commands.SuspendTenant{}))
	if m := w.mail(t, linkID("second")); !m.Waits || m.Over || m.Hopeless != "" {
		t.Errorf("while the tenant is suspended: %+v", m)
	}
	w.must(t, w.order(acme, &commands.ReactivateTenant{}))
	w.must(t, w.order(acme, &commands.ChangeUserEmail{ID: user("ann"), Email: "ann@new.test"}))
	if m := w.mail(t, linkID("second")); m.Hopeless != domain.MailWithdrawn || len(w.mailed(t, m, m.Hopeless)) != 1 {
		t.Errorf("to an old address: %+v", m)
	}
	issue("third")
	w.later(domain.InvitationLife)
	if m := w.mail(t, linkID("third")); m.Hopeless != domain.MailExpired {
		t.Errorf("when it is too old: %+v", m)
	}
}

func TestResetsAreCarriedOutBehindTheBackOfWhoAsks(t *testing.T) {
	w := mailing(t)
	w.must(t, w.order(acme, &commands.ReactivateUser{ID: user("ann")}))
	r := commands.NewResets(w.Engine, slog.New(slog.DiscardHandler))
	before := w.head(t)
	r.Ask(acme, "ann@acme.test", dcb.Provenance{IP: dcb.Plain("192.0.2.1")})
	r.Ask(acme, "nobody@acme.test", dcb.Provenance{})
	r.Ask(domain.TenantID{UUID: named("nowhere")}, "ann@acme.test", dcb.Provenance{})
	if w.head(t) != before {
		t.Error("it was done at once")
	}
	ctx, stop := context.WithCancel(context.Background())
	stop() // what waits is done all the same
	r.Run(ctx)
	got := w.stored(t, before)
	if len(got) != 1 || got[0].Event.EventType() != "link.issued" || got[0].Actor != user("ann").UUID || got[0].IP.IsZero() {
		t.Errorf("recorded %+v", got)
	}
	for range 2000 {
		r.Ask(acme, "nobody@acme.test", dcb.Provenance{}) // never waits
	}
}
