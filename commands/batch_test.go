package commands_test

import (
	"context"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"reflect"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"chancery/commands"
	"chancery/domain"
	"chancery/internal/dcb"
)

// The same commands, sent one by one or as one batch, have the same outcomes and leave the same history.
func TestABatchComesToTheSameAsItsLinesOneByOne(t *testing.T) {
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	accepted, said := 0, map[string]int{}
	for round := range uint64(40) {
		keys := newKeys(t)
		alone, together := worldWith(t, keys), worldWith(t, keys)
		before := alone.head(t)
		dice := dice{rand.New(rand.NewPCG(seed, round))}
		var one, all []commands.Order
		for range 90 {
			change := dice.caller()
			command := dice.command()
			one = append(one, alone.order(acme, clone(command), change))
			all = append(all, together.order(acme, clone(command), change))
		}
		got := together.batch(t, acme, false, all...)
		for i, o := range one {
			r, err := alone.do(o)
			if code(err) != code(got[i].Err) {
				t.Fatalf("seed %d, round %d, line %d, %s %+v: alone %v, in the batch %v", seed, round, i, o.Spec.Name, o.Command, err, got[i].Err)
			}
			if err == nil && (r.ID != got[i].Result.ID || len(r.Events) != len(got[i].Result.Events) || r.Reveal[0] != got[i].Result.Reveal[0]) {
				t.Fatalf("seed %d, round %d, line %d, %s: alone %+v, in the batch %+v", seed, round, i, o.Spec.Name, r, got[i].Result)
			}
			said[code(err)]++
			if len(r.Events) > 0 {
				accepted++
			}
		}
		if diff := cmp.Diff(plainly(alone.stored(t, before)), plainly(together.stored(t, before))); diff != "" {
			t.Fatalf("seed %d, round %d: the batch stored otherwise (-alone +batch):\n%s", seed, round, diff)
		}
	}
	t.Logf("%d lines accepted; answers: %v", accepted, said)
	if accepted < 500 || len(said) < 12 {
		t.Errorf("%d lines were accepted and %d kinds of answers seen: the dice are loaded", accepted, len(said))
	}
}

func clone(command any) any {
	c := reflect.New(reflect.TypeOf(command).Elem())
	c.Elem().Set(reflect.ValueOf(command).Elem())
	return c.Interface()
}

func code(err error) string {
	if r, ok := domain.IsRefusal(err); ok {
		return r.Code + ": " + r.Text
	}
	return fmt.Sprint(err)
}

// plainly are events with all that does not depend on the way they came.
func plainly(events []dcb.Recorded) []string {
	lines := make([]string, len(events))
	for i, e := range events {
		plain, _ := dcb.MapPersonal(e.Event, func(_ string, p dcb.Personal) (dcb.Personal, error) { return dcb.FromCiphertext(p.Reveal()), nil })
		lines[i] = fmt.Sprintf("%d %s %s %s %s %v", e.Position, e.Event.EventType(), e.Tenant, e.Command, e.Target, fields(plain))
	}
	return lines
}

func fields(e dcb.Event) (out []any) {
	v := reflect.ValueOf(e)
	for i := range v.NumField() {
		name, f := v.Type().Field(i).Name, v.Field(i).Interface()
		switch f := f.(type) {
		case dcb.Personal:
			out = append(out, name, f.Ciphertext())
		case dcb.Claim:
			out = append(out, name, f.Tag())
		default:
			if name != "Hash" { // of a secret that depends on the request
				out = append(out, name, f)
			}
		}
	}
	return out
}

// dice throw commands about few things, so that they get in each other's way.
type dice struct{ *rand.Rand }

func pick[T any](d dice, from ...T) T { return from[d.IntN(len(from))] }

