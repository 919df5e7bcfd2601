package commands_test

import (
	"fmt"
	"testing"

	"chancery/commands"
	"chancery/domain"
	"chancery/internal/dcb"
)

func TestADepartmentIsCreatedAtTheTopOrUnderAnother(t *testing.T) {
	top := commands.CreateDepartment{ID: department("sales"), Name: "sales"}
	given().When(top.Decide(env())).Then(t, departmentMade("sales", ""))
	below := commands.CreateDepartment{ID: department("inland"), Name: "inland", Parent: department("sales")}
	given(departmentMade("sales", "")).When(below.Decide(env())).Then(t, departmentMade("inland", "sales"))
	given().When(below.Decide(env())).ThenRefused(t, domain.ErrDepartmentUnknown)
	given().elsewhere(globex, departmentMade("sales", "")).When(below.Decide(env())).ThenRefused(t, domain.ErrDepartmentUnknown)
	given(departmentMade("sales", ""), departmentGone("sales", "")).When(below.Decide(env())).ThenRefused(t, domain.ErrDepartmentUnknown)
}

func departmentGone(name, parent string) domain.DepartmentDeleted {
	made := departmentMade(name, parent)
	return domain.DepartmentDeleted{Department: made.Department, Parent: made.Parent, Released: made.Key}
}

func departmentMoved(name, from, to string) domain.DepartmentMoved {
	was, is := departmentMade(name, from), departmentMade(name, to)
	return domain.DepartmentMoved{Department: is.Department, Parent: is.Parent, From: was.Parent, Key: is.Key, Released: was.Key}
}

func departmentRenamed(name, parent, to string) domain.DepartmentRenamed {
	was, is := departmentMade(name, parent), departmentMade(to, parent)
	return domain.DepartmentRenamed{Department: was.Department, Name: to, Key: is.Key, Released: was.Key}
}

func TestDepartmentNamesHaveALength(t *testing.T) {
	for name, ok := range names() {
		made := given().When(commands.CreateDepartment{ID: department("x"), Name: name}.Decide(env()))
		changed := given(departmentMade("sales", "")).When(commands.RenameDepartment{ID: department("sales"), Name: name}.Decide(env()))
		if ok {
			made.Events(t)
			changed.Events(t)
		} else {
			made.ThenInvalid(t, "/name")
			changed.ThenInvalid(t, "/name")
		}
	}
}

func TestADepartmentIDIsNeverUsedTwice(t *testing.T) {
	c := commands.CreateDepartment{ID: department("sales"), Name: "other"}
	given(departmentMade("sales", ""), departmentGone("sales", "")).When(c.Decide(env())).ThenRefused(t, domain.ErrIDTaken)
	given().elsewhere(globex, departmentMade("sales", "")).When(c.Decide(env())).ThenRefused(t, domain.ErrIDTaken)
}

func TestSiblingsHaveDifferentNames(t *testing.T) {
	h := given(departmentMade("sales", ""), departmentMade("café", ""), departmentMade("inland", "sales"))
	create := func(name, parent string) dcb.Decision {
		c := commands.CreateDepartment{ID: department("new"), Name: name}
		if parent != "" {
			c.Parent = department(parent)
		}
		return c.Decide(env())
	}
	for _, name := range []string{"sales", "SALES", "Cafe\u0301", "CAFÉ"} {
		h.When(create(name, "")).ThenRefused(t, domain.ErrDepartmentName)
	}
	h.When(create("Inland", "sales")).ThenRefused(t, domain.ErrDepartmentName)
	h.When(create("inland", "")).Events(t)
	h.When(create("inland", "café")).Events(t)
	h.When(commands.RenameDepartment{ID: department("sales"), Name: "Café"}.Decide(env())).ThenRefused(t, domain.ErrDepartmentName)
	given().elsewhere(globex, departmentMade("sales", "")).When(create("sales", "")).Events(t)
}

