package readmodels_test

import (
	"testing"

	"github.com/google/uuid"

	"chancery/readmodels"
)

func TestADelegationIsOfItsGrantorAndOfItsDelegate(t *testing.T) {
	w := newWorld(t)
	mine := uuid.New()
	w.fill(mine)
	for _, i := range list(t, w.now(mine), "delegations", readmodels.Params{}).Items {
		d := i.(*readmodels.Delegation)
		if !d.OwnedBy(d.GrantorUserID) || !d.OwnedBy(d.DelegateUserID) || d.OwnedBy(d.ID) {
			t.Errorf("%+v is of others", d)
		}
		for _, user := range []uuid.UUID{d.GrantorUserID, d.DelegateUserID} {
			found := list(t, w.now(mine), "delegations", readmodels.Params{Filter: map[string]string{"user_id": user.String()}}).Items
			if len(found) != 1 || found[0].(*readmodels.Delegation).ID != d.ID {
				t.Errorf("the delegations of %s are %v, want %s alone", user, column(t, found, "id"), d.ID)
			}
		}
	}
}
