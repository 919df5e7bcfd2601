package commands_test

import (
	"context"
	"crypto/sha256"
	"errors"
	"flag"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"

	"chancery/commands"
	"chancery/commands/commandstest"
	"chancery/domain"
	"chancery/internal/dcb"
	"chancery/internal/dcb/dcbtest"
)

// acme is the tenant in which rules are tested, globex is another one; now is when.
var (
	acme   = domain.TenantID{UUID: dcbtest.Tenant}
	globex = domain.TenantID{UUID: named("globex")}
	now    = dcbtest.Now
	chief  = domain.UserID{UUID: named("chief")} // the acting user
)

// named is an id that is the same in every run.
func named(name string) uuid.UUID { return uuid.NewSHA1(uuid.NameSpaceOID, []byte(name)) }

func user(name string) domain.UserID { return domain.UserID{UUID: named("user " + name)} }
func department(name string) domain.DepartmentID {
	return domain.DepartmentID{UUID: named("department " + name)}
}
func group(name string) domain.GroupID { return domain.GroupID{UUID: named("group " + name)} }
func role(name string) domain.RoleID   { return domain.RoleID{UUID: named("role " + name)} }
func membership(name string) domain.MembershipID {
	return domain.MembershipID{UUID: named("membership " + name)}
}
func assignment(name string) domain.AssignmentID {
	return domain.AssignmentID{UUID: named("assignment " + name)}
}
func apiToken(name string) domain.TokenID { return domain.TokenID{UUID: named("token " + name)} }
func identity(name string) domain.IdentityID {
	return domain.IdentityID{UUID: named("identity " + name)}
}
func override(name string) domain.OverrideID {
	return domain.OverrideID{UUID: named("override " + name)}
}
func dnsDomain(name string) domain.DomainID { return domain.DomainID{UUID: named("domain " + name)} }

// Events as they usually are.

func registered(name string) domain.UserRegistered {
	return domain.UserRegistered{User: user(name), DisplayName: dcb.Plain(name), Status: domain.UserActive}
}

func departmentMade(name, parent string) domain.DepartmentCreated {
	e := domain.DepartmentCreated{Department: department(name), Name: name}
	if parent != "" {
		e.Parent = department(parent)
	}
	e.Key = domain.DepartmentKey(acme, e.Parent, name)
	return e
}

func groupMade(name, parent string) domain.GroupCreated {
	e := domain.GroupCreated{Group: group(name), Name: name, Key: domain.GroupKey(acme, name)}
	if parent != "" {
		e.Parent = group(parent)
	}
	return e
}

func roleMade(name string) domain.RoleCreated {
	return domain.RoleCreated{Role: role(name), Name: name, Key: domain.RoleKey(acme, name)}
}

func holds(name string, p domain.Pattern) domain.RolePrivilegeAdded {
	return domain.RolePrivilegeAdded{Role: role(name), Privilege: p}
}

func inherits(name, parent string) domain.RoleParentAdded {
	return domain.RoleParentAdded{Role: role(name), Parent: role(parent)}
}

func joined(who, where string, as domain.GroupRole) domain.MemberAdded {
	return domain.MemberAdded{Membership: membership(who + " " + where), Group: group(where), User: user(who), Role: as}
}

func policy(s domain.Setting, value string) domain.PolicySet {
	return domain.PolicySet{Policy: s.ID(acme), Key: s.Key, Value: value, Version: 1}
}

func always() domain.Window { return domain.Window{From: now.Add(-time.Hour)} }

// history and outcome are those of dcbtest, noting which refusals were seen.
type (
	history struct{ dcbtest.History }
	outcome struct{ dcbtest.Outcome }
)

func given(events ...dcb.Event) history { return history{dcbtest.Given(events...)} }

func (h history) and(events ...dcb.Event) history { return history{h.And(events...)} }

func (h history) elsewhere(t domain.TenantID, events ...dcb.Event) history {
	return history{h.Elsewhere(t.UUID, events...)}
}

