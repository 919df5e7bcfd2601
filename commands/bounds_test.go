package commands_test

import (
	"context"
	"strconv"
	"testing"

	"github.com/google/uuid"

	"chancery/commands"
	"chancery/domain"
	"chancery/internal/dcb"
)

// A group may have any number of members, and going with it each is an event; but the log takes one request at a time.
func TestWhatIsTooMuchForOneAppendIsRefused(t *testing.T) {
	w := newWorld(t)
	for _, name := range []string{"crowd", "crew"} {
		w.must(t, w.order(acme, &commands.CreateGroup{ID: group(name), Name: name}))
	}
	w.must(t, w.order(acme, newUser("ann", "")))
	w.must(t, w.order(acme, &commands.AddGroupMember{Group: group("crew"), User: user("ann")}))
	var members []dcb.Pending
	for i := range 20_000 {
		members = append(members, dcb.Pending{Tenant: acme.UUID, Event: joined(strconv.Itoa(i), "crowd", domain.Member)})
	}
	if _, _, err := w.Store.Append(context.Background(), []dcb.Part{{ID: uuid.New(), Events: members}}, nil); err != nil {
		t.Fatal(err)
	}
	head := w.head(t)
	w.refused(t, w.order(acme, &commands.DeleteGroup{ID: group("crowd")}), domain.ErrTooMuch)
	outcomes(t, w.batch(t, acme, true, w.order(acme, &commands.DeleteGroup{ID: group("crew")}), w.order(acme, &commands.DeleteGroup{ID: group("crowd")})),
		commands.ErrAborted, domain.ErrTooMuch)
	if now := w.head(t); now != head {
		t.Fatalf("%d events were appended, want none", now-head)
	}
	outcomes(t, w.batch(t, acme, false, w.order(acme, &commands.DeleteGroup{ID: group("crowd")}), w.order(acme, &commands.DeleteGroup{ID: group("crew")})),
		domain.ErrTooMuch, nil) // what is refused does not count
	w.must(t, w.order(acme, &commands.RemoveGroupMember{Group: group("crowd"), User: user("0")}))
	if r := w.must(t, w.order(acme, &commands.DeleteGroup{ID: group("crowd")})); len(r.Events) != 20_000 {
		t.Errorf("%d events, want 20000", len(r.Events))
	}
}
