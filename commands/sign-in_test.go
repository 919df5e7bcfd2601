package commands_test

import (
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"chancery/commands"
	"chancery/commands/commandstest"
	"chancery/domain"
	"chancery/internal/dcb"
)

// nobody is the caller before anybody is known, from somewhere.
func nobody() commands.Env {
	e := by(rights{})
	e.Rights, e.IP, e.Agent = commands.System{}, "192.0.2.7", "Browser/1"
	return e
}

func bySignIn(password string) commands.SignIn {
	return commands.SignIn{Session: session("new"), Email: "Chief@ACME.test", Password: password}
}

func answering(ticket string, s commands.Shown) commands.SignIn {
	return commands.SignIn{Session: session("new"), Ticket: ticket, Shown: s}
}

// tenantOpen is a tenant in which people can sign in.
func tenantOpen(events ...dcb.Event) history {
	return given(domain.TenantCreated{Tenant: acme, Name: "Acme", Slug: "acme"}, me()).and(events...)
}

func startedBy(ticket domain.TicketID, methods ...string) domain.SessionStarted {
	_, hash := hashed("secret session " + session("new").String())
	return domain.SessionStarted{
		Session: session("new"), User: chief, Hash: hash, Methods: methods, Ticket: ticket, Idle: 3600, ExpiresAt: now.Add(24 * time.Hour),
		IP: dcb.Plain("192.0.2.7"), Agent: dcb.Plain("Browser/1"),
	}
}

func (o outcome) thenFailed(t *testing.T, whose domain.UserID) {
	t.Helper()
	o.ThenRefused(t, domain.ErrSignIn)
	failed, ok := errors.AsType[*commands.SignInFailed](o.Err())
	if !ok || failed.User != whose || o.Err().Error() != domain.ErrSignIn.Error() {
		t.Errorf("refused with %v (%+v), want it noted of %v", o.Err(), failed, whose)
	}
}

// thenAsked requires that a factor is asked for.
func (o outcome) thenAsked(t *testing.T, factors ...domain.CredentialKind) *commands.FactorNeeded {
	t.Helper()
	o.ThenRefused(t, domain.ErrFactor)
	asked, ok := errors.AsType[*commands.FactorNeeded](o.Err())
	if !ok {
		t.Fatalf("refused with %v", o.Err())
	}
	if diff := cmp.Diff(factors, asked.Factors); diff != "" {
		t.Errorf("asked for otherwise:\n%s", diff)
	}
	return asked
}

func TestWhoKnowsThePasswordSignsIn(t *testing.T) {
	h := tenantOpen(passwordOf(chief, good))
	h.When(bySignIn(good).Decide(nobody())).Then(t, startedBy(domain.TicketID{}, domain.ByPassword))
	short := h.and(policy(domain.SessionIdle, "5"), policy(domain.SessionHours, "1"))
	want := startedBy(domain.TicketID{}, domain.ByPassword)
	want.Idle, want.ExpiresAt = 300, now.Add(time.Hour)
	short.When(bySignIn(good).Decide(nobody())).Then(t, want)
	h.and(domain.CredentialRemoved{Credential: domain.PasswordID(acme, chief), User: chief}).When(bySignIn(good).Decide(nobody())).thenFailed(t, chief)
	h.and(passwordOf(chief, "another password")).When(bySignIn(good).Decide(nobody())).thenFailed(t, chief)
	if name, value := bySignIn(good).Reveal(nobody()); name != "token" || value != "secret session "+session("new").String() {
		t.Errorf("the answer shows %s=%s", name, value)
	}
}

func TestEveryFailureIsTheSame(t *testing.T) {
	set, none := passwordOf(chief, good), domain.UserID{}
	closed := []dcb.Event{domain.TenantCreated{Tenant: acme, Name: "Acme", Slug: "acme"}, me(), set}
	for name, c := range map[string]struct {
		h     history
		with  commands.SignIn
		whose domain.UserID
	}{
		"a wrong password":      {tenantOpen(set), bySignIn("wrong"), chief},
		"no password":           {tenantOpen(), bySignIn(good), chief},
		"an unknown address":    {tenantOpen(set), commands.SignIn{Session: session("new"), Email: "eve@acme.test", Password: good}, none},
		"what is no address":    {tenantOpen(set), commands.SignIn{Session: session("new"), Email: "@", Password: good}, none},
		"an inactive user":      {tenantOpen(set, domain.UserDeactivated{User: chief}), bySignIn(good), chief},
		"a suspended tenant":    {given(closed...).and(domain.TenantSuspended{Tenant: acme}), bySignIn(good), chief},
		"a closed tenant":       {given(closed...).and(domain.TenantClosed{Tenant: acme}), bySignIn(good), chief},
		"no tenant":             {given(), bySignIn(good), none},
		"a user elsewhere":      {given(closed[0]).elsewhere(globex, me(), set), bySignIn(good), none},
		"an address given up":   {tenantOpen(set, domain.UserEmailChanged{User: chief, EmailKey: domain.Email("new@acme.test").Claim(), Released: domain.Email("chief@acme.test").Claim()}), bySignIn(good), none},
		"far too many letters":  {tenantOpen(passwordOf(chief, string(make([]byte, 300)))), bySignIn(string(make([]byte, 300))), chief},
		"an erased user's pass": {tenantOpen(domain.PasswordSet{Credential: domain.PasswordID(acme, chief), User: chief}), bySignIn(""), chief},
	} {
		t.Run(name, func(t *testing.T) { c.h.When(c.with.Decide(nobody())).thenFailed(t, c.whose) })
	}
}

