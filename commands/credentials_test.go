package commands_test

import (
	"strings"
	"testing"
	"time"

	"chancery/commands"
	"chancery/commands/commandstest"
	"chancery/domain"
	"chancery/internal/dcb"
)

func credential(name string) domain.CredentialID {
	return domain.CredentialID{UUID: named("credential " + name)}
}
func session(name string) domain.SessionID { return domain.SessionID{UUID: named("session " + name)} }

// me is the acting user, with an address.
func me() domain.UserRegistered {
	return domain.UserRegistered{
		User: chief, DisplayName: dcb.Plain("Charlotte Chief"), Status: domain.UserActive,
		Email: dcb.Plain("chief@acme.test"), EmailKey: domain.Email("chief@acme.test").Claim(),
	}
}

func passwordOf(u domain.UserID, password string) domain.PasswordSet {
	return domain.PasswordSet{Credential: domain.PasswordID(acme, u), User: u, Hash: dcb.Hide(commandstest.Hash(password, false))}
}

func totpOf(u domain.UserID, confirmed bool) []dcb.Event {
	const name = "phone"
	events := []dcb.Event{domain.TOTPEnrolled{Credential: credential(name), User: u, Name: name, Seed: dcb.Hide("seed " + name)}}
	if confirmed {
		events = append(events, domain.TOTPConfirmed{Credential: credential(name), User: u, Use: credential(name).Use(1)})
	}
	return events
}

func passkeyOf(u domain.UserID, name string) domain.PasskeyRegistered {
	return domain.PasskeyRegistered{
		Credential: credential(name), User: u, Name: name, Key: dcb.Hide(commandstest.Key(name)), KeyID: domain.PasskeyClaim(name),
	}
}

// began is a session of a user that lives on for an hour.
func began(name string, u domain.UserID, methods ...string) domain.SessionStarted {
	return domain.SessionStarted{Session: session(name), User: u, Methods: methods, Idle: 3600, ExpiresAt: now.Add(time.Hour)}
}

func ended(name string, u domain.UserID, reason string) domain.SessionEnded {
	return domain.SessionEnded{Session: session(name), User: u, Reason: reason}
}

// signedIn is the caller in the session here, without any privilege.
func signedIn() commands.Env {
	e := unprivileged(having())
	e.Session = session("here")
	return e
}

const good = "correct horse battery"

// withMe is the caller signed in by password, with two other sessions, one of them over.
func withMe(events ...dcb.Event) history {
	over := began("over", chief, domain.ByPassword)
	over.ExpiresAt = now
	return given(me(), began("here", chief, domain.ByPassword), began("there", chief, domain.ByPassword), over).and(events...)
}

func setPassword(current, next string) dcb.Decision {
	return commands.SetPassword{Current: current, Password: next}.Decide(signedIn())
}

func TestAPasswordIsSetAndEndsEveryOtherSession(t *testing.T) {
	withMe().When(setPassword("", good)).Then(t, passwordOf(chief, good), ended("there", chief, domain.CredentialsChanged))
	withMe(passwordOf(chief, "old one")).When(setPassword("", good)).Then(t, passwordOf(chief, good), ended("there", chief, domain.CredentialsChanged))
	withMe(ended("there", chief, "")).When(setPassword("", good)).Then(t, passwordOf(chief, good))
	e := signedIn()
	e.Powerful = func(u domain.UserID) bool { return u == chief }
	strong := passwordOf(chief, good)
	strong.Hash = dcb.Hide(commandstest.Hash(good, true))
	given(me()).When(commands.SetPassword{Password: good}.Decide(e)).Then(t, strong)
	given(registered("ann")).When(setPassword("", good)).ThenRefused(t, domain.ErrUserUnknown)
	given().elsewhere(globex, me()).When(setPassword("", good)).ThenRefused(t, domain.ErrUserUnknown)
}

func TestATokenDoesForTheFirstPasswordOnly(t *testing.T) {
	first := func(e commands.Env) dcb.Decision { return commands.SetPassword{Password: good}.Decide(e) }
	given(me()).When(first(unprivileged(having()))).Then(t, passwordOf(chief, good))
	given(me()).When(first(by(rights{ceiling: []domain.Pattern{"core.*"}}))).ThenRefused(t, domain.ErrSessionNeeded)
	given(me(), passwordOf(chief, "old one")).When(first(env())).ThenRefused(t, domain.ErrSessionNeeded)
	vouched := domain.IdentityLinked{Identity: identity("chief"), User: chief, Issuer: "https://id.test"}
	given(me(), vouched).When(first(env())).ThenRefused(t, domain.ErrSessionNeeded)
	withMe(vouched).When(setPassword("", good)).Events(t)
}