func TestADepartmentsNameIsFreeOnceItIsGivenUp(t *testing.T) {
	h := given(departmentMade("sales", ""), departmentMade("north", ""), departmentMade("inland", "sales"))
	top := func() dcb.Decision {
		return commands.CreateDepartment{ID: department("new"), Name: "sales"}.Decide(env())
	}
	h.When(top()).ThenRefused(t, domain.ErrDepartmentName)
	h.and(departmentRenamed("sales", "", "trade")).When(top()).Events(t)
	h.and(departmentMoved("sales", "", "north")).When(top()).Events(t)
	h.and(departmentGone("inland", "sales"), departmentGone("sales", "")).When(top()).Events(t)
	back := h.and(departmentRenamed("sales", "", "trade"), domain.DepartmentRenamed{
		Department: department("sales"), Name: "sales", Key: domain.DepartmentKey(acme, domain.DepartmentID{}, "sales"),
		Released: domain.DepartmentKey(acme, domain.DepartmentID{}, "trade"),
	})
	back.When(top()).ThenRefused(t, domain.ErrDepartmentName)
	back.When(commands.RenameDepartment{ID: department("north"), Name: "trade"}.Decide(env())).Events(t)
}

func TestRenamingADepartmentToTheSameNameChangesNothing(t *testing.T) {
	h := given(departmentMade("sales", ""))
	rename := func(name string) dcb.Decision {
		return commands.RenameDepartment{ID: department("sales"), Name: name}.Decide(env())
	}
	h.When(rename("sales")).ThenNothing(t)
	key := domain.DepartmentKey(acme, domain.DepartmentID{}, "sales")
	h.When(rename("Sales")).Then(t, domain.DepartmentRenamed{Department: department("sales"), Name: "Sales", Key: key, Released: key})
	h.When(rename("trade")).Then(t, departmentRenamed("sales", "", "trade"))
	given().When(rename("trade")).ThenRefused(t, domain.ErrDepartmentUnknown)
	given().elsewhere(globex, departmentMade("sales", "")).When(rename("trade")).ThenRefused(t, domain.ErrDepartmentUnknown)
	h.and(departmentGone("sales", "")).When(rename("trade")).ThenRefused(t, domain.ErrDepartmentUnknown)
}

func moveDepartment(name, to string, e commands.Env) dcb.Decision {
	c := commands.MoveDepartment{ID: department(name)}
	if to != "" {
		c.Parent = department(to)
	}
	return c.Decide(e)
}

func TestADepartmentMovesWithAllBelowIt(t *testing.T) {
	h := given(departmentMade("sales", ""), departmentMade("inland", "sales"), departmentMade("north", ""))
	h.When(moveDepartment("inland", "north", env())).Then(t, departmentMoved("inland", "sales", "north"))
	h.When(moveDepartment("inland", "", env())).Then(t, departmentMoved("inland", "sales", ""))
	h.When(moveDepartment("inland", "sales", env())).ThenNothing(t)
	h.When(moveDepartment("sales", "", env())).ThenNothing(t)
	h.When(moveDepartment("none", "sales", env())).ThenRefused(t, domain.ErrDepartmentUnknown)
	h.When(moveDepartment("sales", "none", env())).ThenRefused(t, domain.ErrDepartmentUnknown)
	h.elsewhere(globex, departmentMade("theirs", "")).When(moveDepartment("sales", "theirs", env())).ThenRefused(t, domain.ErrDepartmentUnknown)
	h.and(departmentMade("INLAND", "")).When(moveDepartment("inland", "", env())).ThenRefused(t, domain.ErrDepartmentName)
}

func TestNoDepartmentStandsBelowItself(t *testing.T) {
	chain := departmentChain(domain.MaxDepth)
	h := given(chain...)
	h.When(moveDepartment("d0", "d0", env())).ThenRefused(t, domain.ErrDepartmentCycle)
	h.When(moveDepartment("d0", "d1", env())).ThenRefused(t, domain.ErrDepartmentCycle)
	h.When(moveDepartment("d0", fmt.Sprint("d", domain.MaxDepth-1), env())).ThenRefused(t, domain.ErrDepartmentCycle)
	// A cycle made by earlier moves of the way up is seen too.
	moved := given(departmentMade("a", ""), departmentMade("b", ""), departmentMade("c", ""), departmentMoved("b", "", "a"), departmentMoved("c", "", "b"))
	moved.When(moveDepartment("a", "c", env())).ThenRefused(t, domain.ErrDepartmentCycle)
	moved.and(departmentMoved("b", "a", "")).When(moveDepartment("a", "c", env())).Events(t)
}