func TestAnInvitedUserCannotSignIn(t *testing.T) {
	invited := me()
	invited.Status = domain.UserInvited
	given(domain.TenantCreated{Tenant: acme}, invited, passwordOf(chief, good)).When(bySignIn(good).Decide(nobody())).thenFailed(t, chief)
}

func TestAPasswordHashedAsOfOldIsHashedAnew(t *testing.T) {
	old := domain.PasswordSet{Credential: domain.PasswordID(acme, chief), User: chief, Hash: dcb.Hide("old:" + good)}
	anew := passwordOf(chief, good)
	anew.Rehashed = true
	tenantOpen(old).When(bySignIn(good).Decide(nobody())).Then(t, startedBy(domain.TicketID{}, domain.ByPassword), anew)
	tenantOpen(old).When(bySignIn("wrong").Decide(nobody())).thenFailed(t, chief)

	h := tenantOpen(old).and(totpOf(chief, true)...)
	asked := h.When(bySignIn(good).Decide(nobody())).thenAsked(t, domain.TOTP)
	if asked.Rehash == nil {
		t.Fatal("it is not to be hashed anew")
	}
	h.When(asked.Rehash.Decide(nobody())).Then(t, anew)
	h.and(passwordOf(chief, "another password")).When(asked.Rehash.Decide(nobody())).ThenNothing(t)
	code := commands.Shown{Code: commandstest.Code("seed phone", now)}
	h.and(anew).When(answering(asked.Ticket, code).Decide(nobody())).Events(t)
}

func TestWhoHasASecondFactorIsAskedForIt(t *testing.T) {
	h := tenantOpen(passwordOf(chief, good)).and(totpOf(chief, true)...)
	asked := h.When(bySignIn(good).Decide(nobody())).thenAsked(t, domain.TOTP)
	if asked.User != chief || asked.Rehash != nil || asked.Passkey != nil {
		t.Errorf("asked with %+v", asked)
	}
	h.When(bySignIn("wrong").Decide(nobody())).thenFailed(t, chief)
	ticket := domain.TicketID(session("new"))
	by := func(code string) dcb.Decision {
		return answering(asked.Ticket, commands.Shown{Code: code}).Decide(nobody())
	}
	code := commandstest.Code("seed phone", now)
	used := domain.CredentialUsed{Credential: credential("phone"), User: chief, Use: credential("phone").Use(now.Unix() / 30)}
	started := startedBy(ticket, domain.ByPassword, domain.ByOneTimeCode, domain.ByMany)
	h.When(by(code)).Then(t, used, started)
	h.When(by("x")).thenFailed(t, chief)
	h.and(used).When(by(code)).thenFailed(t, chief)
	h.and(used).When(by(commandstest.Code("seed phone", now.Add(30*time.Second)))).Events(t)
	h.When(by(commandstest.Code("seed phone", now.Add(time.Minute)))).thenFailed(t, chief)
	h.and(started).When(by(code)).ThenRefused(t, domain.ErrTicket)
	h.and(passwordOf(chief, "another password")).When(by(code)).ThenRefused(t, domain.ErrTicket)
	h.and(domain.UserDeactivated{User: chief}).When(by(code)).thenFailed(t, domain.UserID{})
	h.and(domain.TenantSuspended{Tenant: acme}).When(by(code)).thenFailed(t, domain.UserID{})
	h.When(answering(asked.Ticket, commands.Shown{}).Decide(nobody())).thenFailed(t, chief)
	h.When(answering("ticket.x", commands.Shown{Code: code}).Decide(nobody())).ThenRefused(t, domain.ErrTicket)
	_, alone := challengeFor(commands.ForPasskey, domain.UserID{})
	h.When(answering(alone, commands.Shown{Code: code}).Decide(nobody())).ThenRefused(t, domain.ErrTicket)
	unconfirmed := tenantOpen(passwordOf(chief, good)).and(totpOf(chief, false)...)
	unconfirmed.When(bySignIn(good).Decide(nobody())).Then(t, startedBy(domain.TicketID{}, domain.ByPassword))
}