func (d dice) caller() func(*commands.Order) {
	r := rights{all: true}
	if d.IntN(3) == 0 {
		r = rights{wide: []domain.Pattern{pick[domain.Pattern](d, "a.*", "a.b", "core.*")}, covers: []domain.UserID{d.user()}}
	}
	return func(o *commands.Order) { o.Rights = r }
}

func (d dice) name() string                    { return pick(d, "a", "A", "b", "c", "d") }
func (d dice) user() domain.UserID             { return user(pick(d, "a", "b", "c")) }
func (d dice) group() domain.GroupID           { return group(pick(d, "a", "b", "c")) }
func (d dice) department() domain.DepartmentID { return department(pick(d, "a", "b", "c")) }
func (d dice) role() domain.RoleID             { return role(pick(d, "a", "b", "c")) }
func (d dice) pattern() domain.Pattern         { return pick[domain.Pattern](d, "a.*", "a.b.*", "b.*") }
func (d dice) until() time.Time                { return now.Add(time.Duration(1+d.IntN(3)) * day) }

func (d dice) email() string {
	return pick(d, "", "a@acme.test", "A@acme.test", "b@acme.test", "c@other.test")
}

func maybe[T any](d dice, v T) (zero T) {
	if d.IntN(2) == 0 {
		return v
	}
	return zero
}

func (d dice) command() any {
	switch d.IntN(35) {
	case 0, 1, 2:
		return &commands.RegisterUser{ID: d.user(), DisplayName: d.name(), Email: d.email(), Department: maybe(d, d.department())}
	case 3:
		return &commands.UpdateUser{ID: d.user(), DisplayName: d.name()}
	case 4, 5:
		return &commands.ChangeUserEmail{ID: d.user(), Email: d.email()}
	case 6:
		return &commands.MoveUser{ID: d.user(), Department: maybe(d, d.department())}
	case 7:
		return pick[any](d, &commands.DeactivateUser{ID: d.user()}, &commands.ReactivateUser{ID: d.user()}, &commands.ReactivateUser{ID: d.user()})
	case 8, 9:
		return &commands.CreateGroup{ID: d.group(), Name: d.name(), Parent: maybe(d, d.group())}
	case 10:
		return &commands.MoveGroup{ID: d.group(), Parent: maybe(d, d.group())}
	case 11:
		return pick[any](d, &commands.DeleteGroup{ID: d.group()}, &commands.RenameGroup{ID: d.group(), Name: d.name()})
	case 12, 13:
		return &commands.CreateDepartment{ID: d.department(), Name: d.name(), Parent: maybe(d, d.department())}
	case 14:
		return &commands.MoveDepartment{ID: d.department(), Parent: maybe(d, d.department())}
	case 15:
		return pick[any](d, &commands.DeleteDepartment{ID: d.department()}, &commands.RenameDepartment{ID: d.department(), Name: d.name()})
	case 16, 17:
		return &commands.AddGroupMember{ID: membership(pick(d, "a", "b", "c", "d", "e")), Group: d.group(), User: d.user(), Role: pick(d, "", domain.Owner)}
	case 18:
		return &commands.ChangeGroupRole{Group: d.group(), User: d.user(), Role: pick(d, domain.Member, domain.Owner)}
	case 19:
		return &commands.RemoveGroupMember{Group: d.group(), User: d.user()}
	case 20, 21:
		return &commands.CreateRole{ID: d.role(), Name: d.name(), Privileges: maybe(d, []domain.Pattern{d.pattern()}), Parents: maybe(d, []domain.RoleID{d.role()})}
	case 22:
		return &commands.AddRoleParent{ID: d.role(), Parent: d.role()}
	case 23:
		return &commands.AddRolePrivilege{ID: d.role(), Privilege: d.pattern()}
	case 24:
		return pick[any](d, &commands.DeleteRole{ID: d.role()}, &commands.RenameRole{ID: d.role(), Name: d.name()}, &commands.RemoveRoleParent{ID: d.role(), Parent: d.role()},
			&commands.RemoveRolePrivilege{ID: d.role(), Privilege: d.pattern()})
	case 25, 26:
		return d.assignment()
	case 27:
		return &commands.UnassignRole{ID: assignment(pick(d, "a", "b", "c", "d"))}
	case 28:
		return &commands.SetPolicy{Key: pick(d, domain.EmailRequired, domain.GroupOwned, domain.ReasonRequired).Key, Value: pick(d, "true", "false")}
	case 29:
		return &commands.ResetPolicy{Key: pick(d, domain.EmailRequired, domain.GroupOwned, domain.ReasonRequired).Key}
	case 30:
		return &commands.LinkIdentity{ID: identity(pick(d, "a", "b", "c", "d")), User: d.user(), Issuer: "github", Subject: d.name()}
	case 31:
		return pick[any](d, &commands.UnlinkIdentity{ID: identity(pick(d, "a", "b", "c", "d"))}, &commands.SuspendTenant{}, &commands.ReactivateTenant{}, &commands.RenameTenant{Slug: pick[domain.Slug](d, "acme", "globex", "new")})
	case 32:
		return pick[any](d, &commands.IssueToken{ID: apiToken(d.name()), User: d.user(), Name: d.name(), ExpiresAt: d.until()},
			&commands.RotateToken{ID: apiToken(d.name())}, &commands.RevokeToken{ID: apiToken(d.name())}, &commands.ReactivateTenant{})
	case 33:
		return &commands.ReactivateTenant{}
	}
	return pick[any](d, &commands.AddDomain{ID: dnsDomain(d.name()), Domain: d.name() + ".test"}, &commands.RemoveDomain{ID: dnsDomain(d.name())},
		&commands.AddOverride{ID: override(d.name()), Effect: domain.Deny, Privilege: d.pattern(), User: maybe(d, d.user()), ExpiresAt: d.until(), Reason: "r"},
		&commands.RevokeOverride{ID: override(d.name())}, &commands.ReactivateTenant{})
}

