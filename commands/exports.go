package commands

import (
	"chancery/domain"
	"chancery/internal/dcb"
)

// ExportUser records that everything about a user leaves as an archive. It is no command of callers: who asks for the archive
// gives it, and gets the archive only when the record is durable.
type ExportUser struct {
	ID domain.UserID `json:"id" required:"true" description:"the user"`
}

// Export is its spec. It stands outside the registry, so that nothing is recorded to have left that did not.
var Export = of[ExportUser]("core.users.export", "Take everything about a user out as an archive.").own().stepUp()

func (c ExportUser) Target() dcb.Tagger { return c.ID }

func (c ExportUser) Decide(env Env) dcb.Decision {
	u := domain.UserStatusOf(c.ID)
	return dcb.From(u).Decide(func() ([]dcb.Event, error) {
		switch {
		case !env.Privileged && !env.Mine(c.ID):
			return nil, domain.ErrNotAllowed
		case u.Value.Status == domain.UserUnknown: // what is left of an erased user can be shown
			return nil, domain.ErrUserUnknown
		}
		return dcb.Emit(domain.UserExported{User: c.ID})
	})
}