func TestThePasswordIsAskedForUnlessItWasTheLastProof(t *testing.T) {
	byCode := domain.SessionElevated{Session: session("here"), User: chief, Methods: []string{domain.ByOneTimeCode, domain.ByMany}}
	byPasskey := domain.SessionElevated{Session: session("here"), User: chief, Methods: []string{domain.ByPasskey, domain.ByMany}}
	h := withMe(passwordOf(chief, "old one"))
	h.and(byCode).When(setPassword("", good)).ThenInvalid(t, "/current_password")
	h.and(byCode).When(setPassword("old one", good)).Events(t)
	h.and(byCode).When(setPassword("another", good)).ThenRefused(t, domain.ErrPasswordWrong)
	h.When(setPassword("another", good)).ThenRefused(t, domain.ErrPasswordWrong)
	h.and(byPasskey).When(setPassword("", good)).Events(t)
	withMe(byCode).When(setPassword("", good)).Events(t)
	withMe(byCode).When(setPassword("x", good)).ThenRefused(t, domain.ErrPasswordWrong)
	if (commands.SetPassword{Password: good}).Proves() || !(commands.SetPassword{Current: "x"}).Proves() {
		t.Error("what can be guessed is not throttled, or the other way round")
	}
}

func TestAPasswordIsJudgedByItsLengthAndByWhatIsKnownOfIt(t *testing.T) {
	required := policy(domain.FactorRequired, "true")
	long := strings.Repeat("é", 256)
	for _, c := range []struct {
		password string
		with     []dcb.Event
		refused  *domain.Refusal
	}{
		{strings.Repeat("é", 14), nil, domain.ErrPasswordShort},
		{strings.Repeat("é", 15), nil, nil},
		{strings.Repeat("é", 8), []dcb.Event{policy(domain.PasswordLength, "8")}, domain.ErrPasswordShort},
		{strings.Repeat("é", 8), []dcb.Event{policy(domain.PasswordLength, "8"), required}, nil},
		{strings.Repeat("é", 7), []dcb.Event{policy(domain.PasswordLength, "8"), required}, domain.ErrPasswordShort},
		{strings.Repeat("é", 19), []dcb.Event{policy(domain.PasswordLength, "20")}, domain.ErrPasswordShort},
		{strings.Repeat("é", 20), []dcb.Event{policy(domain.PasswordLength, "20")}, nil},
		{"               ", nil, nil},
		{long, nil, nil},
		{long + "é", nil, domain.ErrInvalid},
		{"known from a breach", nil, domain.ErrPasswordKnown},
		{"I am chief@acme.test", nil, domain.ErrPasswordKnown},
		{"Charlotte Chief 2026", nil, domain.ErrPasswordKnown},
	} {
		did := withMe(c.with...).When(setPassword("", c.password))
		if c.refused == nil {
			did.Events(t)
		} else {
			did.ThenRefused(t, c.refused)
		}
	}
}

