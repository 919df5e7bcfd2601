package access_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"chancery/domain"
	"chancery/internal/access"
	"chancery/internal/dcb"
)

var (
	noon = time.Date(2026, 6, 1, 12, 0, 0, 0, time.UTC)
	acme = domain.TenantID{UUID: named('t', 1)}
	ann  = domain.UserID{UUID: named('u', 1)}
	ben  = domain.UserID{UUID: named('u', 2)}
	role = domain.RoleID{UUID: named('r', 1)}
)

// story is an index and the log it follows.
type story struct {
	t testing.TB
	*access.Index
	n   int64
	log []dcb.Recorded
}

func begin(t testing.TB) *story {
	s := &story{t: t, Index: access.New()}
	s.tell(domain.Root, domain.TenantCreated{Tenant: domain.Root, Slug: "root"})
	s.tell(acme, domain.TenantCreated{Tenant: acme, Slug: "acme"})
	for _, u := range []domain.UserID{ann, ben} {
		s.tell(acme, domain.UserRegistered{User: u, Status: domain.UserActive})
	}
	s.tell(acme, domain.RoleCreated{Role: role})
	return s
}

func (s *story) tell(t domain.TenantID, events ...dcb.Event) {
	s.t.Helper()
	told := page(s.n+1, t, events...)
	if err := s.Apply(told); err != nil {
		s.t.Fatal(err)
	}
	s.log = append(s.log, told...)
	s.n += int64(len(events))
}

func page(first int64, t domain.TenantID, events ...dcb.Event) []dcb.Recorded {
	var out []dcb.Recorded
	for i, e := range events {
		out = append(out, dcb.Recorded{Meta: dcb.Meta{Position: first + int64(i), Tenant: t.UUID}, Event: e})
	}
	return out
}

// give assigns a role of one pattern.
func (s *story) give(u domain.UserID, p domain.Pattern, on domain.Scope, w domain.Window) {
	r := domain.RoleID{UUID: named('x', int(s.n))}
	a := domain.AssignmentID{UUID: named('a', int(s.n))}
	s.tell(acme, domain.RoleCreated{Role: r}, domain.RolePrivilegeAdded{Role: r, Privilege: p},
		domain.RoleAssigned{Assignment: a, Role: r, User: u, Scope: on, Window: w})
}

func (s *story) may(u domain.UserID, p domain.Privilege) bool {
	return s.Decide(access.Question{Tenant: acme, User: u, Privilege: p, At: noon}).Allowed
}

func TestAGapIsRefusedAndWhatIsKnownIsIgnored(t *testing.T) {
	s := begin(t)
	before := s.Position()
	if err := s.Apply(page(before+2, acme, domain.UserDeactivated{User: ann})); !errors.Is(err, access.ErrGap) {
		t.Errorf("a gap gave %v", err)
	}
	if err := s.Apply(page(before, acme, domain.UserDeactivated{User: ann})); err != nil {
		t.Errorf("a known event gave %v", err)
	}
	if _, status, _ := s.User(ann); status != domain.UserActive || s.Position() != before {
		t.Errorf("the index took an event that it should not have: %s at %d", status, s.Position())
	}
}

type unheard struct{}

func (unheard) EventType() string { return "unheard.of" }

func TestAnUnknownEventStopsTheIndexExactlyBeforeIt(t *testing.T) {
	s := begin(t)
	before := s.Position()
	err := s.Apply(page(before+1, acme, domain.UserDeactivated{User: ann}, unheard{}, domain.UserDeactivated{User: ben}))
	if err == nil || !strings.Contains(err.Error(), "unheard.of") || s.Position() != before+1 {
		t.Errorf("stands at %d, error %v", s.Position(), err)
	}
}

func TestTheIndexKnowsEveryEventOfTheCatalog(t *testing.T) {
	for _, typ := range domain.Catalog.Types() {
		if err := access.New().Apply(page(1, acme, domain.Catalog.Zero(typ))); err != nil {
			t.Error(err)
		}
	}
}

func TestWaitReturnsWhenThePositionIsReachedOrTheContextEnds(t *testing.T) {
	s := begin(t)
	if err := s.Wait(t.Context(), s.Position()); err != nil {
		t.Fatal(err)
	}
	waited := make(chan error)
	go func() { waited <- s.Wait(t.Context(), s.n+2) }()
	x := s.Index
	if err := x.Apply(page(s.n+1, acme, domain.UserDeactivated{User: ann})); err != nil {
		t.Fatal(err)
	}
	select {
	case <-waited:
		t.Fatal("Wait returned too early")
	default:
	}
	if err := x.Apply(page(s.n+2, acme, domain.UserDeactivated{User: ben})); err != nil {
		t.Fatal(err)
	}
	if err := <-waited; err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := x.Wait(ctx, 1000); !errors.Is(err, context.Canceled) {
		t.Errorf("a cancelled wait gave %v", err)
	}
}

