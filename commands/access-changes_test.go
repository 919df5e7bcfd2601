package commands_test

import (
	"fmt"
	"testing"

	"github.com/google/uuid"

	"chancery/commands"
	"chancery/domain"
	"chancery/internal/dcb"
)

func TestAChangeOfAccessIsAnnouncedWhereTheTenantWantsIt(t *testing.T) {
	may := func(n int) (all []domain.Right) {
		for i := range n {
			all = append(all, domain.Right{Privilege: domain.Privilege(fmt.Sprintf("file.p%04d", i))})
		}
		return all
	}
	wanted := given(policy(domain.AnnounceAccess, "true"))
	announce := func(gained, lost int) commands.AnnounceAccess {
		return commands.AnnounceAccess{User: user("ann"), Gained: may(gained), Lost: may(lost), Cause: named("cause")}
	}
	want := func(gained, lost int, cut bool) domain.AccessChanged {
		return domain.AccessChanged{
			Access: domain.AccessID(user("ann")), User: user("ann"), Gained: may(gained), Lost: may(lost), Cause: named("cause"), Truncated: cut,
		}
	}
	wanted.When(announce(2, 1).Decide(ofSystem())).Then(t, want(2, 1, false))
	wanted.When(announce(400, 600).Decide(ofSystem())).Then(t, want(400, 600, false))
	wanted.When(announce(0, 0).Decide(ofSystem())).ThenNothing(t)
	given().When(announce(2, 1).Decide(ofSystem())).ThenNothing(t)
	wanted.and(policy(domain.AnnounceAccess, "false")).When(announce(2, 1).Decide(ofSystem())).ThenNothing(t)

	got := wanted.When(announce(900, 600).Decide(ofSystem())).Events(t)[0].(domain.AccessChanged)
	if len(got.Gained) != 400 || len(got.Lost) != 600 || !got.Truncated {
		t.Errorf("%d gained, %d lost, cut: %v", len(got.Gained), len(got.Lost), got.Truncated)
	}
	got = wanted.When(announce(5, 1600).Decide(ofSystem())).Events(t)[0].(domain.AccessChanged)
	if len(got.Gained) != 0 || len(got.Lost) != 1000 || !got.Truncated {
		t.Errorf("%d gained, %d lost, cut: %v", len(got.Gained), len(got.Lost), got.Truncated)
	}
}

func TestAnAnnouncementIsMadeOnceForItsCause(t *testing.T) {
	order := func(who string, cause uuid.UUID, in domain.TenantID, when string) commands.Order {
		return commands.AnnounceOrder(commands.AnnounceAccess{User: user(who), Cause: cause}, in, when, dcb.Provenance{})
	}
	one := order("ann", named("cause"), acme, "now")
	if again := order("ann", named("cause"), acme, "now"); !one.Keyed || again.Request != one.Request {
		t.Error("the same announcement is another request")
	}
	for name, o := range map[string]commands.Order{
		"of somebody else": order("ben", named("cause"), acme, "now"), "for another cause": order("ann", named("other"), acme, "now"),
		"in another tenant": order("ann", named("cause"), globex, "now"), "at another time": order("ann", named("cause"), acme, "later"),
	} {
		if o.Request == one.Request {
			t.Errorf("%s: the same request", name)
		}
	}
}
