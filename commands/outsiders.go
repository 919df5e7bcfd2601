package commands

import (
	"github.com/google/uuid"

	"chancery/domain"
	"chancery/internal/dcb"
)

// outsider is a user of another tenant, as a decision about a group here may know of them: whatever is wrong on their side, the
// answer is the same.
type outsider struct {
	env    Env
	user   domain.UserID
	named  string
	home   domain.TenantID
	slug   *dcb.Fact[uuid.UUID] // where the tenant is named by it
	tenant *dcb.Fact[domain.Tenant]
	status *dcb.Fact[domain.User]
	joins  *dcb.Fact[domain.Policy]
}

func (env Env) outsider(tenant string, u domain.UserID) *outsider {
	o := &outsider{env: env, user: u, named: tenant}
	if id, err := uuid.Parse(tenant); err == nil && len(tenant) == len(id.String()) {
		o.home.UUID = id
	}
	return o
}

func (o *outsider) facts() []dcb.AnyFact {
	if s := domain.Slug(o.named); o.home.IsZero() && s.Check("") == nil {
		o.slug = domain.SlugHolder(s)
		return []dcb.AnyFact{o.slug}
	}
	return nil
}

// next asks the other tenant, once it is known which it is.
func (o *outsider) next() []dcb.AnyFact {
	if o.slug != nil {
		o.home.UUID = o.slug.Value
	}
	if o.tenant != nil || o.home.IsZero() || o.home == o.env.Tenant {
		return nil
	}
	o.tenant, o.joins = domain.TenantOf(o.home), domain.PolicyOf(o.home, domain.JoinOutside)
	o.status = domain.UserStatusOf(o.user).Only(o.home.UUID)
	return []dcb.AnyFact{o.tenant, o.joins, o.status}
}

// check refuses what is no other tenant at all.
func (o *outsider) check() error {
	switch {
	case o.named == "":
		return domain.Invalid("/tenant", "must not be empty")
	case o.home == o.env.Tenant:
		return domain.Invalid("/tenant", "is the group's own tenant: its users are added, not invited")
	}
	return nil
}

func (o *outsider) refusal() error {
	if o.tenant == nil || o.tenant.Value.Status != domain.TenantActive || !o.joins.Value.IsTrue() || o.status.Value.Status != domain.UserActive {
		return domain.At("/user_id", domain.ErrOutsideUser)
	}
	return nil
}
