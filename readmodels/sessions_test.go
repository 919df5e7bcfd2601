package readmodels_test

import (
	"slices"
	"testing"

	"github.com/google/uuid"

	"chancery/readmodels"
)

func TestASessionTellsFromWhereItWasStarted(t *testing.T) {
	w := newWorld(t)
	mine := uuid.New()
	w.fill(mine)
	for _, i := range list(t, w.now(mine), "sessions", readmodels.Params{}).Items {
		s := i.(*readmodels.Session)
		if *s.Ip != "192.0.2.7" || *s.UserAgent != "curl" || !s.OwnedBy(s.UserID) || s.OwnedBy(s.ID) {
			t.Errorf("%+v", object(t, s))
		}
	}
}

func TestNobodyReadsWhatACredentialIsMadeOf(t *testing.T) {
	w := newWorld(t)
	mine := uuid.New()
	w.fill(mine)
	for _, i := range list(t, w.now(mine), "credentials", readmodels.Params{}).Items {
		c := i.(*readmodels.Credential)
		if _, shown := object(t, c)["material"]; shown || !c.OwnedBy(c.UserID) || c.OwnedBy(c.ID) {
			t.Errorf("%+v", object(t, c))
		}
	}
}

func TestUsersOwnWhatTheySignInWithAndWhatIsDoneWithTheirRights(t *testing.T) {
	owned := []string{"group-invitations", "sessions", "credentials", "delegations", "audit", "impersonations", "approvals", "seats"}
	for _, c := range readmodels.Collections {
		if want := slices.Contains(owned, c.Name); c.Own() != want {
			t.Errorf("%s: %v", c.Name, !want)
		}
	}
}