func TestAOneTimePasswordCountsOnceACodeWasShown(t *testing.T) {
	enroll := commands.EnrollTOTP{ID: credential("phone"), Name: "phone"}
	seed := "seed secret totp " + credential("phone").String()
	enrolled := domain.TOTPEnrolled{Credential: credential("phone"), User: chief, Name: "phone", Seed: dcb.Hide(seed)}
	withMe().When(enroll.Decide(signedIn())).Then(t, enrolled)
	if name, value := enroll.Reveal(signedIn()); name != "otpauth_uri" || !strings.Contains(value, seed) {
		t.Errorf("the answer shows %s=%s", name, value)
	}
	withMe(enrolled).When(enroll.Decide(signedIn())).ThenRefused(t, domain.ErrIDTaken)
	withMe().elsewhere(globex, enrolled).When(enroll.Decide(signedIn())).ThenRefused(t, domain.ErrIDTaken)
	withMe().When(commands.EnrollTOTP{ID: credential("phone"), Name: " "}.Decide(signedIn())).ThenInvalid(t, "/name")
	given().When(enroll.Decide(signedIn())).ThenRefused(t, domain.ErrUserUnknown)

	confirm := func(name, code string) dcb.Decision {
		return commands.ConfirmTOTP{ID: credential(name), Code: code}.Decide(signedIn())
	}
	code := commandstest.Code(seed, now)
	withMe(enrolled).When(confirm("phone", code)).Then(t,
		domain.TOTPConfirmed{Credential: credential("phone"), User: chief, Use: credential("phone").Use(now.Unix() / 30)},
		domain.SessionElevated{Session: session("here"), User: chief, Methods: []string{domain.ByOneTimeCode, domain.ByMany}},
		ended("there", chief, domain.CredentialsChanged))
	withMe(enrolled).When(confirm("phone", "x")).ThenRefused(t, domain.ErrCodeWrong)
	withMe(enrolled).When(confirm("other", code)).ThenRefused(t, domain.ErrCredentialUnknown)
	withMe(passkeyOf(chief, "key")).When(confirm("key", code)).ThenRefused(t, domain.ErrCredentialUnknown)
	withMe(totpOf(user("ann"), false)...).When(confirm("phone", code)).ThenRefused(t, domain.ErrCredentialUnknown)
	withMe(totpOf(chief, true)...).When(confirm("phone", code)).ThenRefused(t, domain.ErrTOTPConfirmed)
	given().When(confirm("phone", code)).ThenRefused(t, domain.ErrUserUnknown)
}

func TestRecoveryCodesAreShownOnceAndReplaceOthers(t *testing.T) {
	issue := commands.IssueRecoveryCodes{ID: credential("codes")}
	got := withMe().When(issue.Decide(signedIn())).Events(t)
	issued, ok := got[0].(domain.RecoveryCodesIssued)
	name, shown := issue.Reveal(signedIn())
	codes := strings.Fields(shown)
	if !ok || issued.Count != 10 || len(codes) != 10 || name != "recovery_codes" || len(got) != 2 {
		t.Fatalf("issued %v, shown %s=%s", got, name, shown)
	}
	if kept := issued.Codes.Reveal(); !strings.HasPrefix(kept, "#"+codes[0]+" #"+codes[1]) {
		t.Errorf("kept %q", kept)
	}
	withMe(issued).When(issue.Decide(signedIn())).ThenRefused(t, domain.ErrIDTaken)
	next := withMe(issued).When(commands.IssueRecoveryCodes{ID: credential("more")}.Decide(signedIn())).Events(t)
	if next[1] != (domain.CredentialRemoved{Credential: credential("codes"), User: chief}) {
		t.Errorf("the first ones go on: %+v", next)
	}
	given().When(issue.Decide(signedIn())).ThenRefused(t, domain.ErrUserUnknown)
}

func challengeFor(purpose string, u domain.UserID) (commands.Ticket, string) {
	t := commands.Ticket{
		ID: domain.TicketID{UUID: named("ticket")}, Purpose: purpose, Tenant: acme, User: u, State: []byte(`{"passkey":"Y2hhbGxlbmdl"}`),
		Until: now.Add(commands.TicketLife),
	}
	return t, commandstest.Authn{}.Ticket(t)
}

