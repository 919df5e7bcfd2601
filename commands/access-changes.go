package commands

import (
	"github.com/google/uuid"

	"chancery/domain"
	"chancery/internal/dcb"
)

// AnnounceAccess puts on record what a user may do now and could not before, and the reverse. It is no command of callers: Chancery
// gives it to itself where the tenant wants it.
type AnnounceAccess struct {
	User         domain.UserID
	Gained, Lost []domain.Right
	Cause        uuid.UUID // the event that led to it
}

// MostRights is how many rights one announcement lists.
const MostRights = 1000

// AnnounceOrder is the order for it, once for that cause: a second one changes nothing. By one word what a cause led to later is
// told from what it led to at once.
func AnnounceOrder(c AnnounceAccess, t domain.TenantID, when string, by dcb.Provenance) Order {
	o := SystemOrder("announce-access", c, t, by)
	o.Request = domain.NamedID(t, "access", c.Cause.String()+" "+when+" "+c.User.String())
	o.Fingerprint, o.Keyed = o.Request[:], true
	return o
}

func (c AnnounceAccess) Target() dcb.Tagger { return c.User }

func (c AnnounceAccess) Decide(env Env) dcb.Decision {
	wanted := domain.PolicyOf(env.Tenant, domain.AnnounceAccess)
	return dcb.From(wanted).Decide(func() ([]dcb.Event, error) {
		if len(c.Gained)+len(c.Lost) == 0 || !wanted.Value.IsTrue() {
			return nil, nil
		}
		e := domain.AccessChanged{Access: domain.AccessID(c.User), User: c.User, Gained: c.Gained, Lost: c.Lost, Cause: c.Cause}
		if len(e.Gained)+len(e.Lost) > MostRights { // first what a copy must forget
			e.Truncated = true
			e.Lost = e.Lost[:min(len(e.Lost), MostRights)]
			e.Gained = e.Gained[:min(len(e.Gained), MostRights-len(e.Lost))]
		}
		return dcb.Emit(e)
	})
}
