package commands_test

import (
	"strings"
	"testing"
	"time"

	"chancery/commands"
	"chancery/domain"
	"chancery/internal/dcb"
)

// withEmail is the registration of a user with the address ann@acme.test.
func withEmail(name string) domain.UserRegistered {
	const email domain.Email = "ann@acme.test"
	e := registered(name)
	e.Email, e.EmailKey = dcb.Plain(string(email)), email.Claim()
	return e
}

// emailChanged gives ann another address.
func emailChanged(to, from domain.Email) domain.UserEmailChanged {
	return domain.UserEmailChanged{User: user("ann"), Email: dcb.Plain(string(to)), EmailKey: to.Claim(), Released: from.Claim()}
}

func register(name, email string) commands.RegisterUser {
	return commands.RegisterUser{ID: user(name), DisplayName: name, Email: email}
}

func TestAUserIsRegistered(t *testing.T) {
	given().When(register("ann", "").Decide(env())).Then(t, registered("ann"))
	given().When(register("ann", "Ann@ACME.test").Decide(env())).Then(t, withEmail("ann"))
	c := register("ann", "")
	c.Status = domain.UserInvited
	invited := registered("ann")
	invited.Status = domain.UserInvited
	given().When(c.Decide(env())).Then(t, invited)
	for _, status := range []domain.UserStatus{domain.UserInactive, "admin"} {
		c.Status = status
		given().When(c.Decide(env())).ThenInvalid(t, "/status")
	}
}

func TestDisplayNamesHaveALength(t *testing.T) {
	for name, ok := range names() {
		made := given().When(commands.RegisterUser{ID: user("x"), DisplayName: name}.Decide(env()))
		changed := given(registered("ann")).When(commands.UpdateUser{ID: user("ann"), DisplayName: name}.Decide(env()))
		if ok {
			made.Events(t)
			changed.Events(t)
		} else {
			made.ThenInvalid(t, "/display_name")
			changed.ThenInvalid(t, "/display_name")
		}
	}
}

func TestAUserIDIsNeverUsedTwice(t *testing.T) {
	h := given(withEmail("ann"), domain.UserDeactivated{User: user("ann")})
	h.When(register("ann", "").Decide(env())).ThenRefused(t, domain.ErrIDTaken)
	h.When(register("ann", "ann@acme.test").Decide(env())).ThenRefused(t, domain.ErrIDTaken)
	given().elsewhere(globex, registered("ann")).When(register("ann", "").Decide(env())).ThenRefused(t, domain.ErrIDTaken)
}

func TestAnEmailAddressIsOneUsersUntilItIsReleased(t *testing.T) {
	h := given(withEmail("ann"))
	again := func() dcb.Decision { return register("bob", "ANN@acme.TEST").Decide(env()) }
	h.When(again()).ThenRefused(t, domain.ErrEmailTaken)
	h.and(registered("bob")).When(commands.ChangeUserEmail{ID: user("bob"), Email: "ann@acme.test"}.Decide(env())).ThenRefused(t, domain.ErrEmailTaken)
	h.and(domain.UserDeactivated{User: user("ann")}).When(again()).ThenRefused(t, domain.ErrEmailTaken)
	moved := h.and(emailChanged("ann@new.test", "ann@acme.test"))
	moved.When(again()).Then(t, withEmail("bob"))
	moved.When(register("bob", "ann@new.test").Decide(env())).ThenRefused(t, domain.ErrEmailTaken)
	back := moved.and(emailChanged("ann@acme.test", "ann@new.test"))
	back.When(again()).ThenRefused(t, domain.ErrEmailTaken)
	given().elsewhere(globex, withEmail("ann")).When(again()).Events(t)
}

func TestAnEmailAddressIsRefusedWhereItIsNone(t *testing.T) {
	for _, bad := range []string{"ann", "ann@", "@acme.test", "ann@acme test", "Ann <ann@acme.test>", "ann@acme..test", "a b@acme.test", "ann@127.0.0.1",
		strings.Repeat("a", 65) + "@acme.test", "ann\u200b@acme.test", "ann@" + strings.Repeat("a", 64) + ".test", "a@b@c.test"} {
		given().When(register("ann", bad).Decide(env())).ThenInvalid(t, "/email")
		given(registered("ann")).When(commands.ChangeUserEmail{ID: user("ann"), Email: bad}.Decide(env())).ThenInvalid(t, "/email")
	}
	given(registered("ann")).When(commands.ChangeUserEmail{ID: user("ann")}.Decide(env())).ThenInvalid(t, "/email")
}