func TestAPasskeyAnswersItsChallengeOnce(t *testing.T) {
	ticket, text := challengeFor(commands.ForRegistration, chief)
	register := func(text string, response []byte) dcb.Decision {
		return commands.RegisterPasskey{ID: credential("key"), Name: "laptop", Ticket: text, Response: response}.Decide(signedIn())
	}
	registered := domain.PasskeyRegistered{
		Credential: credential("key"), User: chief, Name: "laptop", Key: dcb.Hide(commandstest.Key("k1")), KeyID: domain.PasskeyClaim("k1"), Ticket: ticket.ID,
	}
	answer := commandstest.Answer("k1", 0)
	withMe().When(register(text, answer)).Then(t, registered,
		domain.SessionElevated{Session: session("here"), User: chief, Methods: []string{domain.ByPasskey, domain.ByMany}},
		ended("there", chief, domain.CredentialsChanged))
	withMe(registered).When(register(text, answer)).ThenRefused(t, domain.ErrTicket)
	withMe().When(register("ticket.x", answer)).ThenRefused(t, domain.ErrTicket)
	for _, other := range []func(*commands.Ticket){
		func(t *commands.Ticket) { t.User = user("ann") },
		func(t *commands.Ticket) { t.Tenant = globex },
		func(t *commands.Ticket) { t.Purpose = commands.ForStepUp },
		func(t *commands.Ticket) { t.Until = now },
	} {
		wrong := ticket
		other(&wrong)
		withMe().When(register(commandstest.Authn{}.Ticket(wrong), answer)).ThenRefused(t, domain.ErrTicket)
	}
	withMe().When(register(text, []byte(`{"id":"k1","challenge":"other"}`))).ThenInvalid(t, "/response")
	withMe().When(register(text, []byte(`[]`))).ThenInvalid(t, "/response")
	taken := registered
	taken.Credential, taken.User, taken.Ticket = credential("other"), user("ann"), domain.TicketID{}
	withMe(taken).When(register(text, answer)).ThenRefused(t, domain.ErrPasskeyTaken)
	taken.Credential, taken.KeyID = credential("key"), domain.PasskeyClaim("k2")
	withMe().elsewhere(globex, taken).When(register(text, answer)).ThenRefused(t, domain.ErrIDTaken)
	given().When(register(text, answer)).ThenRefused(t, domain.ErrUserUnknown)
}

func TestACredentialIsRemovedByItsUserOrByOneWhoCoversThem(t *testing.T) {
	remove := func(e commands.Env, name string) dcb.Decision {
		return commands.RemoveCredential{ID: credential(name)}.Decide(e)
	}
	removed := func(name string, u domain.UserID) domain.CredentialRemoved {
		return domain.CredentialRemoved{Credential: credential(name), User: u}
	}
	h := withMe(passkeyOf(chief, "key"))
	h.When(remove(signedIn(), "key")).Then(t, removed("key", chief), ended("there", chief, domain.CredentialsChanged))
	h.and(removed("key", chief)).When(remove(signedIn(), "key")).ThenNothing(t)
	h.When(remove(signedIn(), "none")).ThenRefused(t, domain.ErrCredentialUnknown)
	h.When(remove(env(), "none")).ThenRefused(t, domain.ErrCredentialUnknown)

	// A token that could take the password away could set the "first" one, and sign in.
	h.When(remove(unprivileged(env()), "key")).ThenRefused(t, domain.ErrSessionNeeded)
	h.When(remove(env(), "key")).ThenRefused(t, domain.ErrSessionNeeded)

	theirs := given(registered("ann"), passkeyOf(user("ann"), "key"), began("ann's", user("ann"), domain.ByPasskey), policy(domain.FactorRequired, "true"))
	theirs.When(remove(signedIn(), "key")).ThenRefused(t, domain.ErrCredentialUnknown)
	theirs.When(remove(having("core.credentials.remove"), "key")).ThenRefused(t, domain.ErrMayNotGive)
	theirs.When(remove(by(rights{covers: []domain.UserID{user("ann")}}), "key")).Then(t,
		removed("key", user("ann")), ended("ann's", user("ann"), domain.CredentialsChanged))
	given().elsewhere(globex, passkeyOf(user("ann"), "key")).When(remove(env(), "key")).ThenRefused(t, domain.ErrCredentialUnknown)
}

func TestNobodyRemovesTheirLastFactorWhereOneIsRequired(t *testing.T) {
	remove := func(name string) dcb.Decision {
		return commands.RemoveCredential{ID: credential(name)}.Decide(signedIn())
	}
	required := policy(domain.FactorRequired, "true")
	h := withMe(passkeyOf(chief, "key"), domain.RecoveryCodesIssued{Credential: credential("codes"), User: chief, Codes: dcb.Hide("#a"), Count: 1})
	h.and(required).When(remove("key")).ThenRefused(t, domain.ErrLastFactor)
	h.When(remove("key")).Events(t)
	h.and(required).When(remove("codes")).Events(t)
	h.and(required).and(totpOf(chief, false)...).When(remove("key")).ThenRefused(t, domain.ErrLastFactor)
	h.and(required).and(totpOf(chief, true)...).When(remove("key")).Events(t)
	unconfirmed := withMe(totpOf(chief, false)...).and(required)
	unconfirmed.When(remove("phone")).Events(t)
}
