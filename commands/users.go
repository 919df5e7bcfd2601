package commands

import (
	"github.com/google/uuid"

	"chancery/domain"
	"chancery/internal/dcb"
)

// RegisterUser adds a user to the tenant.
type RegisterUser struct {
	ID          domain.UserID       `json:"id,omitzero" description:"id of the new user; made if absent"`
	Email       string              `json:"email,omitzero" description:"unique in the tenant; may be absent where the tenant's policy allows"`
	DisplayName string              `json:"display_name" required:"true" description:"1 to 200 characters"`
	Department  domain.DepartmentID `json:"department_id,omitzero" description:"the user's department"`
	Status      domain.UserStatus   `json:"status,omitzero" enum:"active,invited" description:"active if absent; an invited user cannot act yet"`
}

func (c *RegisterUser) NewID() *uuid.UUID { return &c.ID.UUID }
func (c RegisterUser) Target() dcb.Tagger { return c.ID }

func (c RegisterUser) Decide(env Env) dcb.Decision {
	if c.Status == "" {
		c.Status = domain.UserActive
	}
	address := env.address(c.Email)
	required := domain.PolicyOf(env.Tenant, domain.EmailRequired)
	used, given := domain.Used[domain.UserRegistered](c.ID), env.grants()
	facts := append(address.facts(), given.department(c.Department)...)
	facts = append(facts, used, required)
	department := domain.DepartmentOf(c.Department)
	if !c.Department.IsZero() {
		facts = append(facts, department)
	}
	duties := env.duties(env.Tenant, func() []dcb.Event {
		return []dcb.Event{domain.UserRegistered{User: c.ID, Department: c.Department, Status: c.Status}}
	})
	return dcb.From(facts...).Then(given.next).Then(duties.next).Decide(func() ([]dcb.Event, error) {
		if err := domain.CheckName("/display_name", c.DisplayName); err != nil {
			return nil, err
		}
		if err := address.refusal(c.ID); err != nil {
			return nil, err
		}
		switch {
		case c.Status != domain.UserActive && c.Status != domain.UserInvited:
			return nil, domain.Invalid("/status", "must be active or invited")
		case c.Email == "" && required.Value.IsTrue():
			return nil, domain.At("/email", domain.ErrEmailRequired)
		case used.Value:
			return nil, domain.At("/id", domain.ErrIDTaken)
		case !c.Department.IsZero() && !department.Value.Exists:
			return nil, domain.At("/department_id", domain.ErrDepartmentUnknown)
		}
		if err := domain.FirstError(given.refusal(), duties.refusal()); err != nil {
			return nil, err
		}
		return dcb.Emit(domain.UserRegistered{
			User: c.ID, Email: dcb.Plain(string(address.email)), EmailKey: address.email.Claim(),
			DisplayName: dcb.Plain(c.DisplayName), Department: c.Department, Status: c.Status, Judged: duties.judged(),
		})
	})
}

// address is an e-mail address on its way to a user, with what its acceptance rests on.
type address struct {
	email   domain.Email
	invalid error
	holder  *dcb.Fact[uuid.UUID]
	ours    *dcb.Fact[domain.Policy]
	domains *dcb.Fact[domain.Domains]
}

func (env Env) address(s string) *address {
	a := &address{
		ours:    domain.PolicyOf(env.Tenant, domain.EmailVerified),
		domains: domain.DomainsOf(env.Tenant),
	}
	if s != "" {
		a.email, a.invalid = domain.ParseEmail("/email", s)
	}
	a.holder = domain.EmailHolder(a.email.Claim())
	return a
}

func (a *address) facts() []dcb.AnyFact {
	if a.email == "" {
		return nil
	}
	return []dcb.AnyFact{a.holder, a.ours, a.domains}
}

func (a *address) refusal(of domain.UserID) error {
	switch {
	case a.invalid != nil || a.email == "":
		return a.invalid
	case a.holder.Value != uuid.Nil && a.holder.Value != of.UUID:
		return domain.At("/email", domain.ErrEmailTaken)
	case a.ours.Value.IsTrue() && !a.domains.Value.Named(a.email.Domain()).Verified:
		return domain.At("/email", domain.ErrEmailDomain)
	}
	return nil
}

