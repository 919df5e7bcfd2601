package domain

import (
	"net/mail"
	"strings"
	"unicode"

	"github.com/google/uuid"
	"golang.org/x/text/unicode/norm"

	"chancery/internal/dcb"
)

// UserRegistered adds a user to a tenant. An invited user exists but cannot act until reactivated.
type UserRegistered struct {
	User        UserID       `json:"user"`
	Email       dcb.Personal `json:"email,omitzero"`
	EmailKey    dcb.Claim    `json:"email_key,omitzero"`
	DisplayName dcb.Personal `json:"display_name"`
	Department  DepartmentID `json:"department,omitzero"`
	Status      UserStatus   `json:"status"`

	Judged []ConstraintID `json:"judged,omitzero"` // the constraints that it had to satisfy
}

// UserUpdated gives a user another display name.
type UserUpdated struct {
	User        UserID       `json:"user"`
	DisplayName dcb.Personal `json:"display_name"`
}

// UserEmailChanged gives a user another e-mail address and frees the old one.
type UserEmailChanged struct {
	User     UserID       `json:"user"`
	Email    dcb.Personal `json:"email"`
	EmailKey dcb.Claim    `json:"email_key"`
	Released dcb.Claim    `json:"released,omitzero"`
}

// UserContactChanged says how a user can be reached besides by e-mail: all of it, and what is absent is no more.
type UserContactChanged struct {
	User    UserID       `json:"user"`
	Phone   dcb.Personal `json:"phone,omitzero"`   // in E.164 form
	Address dcb.Personal `json:"address,omitzero"` // postal, in lines
}

// UserMoved puts a user into a department, or into none.
type UserMoved struct {
	User       UserID       `json:"user"`
	Department DepartmentID `json:"department,omitzero"`
	From       DepartmentID `json:"from,omitzero"`

	Judged []ConstraintID `json:"judged,omitzero"` // the constraints that it had to satisfy
}

// UserDeactivated ends every access of a user; the e-mail address stays theirs.
type UserDeactivated struct {
	User   UserID `json:"user"`
	Reason string `json:"reason,omitzero"`
}

// UserReactivated lets a user act again, or an invited one for the first time.
type UserReactivated struct {
	User UserID `json:"user"`

	Judged []ConstraintID `json:"judged,omitzero"` // the constraints that it had to satisfy
}

// UserExported says that everything about a user left as an archive; to whom, the metadata tell.
type UserExported struct {
	User UserID `json:"user"`
}

func (UserRegistered) EventType() string   { return "user.registered" }
func (UserUpdated) EventType() string      { return "user.updated" }
func (UserEmailChanged) EventType() string { return "user.email-changed" }
func (UserMoved) EventType() string        { return "user.moved" }
func (UserDeactivated) EventType() string  { return "user.deactivated" }
func (UserReactivated) EventType() string  { return "user.reactivated" }

func (UserContactChanged) EventType() string { return "user.contact-changed" }
func (UserExported) EventType() string       { return "user.exported" }

func (e UserRegistered) DataSubject() uuid.UUID { return e.User.UUID }

// BeginsSubject says that the user's data key is made here.
func (UserRegistered) BeginsSubject() {}

func (e UserUpdated) DataSubject() uuid.UUID      { return e.User.UUID }
func (e UserEmailChanged) DataSubject() uuid.UUID { return e.User.UUID }

func (e UserContactChanged) DataSubject() uuid.UUID { return e.User.UUID }

var userEvents = dcb.Kind("user",
	dcb.Of[UserRegistered](), dcb.Of[UserUpdated](), dcb.Of[UserEmailChanged](),
	dcb.Of[UserMoved](), dcb.Of[UserDeactivated](), dcb.Of[UserReactivated](),
	dcb.Of[UserContactChanged](), dcb.Of[UserExported](), dcb.Of[UserErased]())

var (
	ErrUserUnknown   = &Refusal{Missing, "not-found", "there is no such user here"}
	ErrUserNotActive = refuse("user-not-active", "the user is not active")
	ErrEmailTaken    = refuse("email-taken", "the e-mail address is taken")
	ErrSelf          = refuse("not-oneself", "nobody can do this to themselves")
	ErrEmailDomain   = refuse("email-domain-not-verified", "the tenant allows e-mail addresses of its verified domains only")
	ErrEmailRequired = refuse("email-required", "the tenant requires an e-mail address for every user")
)

// UserStatus is where a user is in their life.
type UserStatus string

const (
	UserUnknown  UserStatus = ""
	UserInvited  UserStatus = "invited"
	UserActive   UserStatus = "active"
	UserInactive UserStatus = "inactive"
	UserGone     UserStatus = "erased" // for ever
)

// User is what decisions need to know of one.
type User struct {
	Status      UserStatus
	Department  DepartmentID
	DisplayName dcb.Personal
	EmailKey    dcb.Claim
}

// Exists reports whether the user was registered here, and not erased since: to commands an erased user is nobody.
func (u User) Exists() bool { return u.Status != UserUnknown && u.Status != UserGone }

// Present reports whether the user may be given things: active or invited.
func (u User) Present() bool { return u.Status == UserActive || u.Status == UserInvited }

