package access_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"chancery/domain"
	"chancery/internal/access"
	"chancery/internal/access/accesstest"
	"chancery/internal/dcb"
)

// putting are ways in which a world comes into an index.
var putting = map[string]func(x *access.Index, events []dcb.Recorded) error{
	"in one page": func(x *access.Index, events []dcb.Recorded) error { return x.Apply(events) },
	"event by event": func(x *access.Index, events []dcb.Recorded) error {
		for i := range events {
			if err := x.Apply(events[i : i+1]); err != nil {
				return err
			}
			for _, r := range events[:i+1] { // so that there is something to forget
				if e, ok := r.Event.(domain.UserRegistered); ok && i%7 == 0 {
					x.Decide(access.Question{Tenant: domain.TenantID{UUID: r.Tenant}, User: e.User, Privilege: "repo.read", At: r.At})
				}
			}
		}
		return nil
	},
	"as an excerpt": func(x *access.Index, events []dcb.Recorded) error { return x.ApplyExcerpt(events) },
}

func load(t testing.TB) accesstest.Suite {
	t.Helper()
	s, err := accesstest.Load("testdata/matrix.yaml")
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func question(c accesstest.Case) access.Question {
	return access.Question{
		Tenant: c.Tenant, User: c.User, Privilege: c.Privilege, Scope: c.Scope, At: c.At, Ceiling: c.Ceiling, Platform: c.Platform,
		Delegation: c.Acting.Delegation, Impersonation: c.Acting.Impersonation,
	}
}

func TestEveryCaseOfTheMatrixIsDecidedAsItSays(t *testing.T) {
	suite := load(t)
	if t.Logf("%d cases", len(suite.Cases)); len(suite.Cases) < 450 {
		t.Fatal("some were not read")
	}
	for way, put := range putting {
		worlds := map[string]*access.Index{}
		for _, w := range suite.Worlds {
			worlds[w.Name] = access.New()
			if err := put(worlds[w.Name], w.Events()); err != nil {
				t.Fatalf("world %s %s: %v", w.Name, way, err)
			}
		}
		for range 2 { // the second time from memory
			for _, c := range suite.Cases {
				t.Run(way+"/"+c.Name, func(t *testing.T) {
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
}

func TestThePlainReadingOfHistoryAnswersEveryCaseOfTheMatrix(t *testing.T) {
	suite := load(t)
	worlds := map[string]world{}
	for _, w := range suite.Worlds {
		worlds[w.Name] = reference{w.Events()}.world()
	}
	for _, c := range suite.Cases {
		if worlds[c.World].allows(question(c)) != c.Want {
			t.Errorf("%s: want %v (%s)", c.Name, c.Want, c.Why)
		}
	}
}

// An explanation of what is allowed names the events by which somebody acts for another: each of them is on record.
func TestAnExplanationNamesTheEventsThatActingForOthersRestsOn(t *testing.T) {
	suite := load(t)
	histories, worlds := map[string][]dcb.Recorded{}, map[string]*access.Index{}
	for _, w := range suite.Worlds {
		histories[w.Name], worlds[w.Name] = w.Events(), access.New()
		if err := worlds[w.Name].Apply(w.Events()); err != nil {
			t.Fatal(err)
		}
	}
	named := map[string]int{}
	for _, c := range suite.Cases {
		if !c.Want {
			continue
		}
		e := worlds[c.World].Explain(question(c))
		said := e.Positions()
		for _, r := range histories[c.World] {
			if why := restsOn(c, r, histories[c.World]); why != "" {
				if named[why]++; !slices.Contains(said, r.Position) {
					t.Errorf("%s: %s at %d is not named: %+v", c.Name, r.Event.EventType(), r.Position, e.Steps)
				}
			}
		}
	}
	t.Log(named)
	for why, least := range map[string]int{"delegation": 60, "acceptance": 60, "impersonation": 10, "membership": 15, "approval": 2} {
		if named[why] < least {
			t.Errorf("%s: %d only", why, named[why])
		}
	}
}

// restsOn tells as what a case that is allowed rests on an event; empty if it does not.
func restsOn(c accesstest.Case, r dcb.Recorded, history []dcb.Recorded) string {
	chain := map[domain.DelegationID]uuid.UUID{}
	for _, h := range history {
		if e, ok := h.Event.(domain.DelegationGranted); ok && e.Delegation == c.Acting.Delegation && chain[e.Delegation] == uuid.Nil {
			for _, id := range append(slices.Clone(e.Chain), e.Delegation) {
				chain[id] = e.Tenant.UUID
			}
		}
	}
	switch e := r.Event.(type) {
	case domain.DelegationGranted:
		if chain[e.Delegation] == r.Tenant && e.Tenant.UUID == r.Tenant && r.Position == firstGrant(history, r) {
			return "delegation"
		}
	case domain.DelegationAccepted:
		if chain[e.Delegation] == r.Tenant {
			return "acceptance"
		}
	case domain.ImpersonationStarted:
		if e.Impersonation == c.Acting.Impersonation {
			return "impersonation"
		}
	case domain.MemberAdded:
		alone := c.Acting == accesstest.Acting{}
		if alone && e.User == c.User && r.Tenant == c.Tenant.UUID && e.Home.UUID != domain.Root.UUID && strings.HasPrefix(c.Name, "guests:") && !e.Home.IsZero() {
			return "membership"
		}
	case domain.ApprovalGiven:
		if e.Approval.UUID == c.Acting.Delegation.UUID || strings.HasSuffix(c.Name, "an assignment that was approved") && c.World == "acting" && givesRole(history, e, c) {
			return "approval"
		}
	}
	return ""
}

// firstGrant is the position of the first event of a delegation in that tenant: another under its id is not heard.
func firstGrant(history []dcb.Recorded, r dcb.Recorded) int64 {
	for _, h := range history {
		if e, ok := h.Event.(domain.DelegationGranted); ok && h.Tenant == r.Tenant && e.Delegation == r.Event.(domain.DelegationGranted).Delegation {
			return h.Position
		}
	}
	return 0
}

// givesRole reports whether an approval is of an assignment.
func givesRole(history []dcb.Recorded, given domain.ApprovalGiven, c accesstest.Case) bool {
	return slices.ContainsFunc(history, func(h dcb.Recorded) bool {
		e, ok := h.Event.(domain.RoleAssigned)
		return ok && e.Assignment.UUID == given.Approval.UUID && h.Tenant == c.Tenant.UUID
	})
}