func TestATenantMayDemandEmailAddressesOfItsOwnDomains(t *testing.T) {
	h := given(policy(domain.EmailVerified, "true"), domainAdded(acme, "acme.test"), registered("bob"))
	ann := func() dcb.Decision { return register("ann", "ann@acme.test").Decide(env()) }
	bob := func() dcb.Decision {
		return commands.ChangeUserEmail{ID: user("bob"), Email: "bob@acme.test"}.Decide(env())
	}
	h.When(ann()).ThenRefused(t, domain.ErrEmailDomain)
	h.When(bob()).ThenRefused(t, domain.ErrEmailDomain)
	verified := h.and(domainVerified(acme, "acme.test"))
	verified.When(ann()).Events(t)
	verified.When(bob()).Events(t)
	verified.When(register("cat", "cat@sub.acme.test").Decide(env())).ThenRefused(t, domain.ErrEmailDomain)
	verified.When(register("cat", "").Decide(env())).Events(t)
	verified.and(domain.DomainRemoved{Domain: mine("acme.test"), Tenant: acme, Name: "acme.test"}).When(ann()).ThenRefused(t, domain.ErrEmailDomain)
	h.elsewhere(globex, domainAdded(globex, "acme.test"), domainVerified(globex, "acme.test")).When(ann()).ThenRefused(t, domain.ErrEmailDomain)
	given().elsewhere(globex, policy(domain.EmailVerified, "true")).When(ann()).Events(t)
}

func TestATenantMayDemandAnEmailAddressOfEveryUser(t *testing.T) {
	h := given(policy(domain.EmailRequired, "true"))
	h.When(register("ann", "").Decide(env())).ThenRefused(t, domain.ErrEmailRequired)
	h.When(register("ann", "ann@acme.test").Decide(env())).Events(t)
	h.and(domain.PolicyReset{Policy: domain.EmailRequired.ID(acme), Key: domain.EmailRequired.Key, Version: 2}).When(register("ann", "").Decide(env())).Events(t)
}

func TestAUserGetsAnotherDisplayName(t *testing.T) {
	update := func(name string) dcb.Decision {
		return commands.UpdateUser{ID: user("ann"), DisplayName: name}.Decide(env())
	}
	h := given(registered("ann"))
	h.When(update("Ann")).Then(t, domain.UserUpdated{User: user("ann"), DisplayName: dcb.Plain("Ann")})
	h.When(update("ann")).ThenNothing(t)
	h.and(domain.UserUpdated{User: user("ann"), DisplayName: dcb.Plain("Ann")}).When(update("Ann")).ThenNothing(t)
	given().elsewhere(globex, registered("ann")).When(update("Ann")).ThenRefused(t, domain.ErrUserUnknown)
}

func TestAUserGetsAnotherEmailAddress(t *testing.T) {
	change := func(email string, e commands.Env) dcb.Decision {
		return commands.ChangeUserEmail{ID: user("ann"), Email: email}.Decide(e)
	}
	h := given(withEmail("ann"))
	h.When(change("ann@new.test", env())).Then(t, emailChanged("ann@new.test", "ann@acme.test"))
	h.When(change("ANN@acme.test", env())).ThenNothing(t)
	given(registered("ann")).When(change("ann@new.test", env())).Then(t, emailChanged("ann@new.test", ""))
	given().elsewhere(globex, registered("ann")).When(change("ann@new.test", env())).ThenRefused(t, domain.ErrUserUnknown)
	h.When(change("ann@new.test", having())).ThenRefused(t, domain.ErrMayNotGive)
	h.When(change("ann@new.test", by(rights{covers: []domain.UserID{user("ann")}}))).Events(t)
}

