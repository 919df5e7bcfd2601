// Package accesstest reads a matrix of access cases and makes the events of its worlds; it decides nothing.
package accesstest

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	"gopkg.in/yaml.v3"

	"chancery/domain"
)

// Suite is a matrix: worlds, and what must hold in them.
type Suite struct {
	Worlds []World
	Cases  []Case
}

// Case is one question to a world and the answer it must get.
type Case struct {
	Name      string
	World     string
	Tenant    domain.TenantID
	User      domain.UserID
	Token     domain.TokenID   // zero for none
	Ceiling   []domain.Pattern // the token's scopes; nil without a token
	Acting    Acting
	Privilege domain.Privilege
	Scope     domain.Scope
	At        time.Time
	Platform  bool
	Want      bool
	Why       string // the code of the reason
	Ended     bool   // a cascade has ended what it rests on, where cascades run
	Unheard   bool   // who acts so is not even heard: the token of the impersonation is not accepted
}

// Acting says by what the user acts for somebody else: one of the two at most.
type Acting struct {
	Delegation    domain.DelegationID
	Impersonation domain.ImpersonationID
}

type matrixFile struct {
	Worlds map[string]*worldFile `yaml:"worlds"`
	Cases  []group               `yaml:"cases"`
}

type group struct {
	About string     `yaml:"about"`
	World string     `yaml:"world"`
	Cases []caseFile `yaml:"are"`
}

type caseFile struct {
	Name     string     `yaml:"name"`
	Tenant   string     `yaml:"tenant"`
	Who      string     `yaml:"who"`
	Token    string     `yaml:"token"`
	Under    string     `yaml:"under"` // a delegation
	As       string     `yaml:"as"`    // an impersonation
	May      string     `yaml:"may"`
	On       string     `yaml:"on"`
	At       *time.Time `yaml:"at"`
	Platform bool       `yaml:"platform"`
	Want     string     `yaml:"want"`
	Why      string     `yaml:"why"`
	Ended    bool       `yaml:"ended"`
	Unheard  bool       `yaml:"unheard"`
}

// Load reads a matrix. It refuses unknown keys, names not declared and cases without an expectation.
func Load(path string) (Suite, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return Suite{}, fmt.Errorf("read the matrix: %w", err)
	}
	var m matrixFile
	dec := yaml.NewDecoder(bytes.NewReader(text))
	dec.KnownFields(true)
	if err := dec.Decode(&m); err != nil {
		return Suite{}, fmt.Errorf("read %s: %w", path, err)
	}
	var s Suite
	worlds := map[string]World{}
	for name, file := range m.Worlds {
		w, err := build(name, file)
		if err != nil {
			return Suite{}, fmt.Errorf("world %s: %w", name, err)
		}
		worlds[name] = w
		s.Worlds = append(s.Worlds, w)
	}
	slices.SortFunc(s.Worlds, func(a, b World) int { return strings.Compare(a.Name, b.Name) })
	seen := map[string]bool{}
	for _, g := range m.Cases {
		for _, f := range g.Cases {
			c, err := f.resolve(worlds[g.World])
			if err != nil {
				return Suite{}, fmt.Errorf("%s: %s: %w", g.About, f.Name, err)
			}
			c.Name = g.About + ": " + f.Name
			if seen[c.Name] {
				return Suite{}, fmt.Errorf("two cases are called %q", c.Name)
			}
			seen[c.Name] = true
			s.Cases = append(s.Cases, c)
		}
	}
	return s, nil
}

func (f caseFile) resolve(w World) (Case, error) {
	if w.file == nil {
		return Case{}, errors.New("the world is not declared")
	}
	if f.Name == "" || f.Why == "" || f.Want != "allow" && f.Want != "deny" {
		return Case{}, errors.New("a case needs a name, want: allow or deny, and why")
	}
	c := Case{
		World: w.Name, Tenant: w.Tenant(f.Tenant), Privilege: domain.Privilege(f.May),
		At: w.file.Asked, Platform: f.Platform, Want: f.Want == "allow", Why: f.Why, Ended: f.Ended, Unheard: f.Unheard,
	}
	c.Acting = Acting{w.delegation(f.Tenant, f.Under), w.impersonation(f.Tenant, f.As)}
	c.User = domain.UserID{UUID: w.id(f.Tenant, "user", f.Who)}
	if c.Scope = w.scope(f.Tenant, f.On); f.At != nil {
		c.At = *f.At
	}
	if f.Token != "" {
		home, name := w.home(f.Tenant, f.Token)
		if c.Token = (domain.TokenID{UUID: w.id(home, "token", name)}); w.slips() == nil {
			c.Ceiling = patterns(w.file.Tenants[home].Tokens[name].Scopes)
		}
	}
	return c, w.slips()
}

func patterns(words []string) []domain.Pattern {
	out := []domain.Pattern{}
	for _, w := range words {
		out = append(out, domain.Pattern(w))
	}
	return out
}
