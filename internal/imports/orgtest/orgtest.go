// Package orgtest holds the full state of GitHub organisations against a history of their changes. It never asks Chancery.
package orgtest

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"time"

	"chancery/internal/imports"
)

// State is every organisation at one instant, as in the state files of the real history.
type State map[string]*Org

// Org is one organisation. Administrators are no members.
type Org struct {
	Admins  []string         `json:"admins"`
	Members []string         `json:"members"`
	Teams   map[string]*Team `json:"teams"`
}

// Team is one team.
type Team struct {
	Parent      *string           `json:"parent"`
	Members     []string          `json:"members"`
	Maintainers []string          `json:"maintainers"`
	Repos       map[string]string `json:"repos"`
}

// Replay is the state that the changes up to an instant lead to, by sets alone.
func Replay(changes []imports.Change, until time.Time) State {
	s := State{}
	for _, c := range changes {
		if c.At.After(until) {
			break
		}
		s.apply(c)
	}
	for _, o := range s {
		o.Members = slices.DeleteFunc(o.Members, func(u string) bool { return slices.Contains(o.Admins, u) })
	}
	return s
}

func (s State) apply(c imports.Change) {
	if c.Change == "org.added" {
		s[c.Org] = &Org{Admins: []string{}, Members: []string{}, Teams: map[string]*Team{}}
		return
	}
	o, t := s[c.Org], s[c.Org].Teams[c.Team]
	switch c.Change {
	case "member.added":
		o.Members = with(o.Members, c.User)
	case "member.removed":
		o.Members = without(o.Members, c.User)
	case "admin.granted":
		o.Admins = with(o.Admins, c.User)
	case "admin.revoked":
		o.Admins = without(o.Admins, c.User)
	case "team.added":
		o.Teams[c.Team] = &Team{Parent: c.Parent, Members: []string{}, Maintainers: []string{}, Repos: map[string]string{}}
	case "team.moved":
		t.Parent = c.Parent
	case "team.removed":
		delete(o.Teams, c.Team)
	case "team.joined", "team.left":
		list := &t.Members
		if c.Role == "maintainer" {
			list = &t.Maintainers
		}
		if c.Change == "team.joined" {
			*list = with(*list, c.User)
		} else {
			*list = without(*list, c.User)
		}
	case "repo.granted":
		t.Repos[c.Repo] = c.Permission
	case "repo.revoked":
		if t.Repos[c.Repo] == c.Permission {
			delete(t.Repos, c.Repo)
		}
	}
}

func with(list []string, s string) []string {
	if i, found := slices.BinarySearch(list, s); !found {
		return slices.Insert(list, i, s)
	}
	return list
}

func without(list []string, s string) []string {
	if i, found := slices.BinarySearch(list, s); found {
		return slices.Delete(list, i, i+1)
	}
	return list
}

// Generate makes up an organisation's history of about n changes. The same seed gives the same history.
func Generate(seed uint64, n int) []imports.Change {
	g := &generator{
		rand: rand.New(rand.NewPCG(seed, 1)),
		at:   time.Date(2020, 2, 29, 12, 0, 0, 0, time.UTC),
		org:  fmt.Sprintf("made-up-%d", seed),
	}
	g.add(imports.Change{Change: "org.added"})
	for len(g.changes) < n {
		if g.rand.IntN(3) == 0 {
			g.at = g.at.Add(time.Duration(1+g.rand.IntN(12)) * time.Hour)
		}
		g.step()
	}
	return g.changes
}

type generator struct {
	rand    *rand.Rand
	at      time.Time
	org     string
	changes []imports.Change
	state   State
	users   int
	teams   int
}

func (g *generator) add(c imports.Change) {
	c.At, c.Org = g.at, g.org
	if g.state == nil {
		g.state = State{}
	}
	g.state.apply(c)
	g.changes = append(g.changes, c)
}

func (g *generator) step() {
	o := g.state[g.org]
	team, user := g.pick(slices.Sorted(maps.Keys(o.Teams))), g.pick(o.Members)
	switch dice := g.rand.IntN(20); {
	case dice < 5 || user == "":
		g.users++
		g.add(imports.Change{Change: "member.added", User: fmt.Sprintf("made-up-%04d", g.users)})
	case dice < 7 || team == "":
		g.teams++
		g.add(imports.Change{Change: "team.added", Team: fmt.Sprintf("team-%d", g.teams), Parent: g.parent("")})
	case dice < 8:
		g.add(imports.Change{Change: "team.moved", Team: team, Parent: g.parent(team)})
	case dice < 10:
		g.grant(o, team)
	case dice < 11:
		if !slices.Contains(o.Admins, user) {
			g.add(imports.Change{Change: "admin.granted", User: user})
		} else {
			g.add(imports.Change{Change: "admin.revoked", User: user})
		}
	case dice < 12:
		g.leave(o, user)
	default:
		g.join(o.Teams[team], team, user)
	}
}

func (g *generator) pick(list []string) string {
	if len(list) == 0 {
		return ""
	}
	return list[g.rand.IntN(len(list))]
}

// parent is some team that does not stand below the one to be moved.
func (g *generator) parent(of string) *string {
	teams := g.state[g.org].Teams
	name := g.pick(slices.Sorted(maps.Keys(teams)))
	for up, depth := name, 0; up != ""; depth++ {
		if up == of || depth > 6 {
			return nil
		}
		p := teams[up].Parent
		if p == nil {
			break
		}
		up = *p
	}
	if name == "" || g.rand.IntN(2) == 0 {
		return nil
	}
	return &name
}

func (g *generator) grant(o *Org, team string) {
	repo := fmt.Sprintf("repo-%d", g.rand.IntN(9))
	if old := o.Teams[team].Repos[repo]; old != "" {
		g.add(imports.Change{Change: "repo.revoked", Team: team, Repo: repo, Permission: old})
		return
	}
	permission := []string{"read", "triage", "write", "maintain", "admin"}[g.rand.IntN(5)]
	g.add(imports.Change{Change: "repo.granted", Team: team, Repo: repo, Permission: permission})
}

func (g *generator) leave(o *Org, user string) {
	if slices.Contains(o.Admins, user) {
		g.add(imports.Change{Change: "admin.revoked", User: user})
	}
	for _, name := range slices.Sorted(maps.Keys(o.Teams)) {
		g.out(o.Teams[name], name, user)
	}
	g.add(imports.Change{Change: "member.removed", User: user})
}

func (g *generator) out(t *Team, name, user string) (was string) {
	for role, list := range map[string][]string{"member": t.Members, "maintainer": t.Maintainers} {
		if slices.Contains(list, user) {
			was = role
		}
	}
	if was != "" {
		g.add(imports.Change{Change: "team.left", Team: name, User: user, Role: was})
	}
	return was
}

func (g *generator) join(t *Team, name, user string) {
	was := g.out(t, name, user)
	role := []string{"member", "maintainer"}[g.rand.IntN(2)]
	if role != was {
		g.add(imports.Change{Change: "team.joined", Team: name, User: user, Role: role})
	}
}