// contact is how ann can be reached.
func contact(phone, address string) domain.UserContactChanged {
	return domain.UserContactChanged{User: user("ann"), Phone: dcb.Plain(phone), Address: dcb.Plain(address)}
}

func TestAUserGetsAPhoneNumberAndAPostalAddress(t *testing.T) {
	const home = "Musterweg 1\n12345 Berlin"
	change := func(phone, address *string) dcb.Decision {
		return commands.ChangeUserContact{ID: user("ann"), Phone: phone, Address: address}.Decide(env())
	}
	none, number, address := "", "+49 30 123456", home
	h := given(registered("ann"))
	h.When(change(&number, nil)).Then(t, contact("+4930123456", ""))
	h.When(change(nil, &address)).Then(t, contact("", home))
	h.When(change(nil, nil)).ThenNothing(t)
	h.When(change(&none, &none)).ThenNothing(t)
	both := h.and(contact("+4930123456", home))
	both.When(change(&number, &address)).ThenNothing(t)
	both.When(change(&none, nil)).Then(t, contact("", home))
	both.When(change(nil, &none)).Then(t, contact("+4930123456", ""))
	both.When(change(&none, &none)).Then(t, contact("", ""))
	both.and(contact("", "")).When(change(&number, nil)).Then(t, contact("+4930123456", ""))
	given().elsewhere(globex, registered("ann")).When(change(&number, nil)).ThenRefused(t, domain.ErrUserUnknown)
	long, bad := strings.Repeat("x", domain.MaxAddress+1), "030 123456"
	h.When(change(&bad, nil)).ThenInvalid(t, "/phone")
	h.When(change(nil, &long)).ThenInvalid(t, "/address")
}

func TestUsersWithoutThePrivilegeSayHowTheyThemselvesCanBeReached(t *testing.T) {
	number := "+4930123456"
	change := func(u domain.UserID, e commands.Env) dcb.Decision {
		return commands.ChangeUserContact{ID: u, Phone: &number}.Decide(e)
	}
	h := given(registered("ann"), domain.UserRegistered{User: chief, DisplayName: dcb.Plain("chief"), Status: domain.UserActive})
	h.When(change(chief, unprivileged(having()))).Then(t, domain.UserContactChanged{User: chief, Phone: dcb.Plain(number)})
	h.When(change(user("ann"), unprivileged(having()))).ThenRefused(t, domain.ErrNotAllowed)
	h.When(change(user("nobody"), unprivileged(having()))).ThenRefused(t, domain.ErrNotAllowed)
	h.When(change(user("ann"), having())).Events(t)
}

func moveUser(name, to string, e commands.Env) dcb.Decision {
	c := commands.MoveUser{ID: user(name)}
	if to != "" {
		c.Department = department(to)
	}
	return c.Decide(e)
}

func TestAUserMovesBetweenDepartments(t *testing.T) {
	h := given(departmentMade("sales", ""), registered("ann"))
	there := domain.UserMoved{User: user("ann"), Department: department("sales")}
	h.When(moveUser("ann", "sales", env())).Then(t, there)
	h.When(moveUser("ann", "", env())).ThenNothing(t)
	h.and(there).When(moveUser("ann", "sales", env())).ThenNothing(t)
	h.and(there).When(moveUser("ann", "", env())).Then(t, domain.UserMoved{User: user("ann"), From: department("sales")})
	h.When(moveUser("bob", "sales", env())).ThenRefused(t, domain.ErrUserUnknown)
	h.When(moveUser("ann", "none", env())).ThenRefused(t, domain.ErrDepartmentUnknown)
	h.elsewhere(globex, departmentMade("theirs", "")).When(moveUser("ann", "theirs", env())).ThenRefused(t, domain.ErrDepartmentUnknown)
	c := register("bob", "")
	c.Department = department("sales")
	bob := registered("bob")
	bob.Department = department("sales")
	h.When(c.Decide(env())).Then(t, bob)
	h.and(departmentGone("sales", "")).When(c.Decide(env())).ThenRefused(t, domain.ErrDepartmentUnknown)
}