// departmentChain is d0 at the top, d1 below it, and so on.
func departmentChain(n int) []dcb.Event {
	events := []dcb.Event{departmentMade("d0", "")}
	for i := 1; i < n; i++ {
		events = append(events, departmentMade(fmt.Sprint("d", i), fmt.Sprint("d", i-1)))
	}
	return events
}

func TestDepartmentsNestAtMost32Deep(t *testing.T) {
	last := func(n int) string { return fmt.Sprint("d", n-1) }
	create := func(parent string) dcb.Decision {
		return commands.CreateDepartment{ID: department("new"), Name: "new", Parent: department(parent)}.Decide(env())
	}
	given(departmentChain(31)...).When(create(last(31))).Events(t)
	given(departmentChain(32)...).When(create(last(32))).ThenRefused(t, domain.ErrDepartmentDeep)

	three := []dcb.Event{departmentMade("a", ""), departmentMade("b", "a"), departmentMade("c", "b")}
	given(departmentChain(29)...).and(three...).When(moveDepartment("a", last(29), env())).Events(t)
	given(departmentChain(30)...).and(three...).When(moveDepartment("a", last(30), env())).ThenRefused(t, domain.ErrDepartmentDeep)
	given(departmentChain(30)...).and(three...).When(moveDepartment("b", last(30), env())).Events(t)
	given(departmentChain(30)...).and(three...).and(departmentGone("c", "b")).When(moveDepartment("a", last(30), env())).Events(t)
	given(departmentChain(32)...).When(moveDepartment(last(32), "", env())).Events(t)
}

func TestADepartmentIsDeletedOnceItIsEmpty(t *testing.T) {
	h := given(departmentMade("sales", "north"))
	remove := func() dcb.Decision { return commands.DeleteDepartment{ID: department("sales")}.Decide(env()) }
	ann := registered("ann")
	ann.Department = department("sales")
	given().When(remove()).ThenRefused(t, domain.ErrDepartmentUnknown)
	h.When(remove()).Then(t, departmentGone("sales", "north"))
	h.and(departmentGone("sales", "north")).When(remove()).ThenRefused(t, domain.ErrDepartmentUnknown)

	for what, in := range map[string][2]dcb.Event{
		"department created there": {departmentMade("inland", "sales"), departmentGone("inland", "sales")},
		"department moved there":   {departmentMoved("east", "", "sales"), departmentMoved("east", "sales", "")},
		"user registered there":    {ann, domain.UserMoved{User: user("ann"), From: department("sales")}},
		"user moved there":         {domain.UserMoved{User: user("bob"), Department: department("sales")}, domain.UserMoved{User: user("bob"), From: department("sales")}},
		"role": {
			domain.RoleAssigned{Assignment: assignment("a"), Role: role("r"), Department: department("sales"), Window: always()},
			domain.RoleUnassigned{Assignment: assignment("a"), Role: role("r"), Department: department("sales")},
		},
	} {
		t.Run(what, func(t *testing.T) {
			h.and(in[0]).When(remove()).ThenRefused(t, domain.ErrDepartmentNotEmpty)
			h.and(in[0], in[1]).When(remove()).Then(t, departmentGone("sales", "north"))
		})
	}
}

func TestMovingADepartmentGivesItsUsersNoMoreThanTheMoverHas(t *testing.T) {
	h := given(departmentMade("sales", ""), departmentMade("board", ""), departmentMade("inner", "board"),
		roleMade("reader"), holds("reader", "file.read"), roleMade("writer"), inherits("writer", "reader"), holds("writer", "file.write"),
		domain.RoleAssigned{Assignment: assignment("a"), Role: role("writer"), Department: department("board"), Window: always()})
	h.When(moveDepartment("sales", "inner", having("file.read"))).ThenRefused(t, domain.ErrMayNotGive)
	h.When(moveDepartment("sales", "inner", having("file.write"))).ThenRefused(t, domain.ErrMayNotGive)
	h.When(moveDepartment("sales", "inner", having("file.*"))).Events(t)
	h.When(moveDepartment("inner", "", having())).Events(t)
}
