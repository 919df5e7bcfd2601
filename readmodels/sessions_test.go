package readmodels_test

import (
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
		if *s.Ip != "192.0.2.7" || *s.UserAgent != "curl" || s.Owner() != s.UserID {
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
		if _, shown := object(t, c)["material"]; shown || c.Owner() != c.UserID {
			t.Errorf("%+v", object(t, c))
		}
	}
}

func TestUsersOwnWhatTheySignInWith(t *testing.T) {
	for _, c := range readmodels.Collections {
		if want := c.Name == "sessions" || c.Name == "credentials"; c.Own() != want {
			t.Errorf("%s: %v", c.Name, !want)
		}
	}
}