func TestARecoveryCodeWorksOnce(t *testing.T) {
	issued := domain.RecoveryCodesIssued{Credential: credential("codes"), User: chief, Codes: dcb.Hide("#a #b #c"), Count: 3}
	h := tenantOpen(passwordOf(chief, good), issued).and(totpOf(chief, true)...)
	asked := h.When(bySignIn(good).Decide(nobody())).thenAsked(t, domain.TOTP, domain.RecoveryCodes)
	by := func(code string) dcb.Decision {
		return answering(asked.Ticket, commands.Shown{RecoveryCode: code}).Decide(nobody())
	}
	left := 2
	used := domain.CredentialUsed{Credential: credential("codes"), User: chief, Use: credential("codes").Use(1), Left: &left}
	h.When(by("b")).Then(t, used, startedBy(domain.TicketID(session("new")), domain.ByPassword, domain.ByRecovery, domain.ByMany))
	h.and(used).When(by("b")).thenFailed(t, chief)
	if next := h.and(used).When(by("c")).Events(t)[0].(domain.CredentialUsed); *next.Left != 1 {
		t.Errorf("%d are left", *next.Left)
	}
	h.When(by("d")).thenFailed(t, chief)
	again := issued
	again.Credential, again.Codes = credential("more"), dcb.Hide("#x")
	anew := h.and(again, domain.CredentialRemoved{Credential: credential("codes"), User: chief})
	asked = anew.When(bySignIn(good).Decide(nobody())).thenAsked(t, domain.TOTP, domain.RecoveryCodes)
	anew.When(by("b")).thenFailed(t, chief)
	tenantOpen(passwordOf(chief, good), issued).When(bySignIn(good).Decide(nobody())).Events(t)
}

func TestAPasskeyIsASecondFactorOrBothAtOnce(t *testing.T) {
	h := tenantOpen(passwordOf(chief, good), passkeyOf(chief, "key"))
	asked := h.When(bySignIn(good).Decide(nobody())).thenAsked(t, domain.Passkey)
	if len(asked.Passkey) == 0 {
		t.Error("the browser gets no options")
	}
	used := func(n uint32) domain.CredentialUsed {
		return domain.CredentialUsed{Credential: credential("key"), User: chief, Counter: n}
	}
	by := func(ticket, id string, n uint32) dcb.Decision {
		return answering(ticket, commands.Shown{Passkey: commandstest.Answer(id, n)}).Decide(nobody())
	}
	h.When(by(asked.Ticket, "key", 3)).Then(t, used(3), startedBy(domain.TicketID(session("new")), domain.ByPassword, domain.ByPasskey, domain.ByMany))
	h.and(used(3)).When(by(asked.Ticket, "key", 3)).thenFailed(t, chief)
	h.and(used(3)).When(by(asked.Ticket, "key", 4)).Events(t)
	h.When(by(asked.Ticket, "other", 1)).thenFailed(t, chief)
	h.and(passkeyOf(user("ann"), "hers")).When(by(asked.Ticket, "hers", 1)).thenFailed(t, chief)

	ticket, alone := challengeFor(commands.ForPasskey, domain.UserID{})
	h.When(by(alone, "key", 0)).Then(t, used(0), startedBy(ticket.ID, domain.ByPasskey, domain.ByMany))
	h.and(startedBy(ticket.ID, domain.ByPasskey)).When(by(alone, "key", 0)).ThenRefused(t, domain.ErrTicket)
	h.When(by(alone, "other", 0)).thenFailed(t, domain.UserID{})
	h.and(domain.CredentialRemoved{Credential: credential("key"), User: chief}).When(by(alone, "key", 0)).thenFailed(t, chief)
	h.and(domain.UserDeactivated{User: chief}).When(by(alone, "key", 0)).thenFailed(t, domain.UserID{})
	h.When(answering(alone, commands.Shown{Passkey: []byte(`{}`)}).Decide(nobody())).thenFailed(t, domain.UserID{})
	ticket.Tenant = globex
	h.When(by(commandstest.Authn{}.Ticket(ticket), "key", 0)).ThenRefused(t, domain.ErrTicket)
}

func TestWhereAFactorIsRequiredASessionWithoutOneOnlyEnrolls(t *testing.T) {
	h := tenantOpen(passwordOf(chief, good), policy(domain.FactorRequired, "true"))
	bounded := startedBy(domain.TicketID{}, domain.ByPassword)
	bounded.Scopes = []domain.Pattern{domain.Enrolling}
	h.When(bySignIn(good).Decide(nobody())).Then(t, bounded)
	with := h.and(totpOf(chief, true)...)
	asked := with.When(bySignIn(good).Decide(nobody())).thenAsked(t, domain.TOTP)
	code := commands.Shown{Code: commandstest.Code("seed phone", now)}
	events := with.When(answering(asked.Ticket, code).Decide(nobody())).Events(t)
	if started := events[1].(domain.SessionStarted); started.Scopes != nil {
		t.Errorf("the session is bounded: %v", started.Scopes)
	}
}