func TestStandingInADepartmentGivesNoMoreThanTheMoverHas(t *testing.T) {
	h := given(departmentMade("board", ""), departmentMade("inner", "board"), registered("ann"), roleMade("reader"), holds("reader", "file.read"),
		roleMade("writer"), inherits("writer", "reader"),
		domain.RoleAssigned{Assignment: assignment("a"), Role: role("writer"), Department: department("board"), Window: always()})
	c := register("bob", "")
	c.Department = department("inner")
	h.When(moveUser("ann", "inner", having("file.write"))).ThenRefused(t, domain.ErrMayNotGive)
	h.When(c.Decide(having("file.write"))).ThenRefused(t, domain.ErrMayNotGive)
	h.When(moveUser("ann", "inner", having("file.read"))).Events(t)
	h.When(c.Decide(having("file.read"))).Events(t)
	allow := domain.OverrideAdded{Override: override("o"), Effect: domain.Allow, Privilege: "file.*", Department: department("board"), ExpiresAt: now.Add(time.Hour), Reason: "r"}
	h.and(allow).When(moveUser("ann", "inner", having("file.read"))).ThenRefused(t, domain.ErrMayNotGive)
}

func TestAUserIsDeactivatedAndReactivated(t *testing.T) {
	h := given(registered("ann"))
	stop := func() dcb.Decision { return commands.DeactivateUser{ID: user("ann"), Reason: "left"}.Decide(env()) }
	resume := func(e commands.Env) dcb.Decision { return commands.ReactivateUser{ID: user("ann")}.Decide(e) }
	h.When(stop()).Then(t, domain.UserDeactivated{User: user("ann"), Reason: "left"})
	h.When(resume(env())).ThenNothing(t)
	off := h.and(domain.UserDeactivated{User: user("ann")})
	off.When(stop()).ThenNothing(t)
	off.When(resume(env())).Then(t, domain.UserReactivated{User: user("ann")})
	off.When(resume(having())).ThenRefused(t, domain.ErrMayNotGive)
	off.When(resume(by(rights{covers: []domain.UserID{user("ann")}}))).Events(t)
	invited := registered("ann")
	invited.Status = domain.UserInvited
	given(invited).When(resume(env())).Then(t, domain.UserReactivated{User: user("ann")})
	given(invited).When(stop()).Events(t)
	given().When(stop()).ThenRefused(t, domain.ErrUserUnknown)
	given().elsewhere(globex, registered("ann")).When(resume(env())).ThenRefused(t, domain.ErrUserUnknown)
	h.When(commands.DeactivateUser{ID: user("ann"), Reason: "\x01"}.Decide(env())).ThenInvalid(t, "/reason")
}

func TestNobodyDeactivatesThemselves(t *testing.T) {
	me := domain.UserRegistered{User: chief, DisplayName: dcb.Plain("chief"), Status: domain.UserActive}
	given(me).When(commands.DeactivateUser{ID: chief}.Decide(env())).ThenRefused(t, domain.ErrSelf)
}

func TestThePlatformsLastAdministratorIsNotDeactivated(t *testing.T) {
	root := given().elsewhere(domain.Root, registered("ann"), registered("bob"), adminOf("ann"))
	stop := func(name string) dcb.Decision {
		return commands.DeactivateUser{ID: user(name)}.Decide(onPlatform(env()))
	}
	root.WhenIn(domain.Root, stop("ann")).ThenRefused(t, domain.ErrLastAdmin)
	root.WhenIn(domain.Root, stop("bob")).Events(t)
	two := root.elsewhere(domain.Root, adminOf("bob"))
	two.WhenIn(domain.Root, stop("ann")).Events(t)
	two.elsewhere(domain.Root, domain.UserDeactivated{User: user("bob")}).WhenIn(domain.Root, stop("ann")).ThenRefused(t, domain.ErrLastAdmin)
	given(registered("ann"), adminOf("ann")).When(commands.DeactivateUser{ID: user("ann")}.Decide(env())).Events(t)
}

func adminOf(name string) domain.RoleAssigned {
	return domain.RoleAssigned{Assignment: assignment("admin " + name), Role: domain.PlatformAdmin, User: user(name), Window: always()}
}
