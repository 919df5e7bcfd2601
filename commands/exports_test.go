package commands_test

import (
	"testing"

	"chancery/commands"
	"chancery/domain"
	"chancery/internal/dcb"
)

func TestAnExportIsRecorded(t *testing.T) {
	export := func(u domain.UserID, e commands.Env) dcb.Decision { return commands.ExportUser{ID: u}.Decide(e) }
	me := domain.UserRegistered{User: chief, DisplayName: dcb.Plain("chief"), Status: domain.UserActive}
	h := given(registered("ann"), me)
	h.When(export(user("ann"), env())).Then(t, domain.UserExported{User: user("ann")})
	h.When(export(chief, unprivileged(having()))).Then(t, domain.UserExported{User: chief})
	h.When(export(user("ann"), unprivileged(having()))).ThenRefused(t, domain.ErrNotAllowed)
	h.When(export(user("bob"), unprivileged(having()))).ThenRefused(t, domain.ErrNotAllowed)
	h.When(export(user("bob"), env())).ThenRefused(t, domain.ErrUserUnknown)
	given().elsewhere(globex, registered("ann")).When(export(user("ann"), env())).ThenRefused(t, domain.ErrUserUnknown)
	h.and(domain.UserErased{User: user("ann")}).When(export(user("ann"), env())).Then(t, domain.UserExported{User: user("ann")})
}
