package access_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"chancery/internal/access"
	"chancery/internal/access/accesstest"
)

func load(t testing.TB) (accesstest.Suite, map[string]*access.Index) {
	t.Helper()
	s, err := accesstest.Load("testdata/matrix.yaml")
	if err != nil {
		t.Fatal(err)
	}
	worlds := map[string]*access.Index{}
	for _, w := range s.Worlds {
		worlds[w.Name] = access.New()
		if err := worlds[w.Name].Apply(w.Events()); err != nil {
			t.Fatalf("world %s: %v", w.Name, err)
		}
	}
	return s, worlds
}

func question(c accesstest.Case) access.Question {
	return access.Question{
		Tenant: c.Tenant, User: c.User, Privilege: c.Privilege, Scope: c.Scope, At: c.At, Ceiling: c.Ceiling, Platform: c.Platform,
	}
}

func TestEveryCaseOfTheMatrixIsDecidedAsItSays(t *testing.T) {
	suite, worlds := load(t)
	if len(suite.Cases) < 80 {
		t.Fatalf("only %d cases were read", len(suite.Cases))
	}
	t.Logf("%d cases", len(suite.Cases))
	for range 2 { // the second time from memory
		for _, c := range suite.Cases {
			t.Run(c.Name, func(t *testing.T) {
				x := worlds[c.World]
				want := access.Answer{Allowed: c.Want, Position: x.Position(), Why: access.Reason(c.Why)}
				if diff := cmp.Diff(want, x.Decide(question(c))); diff != "" {
					t.Errorf("Decide (-want +got):\n%s", diff)
				}
				e := x.Explain(question(c))
				if diff := cmp.Diff(want, e.Answer); diff != "" {
					t.Errorf("Explain (-want +got):\n%s", diff)
				}
			})
		}
	}
}