// UpdateUser gives a user another display name.
type UpdateUser struct {
	ID          domain.UserID `json:"id" required:"true" description:"the user"`
	DisplayName string        `json:"display_name" required:"true" description:"1 to 200 characters"`
}

func (c UpdateUser) Target() dcb.Tagger { return c.ID }

func (c UpdateUser) Decide(Env) dcb.Decision {
	u := domain.UserOf(c.ID)
	return dcb.From(u).Opening().Decide(func() ([]dcb.Event, error) {
		if err := domain.CheckName("/display_name", c.DisplayName); err != nil {
			return nil, err
		}
		switch {
		case !u.Value.Exists():
			return nil, domain.At("/id", domain.ErrUserUnknown)
		case u.Value.DisplayName.Reveal() == c.DisplayName:
			return nil, nil
		}
		return dcb.Emit(domain.UserUpdated{User: c.ID, DisplayName: dcb.Plain(c.DisplayName)})
	})
}

// ChangeUserEmail gives a user another e-mail address; the old one becomes free.
type ChangeUserEmail struct {
	ID    domain.UserID `json:"id" required:"true" description:"the user"`
	Email string        `json:"email" required:"true" description:"unique in the tenant"`
}

func (c ChangeUserEmail) Target() dcb.Tagger { return c.ID }

func (c ChangeUserEmail) Decide(env Env) dcb.Decision {
	u, address := domain.UserOf(c.ID), env.address(c.Email)
	return dcb.From(append(address.facts(), u)...).Decide(func() ([]dcb.Event, error) {
		if c.Email == "" {
			return nil, domain.Invalid("/email", "must not be empty")
		}
		if !u.Value.Exists() {
			return nil, domain.At("/id", domain.ErrUserUnknown)
		}
		if err := address.refusal(c.ID); err != nil {
			return nil, err
		}
		switch {
		case address.holder.Value == c.ID.UUID:
			return nil, nil
		case !env.covers(c.ID):
			return nil, domain.ErrMayNotGive
		}
		return dcb.Emit(domain.UserEmailChanged{
			User: c.ID, Email: dcb.Plain(string(address.email)), EmailKey: address.email.Claim(), Released: u.Value.EmailKey,
		})
	})
}

// ChangeUserContact says how a user can be reached besides by e-mail. Users may say it of themselves.
type ChangeUserContact struct {
	ID      domain.UserID `json:"id" required:"true" description:"the user"`
	Phone   *string       `json:"phone,omitzero" description:"a telephone number such as +49 30 123456; absent to keep it, empty for none"`
	Address *string       `json:"address,omitzero" description:"a postal address of up to 1000 characters, in lines; absent to keep it, empty for none"`
}

func (c ChangeUserContact) Target() dcb.Tagger { return c.ID }

func (c ChangeUserContact) Decide(env Env) dcb.Decision {
	u, contact := domain.UserStatusOf(c.ID), domain.ContactOf(c.ID)
	return dcb.From(u, contact).Opening().Decide(func() ([]dcb.Event, error) {
		if !env.Privileged && !env.Mine(c.ID) {
			return nil, domain.ErrNotAllowed
		}
		was, is := contact.Value, contact.Value
		if c.Phone != nil {
			phone, err := domain.ParsePhone("/phone", *c.Phone)
			if err != nil {
				return nil, err
			}
			is.Phone = dcb.Plain(phone)
		}
		if c.Address != nil {
			if err := domain.CheckAddress("/address", *c.Address); err != nil {
				return nil, err
			}
			is.Address = dcb.Plain(*c.Address)
		}
		switch {
		case !u.Value.Exists():
			return nil, domain.At("/id", domain.ErrUserUnknown)
		case is.Phone.Reveal() == was.Phone.Reveal() && is.Address.Reveal() == was.Address.Reveal():
			return nil, nil
		}
		return dcb.Emit(domain.UserContactChanged{User: c.ID, Phone: is.Phone, Address: is.Address})
	})
}