func (d dice) assignment() *commands.AssignRole {
	c := &commands.AssignRole{ID: assignment(pick(d, "a", "b", "c", "d")), Role: d.role(), On: pick[domain.Scope](d, "", "repo:x"), Until: maybe(d, d.until())}
	switch d.IntN(3) {
	case 0:
		c.User = d.user()
	case 1:
		c.Group = d.group()
	case 2:
		c.Department = d.department()
	}
	return c
}

func TestTheRecordOfRefusalsCannotBeFlooded(t *testing.T) {
	w := newWorld(t)
	head := w.head(t)
	r := commands.NewRefusals(w.Engine, slog.New(slog.DiscardHandler))
	for range 1000 {
		r.Note(commands.Party{Tenant: acme, User: chief}, "assign-role", "may-not-grant", "assignment:x")
	}
	r.Note(commands.Party{Tenant: acme, User: chief}, "assign-role", "not-allowed", "assignment:x")
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	r.Run(ctx)
	counts := map[string]int{}
	for _, e := range w.stored(t, head) {
		said := e.Event.(domain.CommandRefused)
		counts[said.Code] += said.Count
		if e.Actor != chief.UUID || e.Tenant != acme.UUID || said.Object != "assignment:x" {
			t.Errorf("recorded %+v as %+v", said, e.Meta)
		}
	}
	if want := map[string]int{"may-not-grant": 1000, "not-allowed": 1}; !cmp.Equal(want, counts) || w.head(t) != head+2 {
		t.Errorf("counted %v in %d events, want %v in 2", counts, w.head(t)-head, want)
	}
	for range 5000 {
		r.Note(commands.Party{Tenant: acme, User: domain.UserID{UUID: uuid.New()}}, "assign-role", "may-not-grant", "")
	}
	head = w.head(t)
	r.Run(ctx)
	if n := w.head(t) - head; n > 1001 {
		t.Errorf("5000 callers made %d events, want at most 1001", n)
	}
}