func TestSteppingUpTakesOneProof(t *testing.T) {
	h := withMe(passwordOf(chief, good), passkeyOf(chief, "key")).and(totpOf(chief, true)...)
	step := func(c commands.StepUp) dcb.Decision {
		c.Session, c.User = session("here"), chief
		return c.Decide(nobody())
	}
	raised := func(t domain.TicketID, methods ...string) domain.SessionElevated {
		return domain.SessionElevated{Session: session("here"), User: chief, Methods: methods, Ticket: t}
	}
	h.When(step(commands.StepUp{Password: good})).Then(t, raised(domain.TicketID{}, domain.ByPassword))
	h.When(step(commands.StepUp{Password: "wrong"})).thenFailed(t, chief)
	withMe().When(step(commands.StepUp{Password: good})).thenFailed(t, chief)

	used := domain.CredentialUsed{Credential: credential("phone"), User: chief, Use: credential("phone").Use(now.Unix() / 30)}
	code := commands.StepUp{Shown: commands.Shown{Code: commandstest.Code("seed phone", now)}}
	h.When(step(code)).Then(t, used, raised(domain.TicketID{}, domain.ByOneTimeCode, domain.ByMany))
	h.and(used).When(step(code)).thenFailed(t, chief)

	// Who has no second factor has none in codes that they issued to themselves either.
	codes := domain.RecoveryCodesIssued{Credential: credential("codes"), User: chief, Codes: dcb.Hide("#a #b"), Count: 2}
	left, recovery := 1, commands.StepUp{Shown: commands.Shown{RecoveryCode: "b"}}
	spent := domain.CredentialUsed{Credential: credential("codes"), User: chief, Use: credential("codes").Use(1), Left: &left}
	h.and(codes).When(step(recovery)).Then(t, spent, raised(domain.TicketID{}, domain.ByRecovery, domain.ByMany))
	withMe(passwordOf(chief, good), codes).When(step(recovery)).Then(t, spent, raised(domain.TicketID{}, domain.ByRecovery))

	ticket, text := challengeFor(commands.ForStepUp, chief)
	key := commands.StepUp{Ticket: text, Shown: commands.Shown{Passkey: commandstest.Answer("key", 1)}}
	counted := domain.CredentialUsed{Credential: credential("key"), User: chief, Counter: 1}
	h.When(step(key)).Then(t, counted, raised(ticket.ID, domain.ByPasskey, domain.ByMany))
	h.and(raised(ticket.ID)).When(step(key)).ThenRefused(t, domain.ErrTicket)
	_, key.Ticket = challengeFor(commands.ForStepUp, user("ann"))
	h.When(step(key)).ThenRefused(t, domain.ErrTicket)
	_, key.Ticket = challengeFor(commands.ForPasskey, chief)
	h.When(step(key)).ThenRefused(t, domain.ErrTicket)

	h.and(ended("here", chief, "")).When(step(commands.StepUp{Password: good})).ThenRefused(t, domain.ErrSessionUnknown)
	given(me(), passwordOf(chief, good), began("here", user("ann"))).When(step(commands.StepUp{Password: good})).ThenRefused(t, domain.ErrSessionUnknown)
}

func TestWhereThereAreNoPasskeysAnotherFactorGetsIn(t *testing.T) {
	off := nobody()
	off.Authn = commandstest.Authn{PasskeysOff: true}
	h := tenantOpen(passwordOf(chief, good), passkeyOf(chief, "key")).and(totpOf(chief, true)...)
	asked := h.When(bySignIn(good).Decide(off)).thenAsked(t, domain.TOTP, domain.Passkey)
	if asked.Passkey != nil {
		t.Errorf("the browser is asked for one: %s", asked.Passkey)
	}
	h.When(answering(asked.Ticket, commands.Shown{Code: commandstest.Code("seed phone", now)}).Decide(off)).Events(t)
	h.When(answering(asked.Ticket, commands.Shown{Passkey: commandstest.Answer("key", 1)}).Decide(off)).thenFailed(t, chief)

	w := newWorld(t)
	w.Authn = off.Authn
	_, _, err := w.Challenge(t.Context(), commands.Challenge{Purpose: commands.ForPasskey, Tenant: acme})
	if see(domain.ErrPasskeysOff); !errors.Is(err, domain.ErrPasskeysOff) {
		t.Errorf("a challenge: %v", err)
	}
}