func TestTenantsAreFoundByIDAndSlug(t *testing.T) {
	s := begin(t)
	other := domain.TenantID{UUID: named('t', 9)}
	expect := func(name string, want domain.TenantID, status domain.TenantStatus) {
		t.Helper()
		id, got, ok := s.Tenant(name)
		if id != want || got != status || ok != (status != "") {
			t.Errorf("%q is %s, %q, %v", name, id, got, ok)
		}
	}
	expect("acme", acme, domain.TenantActive)
	expect(acme.String(), acme, domain.TenantActive)
	expect("root", domain.Root, domain.TenantActive)
	expect("nowhere", domain.TenantID{}, "")
	expect("", domain.TenantID{}, "")
	expect(uuid.Nil.String(), domain.TenantID{}, "")
	expect("urn:uuid:"+acme.String(), domain.TenantID{}, "")

	s.tell(acme, domain.TenantSlugChanged{Tenant: acme, Slug: "apex", Released: "acme"})
	expect("acme", domain.TenantID{}, "")
	expect("apex", acme, domain.TenantActive)
	s.tell(other, domain.TenantCreated{Tenant: other, Slug: "acme"})
	expect("acme", other, domain.TenantActive)
	s.tell(acme, domain.TenantSuspended{Tenant: acme})
	expect("apex", acme, domain.TenantOnHold)
	s.tell(acme, domain.TenantClosed{Tenant: acme, Released: "apex"})
	expect("apex", domain.TenantID{}, "")
	expect(acme.String(), acme, domain.TenantEnded)
}

func TestAnEventSpeaksOnlyForItsTenant(t *testing.T) {
	s := begin(t)
	other := domain.TenantID{UUID: named('t', 9)}
	s.tell(other, domain.TenantCreated{Tenant: other, Slug: "other"})
	s.give(ann, "repo.read", "", domain.Window{})
	s.tell(other,
		domain.UserDeactivated{User: ann},
		domain.UserRegistered{User: ann, Status: domain.UserActive}, // an id used twice
		domain.UserMoved{User: ann, Department: domain.DepartmentID{UUID: named('d', 1)}},
		domain.OverrideAdded{Override: domain.OverrideID{UUID: named('o', 1)}, Effect: domain.Deny, Privilege: "*", User: ann},
		domain.PrivilegeRegistered{Privilege: "repo.read"},
		domain.PolicySet{Key: domain.OverrideAllow.Key, Value: "*"},
		domain.RoleCreated{Role: role}, domain.RolePrivilegeAdded{Role: role, Privilege: "*"},
	)
	if home, status, _ := s.User(ann); home != acme || status != domain.UserActive {
		t.Errorf("ann is %s in %s", status, home)
	}
	if !s.may(ann, "repo.read") {
		t.Error("another tenant took ann's right")
	}
	if s.Registered("repo.read") {
		t.Error("a tenant registered a privilege")
	}
	s.tell(acme, domain.OverrideAdded{Override: domain.OverrideID{UUID: named('o', 1)}, Effect: domain.Allow, Privilege: "bill.pay", User: ann})
	s.tell(acme, domain.RoleAssigned{Assignment: domain.AssignmentID{UUID: named('a', 99)}, Role: role, User: ann})
	if s.may(ann, "bill.pay") {
		t.Error("a tenant permitted itself overrides, or filled another's role")
	}
	s.tell(domain.Root, domain.PrivilegeRegistered{Privilege: "repo.read"})
	if !s.Registered("repo.read") || s.Registered("repo.write") {
		t.Error("the platform's privilege is not known, or another is")
	}
}

func TestARoleOfTheTenantCannotPassForOneOfThePlatform(t *testing.T) {
	s := begin(t)
	a := domain.RoleAssigned{Assignment: domain.AssignmentID{UUID: named('a', 1)}, Role: domain.TenantAuditor, User: ann}
	s.tell(acme, domain.RoleCreated{Role: domain.TenantAuditor}, domain.RolePrivilegeAdded{Role: domain.TenantAuditor, Privilege: "*"}, a)
	s.tell(domain.Root, domain.RoleCreated{Role: domain.TenantAuditor}, domain.RolePrivilegeAdded{Role: domain.TenantAuditor, Privilege: "repo.read"})
	if !s.may(ann, "repo.read") || s.may(ann, "repo.write") {
		t.Error("the tenant's role stands for the platform's")
	}
}