// UserOf is one user.
func UserOf(id UserID) *dcb.Fact[User] {
	return dcb.Ask(User{}, tags(id),
		dcb.On(func(u *User, e UserRegistered) {
			*u = User{e.Status, e.Department, e.DisplayName, e.EmailKey}
		}),
		dcb.On(func(u *User, e UserUpdated) { u.DisplayName = e.DisplayName }),
		dcb.On(func(u *User, e UserEmailChanged) { u.EmailKey = e.EmailKey }),
		dcb.On(func(u *User, e UserMoved) { u.Department = e.Department }),
		dcb.On(func(u *User, _ UserDeactivated) { u.Status = UserInactive }),
		dcb.On(func(u *User, _ UserReactivated) { u.Status = UserActive }),
		dcb.On(func(u *User, _ UserErased) { *u = User{Status: UserGone} }),
	)
}

// UserStatusOf is the status of one user: the cheap question.
func UserStatusOf(id UserID) *dcb.Fact[User] {
	return dcb.Ask(User{}, tags(id),
		dcb.On(func(u *User, e UserRegistered) { u.Status, u.Department = e.Status, e.Department }),
		dcb.On(func(u *User, e UserMoved) { u.Department = e.Department }),
		dcb.On(func(u *User, _ UserDeactivated) { u.Status = UserInactive }),
		dcb.On(func(u *User, _ UserReactivated) { u.Status = UserActive }),
		dcb.On(func(u *User, _ UserErased) { *u = User{Status: UserGone} }),
	)
}

// Resident is a user with the tenant that they belong to.
type Resident struct {
	Home   TenantID
	Status UserStatus
}

// ActiveIn reports whether the user is of that tenant and may act.
func (r Resident) ActiveIn(t TenantID) bool { return r.Home == t && r.Status == UserActive }

// ResidentOf is one user, of whichever tenant.
func ResidentOf(id UserID) *dcb.Fact[Resident] {
	return dcb.Ask(Resident{}, tags(id),
		dcb.OnMeta(func(r *Resident, e UserRegistered, m dcb.Meta) { *r = Resident{TenantID{m.Tenant}, e.Status} }),
		dcb.On(func(r *Resident, _ UserDeactivated) { r.Status = UserInactive }),
		dcb.On(func(r *Resident, _ UserReactivated) { r.Status = UserActive }),
		dcb.On(func(r *Resident, _ UserErased) { r.Status = UserGone }),
	).Anywhere()
}

// Contact is how a user can be reached besides by e-mail.
type Contact struct{ Phone, Address dcb.Personal }

// ContactOf is a user's. The decision must be Opening to make use of it.
func ContactOf(id UserID) *dcb.Fact[Contact] {
	return dcb.Ask(Contact{}, tags(id),
		dcb.On(func(c *Contact, e UserContactChanged) { *c = Contact{e.Phone, e.Address} }))
}

// EmailHolder is the user who has the address, nil if it is free.
func EmailHolder(email dcb.Claim) *dcb.Fact[uuid.UUID] {
	f := holderOf(email.Tag())
	return f.Folding(
		dcb.On(func(h *uuid.UUID, e UserRegistered) { *h = e.User.UUID }),
		dcb.On(func(h *uuid.UUID, e UserEmailChanged) {
			if *h = uuid.Nil; f.Stored(e.EmailKey.Tag()) {
				*h = e.User.UUID
			}
		}),
		dcb.On(func(h *uuid.UUID, _ UserErased) { *h = uuid.Nil }), // tagged with the address only where that is released
	)
}

// Email is an e-mail address in its normal form, which is also what makes it unique.
type Email string

// Claim keeps the address unique within a tenant.
func (e Email) Claim() dcb.Claim {
	if e == "" {
		return dcb.Claim{}
	}
	return dcb.Claimed("email", string(e))
}

// Domain is the part behind the @.
func (e Email) Domain() DomainName {
	return DomainName(e[strings.LastIndexByte(string(e), '@')+1:])
}

// ParseEmail is the normal form of an address (RFC 5321, section 4.1.2): lower case, NFC, domain in ASCII; without a
// display name or quotes, at most 254 octets, 64 before the @, none of them invisible.
func ParseEmail(pointer, s string) (Email, error) {
	a, err := mail.ParseAddress(s)
	if err != nil || a.Name != "" || a.Address != s {
		return "", Invalid(pointer, "is not an e-mail address")
	}
	at := strings.LastIndexByte(s, '@')
	host, ok := hostName(s[at+1:])
	local := norm.NFC.String(strings.ToLower(s[:at]))
	if !ok || len(local) > 64 || len(local)+1+len(host) > 254 || strings.ContainsFunc(local, unseemly) {
		return "", Invalid(pointer, "is not an e-mail address")
	}
	return Email(local + "@" + host), nil
}

// unseemly characters cannot be told apart from nothing, or from the ends of an address.
func unseemly(r rune) bool { return r == '"' || r == ' ' || !unicode.IsPrint(r) }

// ParsePhone is the normal form of a telephone number: that of E.164, a + and 7 to 15 digits, of which the first is no 0.
// Whether a country has such numbers is not judged: that would take its numbering plan.
func ParsePhone(pointer, s string) (string, error) {
	if s == "" {
		return "", nil
	}
	number := strings.ReplaceAll(s, " ", "")
	digits, plus := strings.CutPrefix(number, "+")
	if !plus || len(digits) < 7 || len(digits) > 15 || digits[0] == '0' || strings.Trim(digits, "0123456789") != "" {
		return "", Invalid(pointer, "must be a telephone number such as +49 30 123456: a + and 7 to 15 digits")
	}
	return number, nil
}

// MaxAddress is the length of the longest postal address, in characters.
const MaxAddress = 1000

// CheckAddress refuses a postal address that is too long, padded, or holds control characters other than line breaks.
func CheckAddress(pointer, s string) error { return checkText(pointer, s, 0, MaxAddress, true) }