// MoveUser puts a user into a department, or into none.
type MoveUser struct {
	ID         domain.UserID       `json:"id" required:"true" description:"the user"`
	Department domain.DepartmentID `json:"department_id,omitzero" description:"the department; absent for none"`
}

func (c MoveUser) Target() dcb.Tagger { return c.ID }

func (c MoveUser) Decide(env Env) dcb.Decision {
	u, department, given, left := domain.UserStatusOf(c.ID), domain.DepartmentOf(c.Department), env.grants(), env.leavingDepartment()
	duties := env.duties(env.Tenant, func() []dcb.Event { return []dcb.Event{domain.UserMoved{User: c.ID, Department: c.Department}} })
	facts := append(given.department(c.Department), u)
	if !c.Department.IsZero() {
		facts = append(facts, department)
	}
	return dcb.From(facts...).Then(given.next).Then(func() []dcb.AnyFact {
		return left.start(u.Value.Department)
	}).Then(left.next).Then(duties.next).Decide(func() ([]dcb.Event, error) {
		switch {
		case !u.Value.Exists():
			return nil, domain.At("/id", domain.ErrUserUnknown)
		case !c.Department.IsZero() && !department.Value.Exists:
			return nil, domain.At("/department_id", domain.ErrDepartmentUnknown)
		case u.Value.Department == c.Department:
			return nil, nil
		}
		if err := domain.FirstError(given.refusal(), left.refusal(given.departments), duties.refusal()); err != nil {
			return nil, err
		}
		return dcb.Emit(domain.UserMoved{User: c.ID, Department: c.Department, From: u.Value.Department, Judged: duties.judged()})
	})
}

// DeactivateUser ends every access of a user. Nobody can do it to themselves, nor to the platform's last administrator.
type DeactivateUser struct {
	ID     domain.UserID `json:"id" required:"true" description:"the user"`
	Reason string        `json:"reason,omitzero" description:"why, for the record"`
}

func (c DeactivateUser) Target() dcb.Tagger { return c.ID }

func (c DeactivateUser) Decide(env Env) dcb.Decision {
	u, admins, sessions := domain.UserStatusOf(c.ID), env.administrators(), domain.SessionsOf(c.ID, env.Now)
	return dcb.From(append(admins.facts(), u, sessions)...).Then(admins.next).Decide(func() ([]dcb.Event, error) {
		if err := domain.CheckText("/reason", c.Reason); err != nil {
			return nil, err
		}
		switch {
		case !u.Value.Exists():
			return nil, domain.At("/id", domain.ErrUserUnknown)
		case env.Self(c.ID):
			return nil, domain.ErrSelf
		case u.Value.Status == domain.UserInactive:
			return nil, nil
		case admins.last(func(a domain.Assignment) bool { return a.To.User == c.ID }):
			return nil, domain.ErrLastAdmin
		}
		deactivated := domain.UserDeactivated{User: c.ID, Reason: c.Reason}
		return append([]dcb.Event{deactivated}, endAll(c.ID, sessions.Value, domain.SessionID{}, domain.EndedWithUser)...), nil
	})
}

// ReactivateUser lets a user act again, or an invited one for the first time.
type ReactivateUser struct {
	ID domain.UserID `json:"id" required:"true" description:"the user"`
}

func (c ReactivateUser) Target() dcb.Tagger { return c.ID }

func (c ReactivateUser) Decide(env Env) dcb.Decision {
	u, duties := domain.UserStatusOf(c.ID), env.duties(env.Tenant, func() []dcb.Event { return []dcb.Event{domain.UserReactivated{User: c.ID}} })
	return dcb.From(u).Then(duties.next).Decide(func() ([]dcb.Event, error) {
		switch {
		case !u.Value.Exists():
			return nil, domain.At("/id", domain.ErrUserUnknown)
		case u.Value.Status == domain.UserActive:
			return nil, nil
		case !env.covers(c.ID):
			return nil, domain.ErrMayNotGive
		}
		if err := duties.refusal(); err != nil {
			return nil, err
		}
		return dcb.Emit(domain.UserReactivated{User: c.ID, Judged: duties.judged()})
	})
}