func TestARoleLosesWhatItsParentOnThePlatformLoses(t *testing.T) {
	s := begin(t)
	up := domain.RoleID{UUID: named('r', 50)}
	s.tell(domain.Root, domain.RoleCreated{Role: up}, domain.RolePrivilegeAdded{Role: up, Privilege: "repo.read"})
	s.tell(acme, domain.RoleParentAdded{Role: role, Parent: up}, domain.RoleAssigned{Role: role, User: ann})
	if !s.may(ann, "repo.read") {
		t.Fatal("nothing is inherited")
	}
	s.tell(domain.Root, domain.RolePrivilegeRemoved{Role: up, Privilege: "repo.read"})
	if s.may(ann, "repo.read") {
		t.Error("it is remembered")
	}
}

func TestAnIDGivenAgainTakesTheOldRightBack(t *testing.T) {
	s := begin(t)
	s.tell(domain.Root, domain.PolicySet{Key: domain.OverrideAllow.Key, Value: "repo.*"})
	s.tell(acme, domain.RolePrivilegeAdded{Role: role, Privilege: "repo.read"}, domain.RoleAssigned{Role: role, User: ann},
		domain.OverrideAdded{Effect: domain.Allow, Privilege: "repo.write", User: ann})
	if !s.may(ann, "repo.read") || !s.may(ann, "repo.write") {
		t.Fatal("nothing was given")
	}
	s.tell(acme, domain.RoleAssigned{Role: role, User: ben})
	if s.may(ann, "repo.read") || !s.may(ann, "repo.write") {
		t.Error("the old assignment is remembered")
	}
	s.tell(acme, domain.OverrideAdded{Effect: domain.Allow, Privilege: "repo.write", User: ben})
	if s.may(ann, "repo.write") {
		t.Error("the old override is remembered")
	}
	if !s.may(ben, "repo.read") || !s.may(ben, "repo.write") {
		t.Error("the new right is not given")
	}
}

func TestAnExplanationNamesEveryEventOnTheWay(t *testing.T) {
	s := begin(t)
	up, down := domain.GroupID{UUID: named('g', 1)}, domain.GroupID{UUID: named('g', 2)}
	child := domain.RoleID{UUID: named('r', 2)}
	base := s.n
	s.tell(acme,
		domain.GroupCreated{Group: up}, // +1
		domain.GroupCreated{Group: down},
		domain.MemberAdded{Group: down, User: ann, Role: domain.Member}, // +3
		domain.RoleCreated{Role: child},                                 // +4
		domain.RolePrivilegeAdded{Role: role, Privilege: "repo.*"},      // +5
		domain.RoleParentAdded{Role: child, Parent: role},               // +6
		domain.RoleAssigned{Role: child, Group: up},                     // +7
		domain.GroupMoved{Group: down, Parent: up},                      // +8
		domain.OverrideAdded{Effect: domain.Deny, Privilege: "repo.read", Scope: "repo:x"},
	)
	e := s.Explain(access.Question{Tenant: acme, User: ann, Privilege: "repo.read", At: noon})
	if !e.Allowed || e.Why != access.Granted || e.Position != s.n {
		t.Fatalf("%+v", e)
	}
	var got []string
	for _, step := range e.Steps {
		for _, l := range step.Links {
			if step.Rule == access.RuleGrant {
				got = append(got, fmt.Sprintf("%s +%d", l.Kind, l.Position-base))
			}
		}
		if step.Rule == access.RuleDeny && (step.Counts || step.Note == "") {
			t.Errorf("a deny on another thing counts, or nothing says why not: %+v", step)
		}
	}
	want := []string{"user +-2", "membership +3", "group +8", "group +1", "assignment +7", "role +4", "role +6", "privilege +5"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if all := e.Positions(); !slices.IsSorted(all) || !slices.Contains(all, base+8) {
		t.Errorf("positions are %v", all)
	}
}

func TestWhatAppsPublishChangesNothingButThePosition(t *testing.T) {
	heard, spared := begin(t), begin(t)
	published := dcb.Event(domain.Published{App: "github", Type: "github.push"})
	heard.tell(acme, published, published, domain.UserDeactivated{User: ann}, published)
	own := page(spared.n+3, acme, domain.UserDeactivated{User: ann})
	if err := spared.ApplyOwn(own, spared.n+1, spared.n+4); !errors.Is(err, access.ErrGap) {
		t.Errorf("what follows an event that was not heard: %v", err)
	}
	if err := spared.ApplyOwn(own, spared.n, spared.n+4); err != nil {
		t.Fatal(err)
	}
	for name, s := range map[string]*story{"heard": heard, "spared": spared} {
		if _, status, _ := s.User(ann); status != domain.UserInactive || s.Position() != heard.n {
			t.Errorf("%s: at %d of %d, Ann is %v", name, s.Position(), heard.n, status)
		}
	}
}