// knowing is an env that has counted what the history says was taken; ahead is what the same request decided before.
func (h history) knowing(e commands.Env, ahead ...dcb.Event) commands.Env {
	e.Tally = func(k domain.Key) (t domain.Tally) {
		for _, r := range h.History {
			if slices.Contains(r.Tags, k.Tag()) {
				t.Fold(r.Event)
			}
		}
		return t
	}
	e.Seats = func(k domain.Key) (s domain.Seats) {
		for _, r := range h.History {
			if slices.Contains(r.Tags, k.Tag()) {
				s = s.Fold(r.Event)
			}
		}
		return s
	}
	e.Ahead = func(t domain.TenantID) []dcb.Event {
		if t != e.Tenant {
			return nil
		}
		return ahead
	}
	return e
}

func (h history) When(d dcb.Decision) outcome { return outcome{h.History.When(d)} }

func (h history) WhenIn(t domain.TenantID, d dcb.Decision) outcome {
	return outcome{h.History.WhenIn(t.UUID, d)}
}

func (o outcome) ThenRefused(t testing.TB, want *domain.Refusal) {
	t.Helper()
	see(want)
	o.Outcome.ThenRefused(t, want)
}

// ThenInvalid requires that a value is refused, at that place of the input.
func (o outcome) ThenInvalid(t testing.TB, pointer string) {
	t.Helper()
	o.ThenRefused(t, domain.ErrInvalid)
	var at *domain.InputError
	if !errors.As(o.Err(), &at) || at.Pointer != pointer {
		t.Fatalf("refused with %q, want the pointer %s", o.Err(), pointer)
	}
}

// ThenNothing requires that nothing is to be done.
func (o outcome) ThenNothing(t testing.TB) {
	t.Helper()
	if got := o.Events(t); len(got) > 0 {
		t.Fatalf("decided %v, want no events", got)
	}
}

// rights are those of a caller: all of them, or what is listed.
type rights struct {
	all     bool
	wide    []domain.Pattern
	scoped  map[domain.Scope][]domain.Pattern
	denied  map[domain.Scope][]domain.Pattern
	covers  []domain.UserID
	ceiling []domain.Pattern // nil for none
	until   time.Time        // zero for no bound
	acts    domain.UserID    // for whom the actor acts; zero for nobody
}

func (r rights) Actor() domain.UserID { return chief }

func (r rights) Effective() domain.UserID {
	if !r.acts.IsZero() {
		return r.acts
	}
	return chief
}

func (r rights) HoldsEverything() bool { return r.all }

func (r rights) Holds(p domain.Pattern, s domain.Scope) bool {
	return r.all || within(p, r.wide) || within(p, r.scoped[s])
}

func (r rights) Denied(p domain.Pattern, s domain.Scope) bool {
	return within(p, r.denied[""]) || within(p, r.denied[s])
}

func (r rights) Covers(u domain.UserID) bool {
	return r.all || slices.Contains(r.covers, u)
}

func (r rights) Until() time.Time { return r.until }

func (r rights) WithinCeiling(scopes []domain.Pattern) bool {
	for _, s := range scopes {
		if r.ceiling != nil && !within(s, r.ceiling) {
			return false
		}
	}
	return true
}

func within(p domain.Pattern, list []domain.Pattern) bool {
	for _, l := range list {
		if l.Covers(p) {
			return true
		}
	}
	return false
}

// env is that of one from whom nothing is kept; by is that of one who has only these privileges.
func env() commands.Env { return by(rights{all: true}) }

func having(patterns ...domain.Pattern) commands.Env { return by(rights{wide: patterns}) }

func by(r rights) commands.Env {
	return commands.Env{
		Tenant: acme, Now: now, Rights: r, Resolver: zone{}, Privileged: true,
		Secret: func(purpose string, id uuid.UUID) string { return "secret " + purpose + " " + id.String() },
		Hash:   hashed, Authn: commandstest.Authn{}, Mails: true,
		Tally:  func(domain.Key) domain.Tally { return domain.Tally{} },
		Keygen: func(id domain.SigningKeyID) [32]byte { return sha256.Sum256(id.UUID[:]) },
	}
}

