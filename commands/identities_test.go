package commands_test

import (
	"strings"
	"testing"

	"chancery/commands"
	"chancery/domain"
	"chancery/internal/dcb"
)

func linked(name, who, issuer, subject string) domain.IdentityLinked {
	return domain.IdentityLinked{
		Identity: identity(name), User: user(who), Issuer: issuer, Subject: dcb.Plain(subject), Key: domain.IdentityClaim(issuer, subject),
	}
}

func unlinked(e domain.IdentityLinked) domain.IdentityUnlinked {
	return domain.IdentityUnlinked{Identity: e.Identity, User: e.User, Released: e.Key}
}

func link(name, who, issuer, subject string, e commands.Env) dcb.Decision {
	return commands.LinkIdentity{ID: identity(name), User: user(who), Issuer: issuer, Subject: subject}.Decide(e)
}

func TestAnOutsideSubjectBelongsToOneUserUntilItIsUnlinked(t *testing.T) {
	h := given(registered("ann"), registered("bob"))
	a := linked("a", "ann", "github", "42")
	h.When(link("a", "ann", "github", "42", env())).Then(t, a)
	h.and(a).When(link("b", "bob", "github", "42", env())).ThenRefused(t, domain.ErrIdentityTaken)
	h.and(a).When(link("b", "ann", "github", "42", env())).ThenRefused(t, domain.ErrIdentityTaken)
	h.and(a).When(link("b", "bob", "gitlab", "42", env())).Events(t)
	h.and(a).When(link("b", "ann", "github", "43", env())).Events(t)
	h.and(a, unlinked(a)).When(link("b", "bob", "github", "42", env())).Then(t, linked("b", "bob", "github", "42"))
	h.elsewhere(globex, a).When(link("b", "bob", "github", "42", env())).Events(t)
	h.and(a, unlinked(a)).When(link("a", "ann", "github", "42", env())).ThenRefused(t, domain.ErrIDTaken)
	h.elsewhere(globex, a).When(link("a", "ann", "github", "42", env())).ThenRefused(t, domain.ErrIDTaken)
	given().elsewhere(globex, registered("ann")).When(link("a", "ann", "github", "42", env())).ThenRefused(t, domain.ErrUserUnknown)
}

func TestIssuersAndSubjectsDoNotRunIntoEachOther(t *testing.T) {
	h := given(registered("ann"), linked("a", "ann", "a", "b c"))
	h.When(link("b", "ann", "a b", "c", env())).ThenInvalid(t, "/issuer")
	if domain.IdentityClaim("a", "b c").Tag() == domain.IdentityClaim("a b", "c").Tag() {
		t.Error("two identities have one claim")
	}
}

func TestAnIssuerIsAnAddressOrAWord(t *testing.T) {
	h := given(registered("ann"))
	for _, ok := range []string{"github", "accounts.google.com", "urn-x", "https://id.acme.test", "https://id.acme.test:8443/realms/acme/"} {
		h.When(link("a", "ann", ok, "42", env())).Events(t)
	}
	for _, bad := range []string{"", " github", "http://id.acme.test", "https://", "https:///x", "https://id.acme.test?x=1", "https://id.acme.test?",
		"https://id.acme.test#x", "https://ann:pw@id.acme.test", "ftp://x", "//id.acme.test", "two words", "javascript:alert(1)", "a/b", "x?y"} {
		h.When(link("a", "ann", bad, "42", env())).ThenInvalid(t, "/issuer")
	}
	h.When(link("a", "ann", "github", "", env())).ThenInvalid(t, "/subject")
	h.When(link("a", "ann", "github", strings.Repeat("s", domain.MaxSubject+1), env())).ThenInvalid(t, "/subject")
	longest := strings.Repeat("s", domain.MaxSubject)
	h.When(link("a", "ann", "github", longest, env())).Then(t, linked("a", "ann", "github", longest))
}

func TestLinkingAnIdentityIsAWayIn(t *testing.T) {
	h := given(registered("ann"))
	h.When(link("a", "ann", "github", "42", having())).ThenRefused(t, domain.ErrMayNotGive)
	h.When(link("a", "ann", "github", "42", by(rights{covers: []domain.UserID{user("bob")}}))).ThenRefused(t, domain.ErrMayNotGive)
	h.When(link("a", "ann", "github", "42", by(rights{covers: []domain.UserID{user("ann")}}))).Events(t)
}

func TestAnIdentityIsUnlinkedOnce(t *testing.T) {
	a := linked("a", "ann", "github", "42")
	remove := func() dcb.Decision { return commands.UnlinkIdentity{ID: identity("a")}.Decide(having()) }
	given(a).When(remove()).Then(t, unlinked(a))
	given(a, unlinked(a)).When(remove()).ThenNothing(t)
	started := entered(user("ann"))
	given(a, started).When(remove()).
		Then(t, unlinked(a), domain.SessionEnded{Session: started.Session, User: user("ann"), Reason: domain.CredentialsChanged})
	given().When(remove()).ThenRefused(t, domain.ErrIdentityUnknown)
	given().elsewhere(globex, a).When(remove()).ThenRefused(t, domain.ErrIdentityUnknown)
}