func hashed(text string) (prefix string, hash []byte) {
	sum := sha256.Sum256([]byte(text))
	return "chn_test", sum[:]
}

// unprivileged is the same caller, without the privilege that the command asks for.
func unprivileged(e commands.Env) commands.Env { e.Privileged = false; return e }

// onPlatform is the same caller in the root tenant.
func onPlatform(e commands.Env) commands.Env { e.Tenant = domain.Root; return e }

// zone is a DNS zone.
type zone map[string][]string

func (z zone) TXT(_ context.Context, name string) ([]string, error) {
	if records := z[name]; len(records) == 0 || records[0] != "fault" {
		return records, nil
	}
	return nil, errNoAnswer
}

var errNoAnswer = errors.New("the name server does not answer")

// names are names with whether they are allowed.
func names() map[string]bool {
	return map[string]bool{
		"": false, "x": true, "é": true, strings.Repeat("é", 200): true, strings.Repeat("é", 201): false,
		" x": false, "x ": false, "a\tb": false, "a\x00b": false, "a\u0085b": false, "a\xffb": false, "a b": true,
	}
}

var seen = struct {
	sync.Mutex
	codes map[string]bool
}{codes: map[string]bool{}}

func see(r *domain.Refusal) {
	seen.Lock()
	defer seen.Unlock()
	seen.codes[r.Code+" "+r.Text] = true
}

// notOurs are refusals that no command makes.
var notOurs = map[string]string{
	"ErrNotAllowed":    "transport asks the access index before a command is decided",
	"ErrStepUp":        "transport asks before a command is decided",
	"ErrImpersonating": "transport asks before a command is decided",
}

func TestMain(m *testing.M) {
	flag.Parse()
	code := m.Run()
	if code == 0 && flag.Lookup("test.run").Value.String() == "" && flag.Lookup("test.list").Value.String() == "" {
		code = unseenRefusals()
	}
	os.Exit(code)
}

// unseenRefusals fails the run when a refusal that domain declares was met by no test.
func unseenRefusals() int {
	declared, err := declaredRefusals("../domain")
	if err != nil || len(declared) < 40 {
		fmt.Fprintf(os.Stderr, "FAIL: found %d refusals in domain: %v\n", len(declared), err)
		return 1
	}
	code := 0
	for name, refusal := range declared {
		if notOurs[name] == "" && !seen.codes[refusal] {
			fmt.Fprintf(os.Stderr, "FAIL: no test is refused with domain.%s (%s)\n", name, refusal)
			code = 1
		}
	}
	return code
}

func declaredRefusals(folder string) (map[string]string, error) {
	files, err := filepath.Glob(filepath.Join(folder, "*.go"))
	if err != nil {
		return nil, err
	}
	found := map[string]string{}
	for _, file := range files {
		tree, err := parser.ParseFile(token.NewFileSet(), file, nil, 0)
		if err != nil {
			return nil, err
		}
		ast.Inspect(tree, func(n ast.Node) bool {
			spec, ok := n.(*ast.ValueSpec)
			if ok && len(spec.Names) == 1 && len(spec.Values) == 1 && strings.HasPrefix(spec.Names[0].Name, "Err") {
				found[spec.Names[0].Name] = strings.Join(texts(spec.Values[0]), " ")
			}
			return true
		})
	}
	return found, nil
}

// texts are the string literals of an expression, in order.
func texts(e ast.Expr) (all []string) {
	ast.Inspect(e, func(n ast.Node) bool {
		if lit, ok := n.(*ast.BasicLit); ok && lit.Kind == token.STRING {
			s, _ := strconv.Unquote(lit.Value)
			all = append(all, s)
		}
		return true
	})
	return all
}
