package main

import (
	"context"
	"fmt"

	"chancery/internal/imports"
)

const (
	officeUsers  = 1000
	officeGroups = 50
	officeRoles  = 20
	officeThings = 300 // repositories that roles are assigned on
	rolePowers   = 10  // privileges of each role
)

// office makes a tenant: every user is in three groups, every group has two roles, a third of the users one of their own.
func office(ctx context.Context, c *imports.Client) error {
	platform := []imports.Line{{Command: "create-tenant", Body: map[string]any{"name": "Office", "slug": "office"}}}
	var lines []imports.Line
	do := func(command string, body map[string]any) {
		lines = append(lines, imports.Line{Command: command, Body: body})
	}
	for r := range officeRoles {
		var powers []string
		for p := range rolePowers {
			name := power(r, p)
			powers = append(powers, name)
			platform = append(platform, imports.Line{Command: "register-privilege", Body: map[string]any{"name": name}})
		}
		body := map[string]any{"id": numbered('r', int64(r)), "name": fmt.Sprintf("role %d", r), "privileges": powers}
		if r%4 > 0 {
			body["parents"] = []string{numbered('r', int64(r-1))}
		}
		do("create-role", body)
	}
	for g := range officeGroups {
		body := map[string]any{"id": numbered('g', int64(g)), "name": fmt.Sprintf("group %d", g)}
		if g > 0 {
			body["parent_id"] = numbered('g', int64((g-1)/4))
		}
		do("create-group", body)
		for i := range 2 {
			assign := map[string]any{"group_id": numbered('g', int64(g)), "role_id": numbered('r', int64((g+7*i)%officeRoles))}
			if i > 0 {
				assign["scope"] = fmt.Sprintf("repo:%d", g%officeThings)
			}
			do("assign-role", assign)
		}
	}
	for u := range officeUsers {
		id := numbered('u', int64(u))
		do("register-user", map[string]any{"id": id, "display_name": fmt.Sprintf("User %d", u), "email": fmt.Sprintf("user-%d@example.org", u)})
		for i := range 3 {
			do("add-group-member", map[string]any{"group_id": numbered('g', int64((u+i*17)%officeGroups)), "user_id": id})
		}
		if u%3 == 0 {
			do("assign-role", map[string]any{"user_id": id, "role_id": numbered('r', int64(u%officeRoles)), "scope": fmt.Sprintf("repo:%d", u%officeThings)})
		}
	}
	if err := c.Send(ctx, "root", platform); err != nil {
		return err
	}
	return c.Send(ctx, "office", lines)
}

func power(role, n int) string { return fmt.Sprintf("app%d.thing%d.read", role, n) }

// question is the n-th of a series that spreads over users, privileges and things.
func question(n int) (user, privilege string, thing int) {
	return numbered('u', int64(n*7%officeUsers)), power(n%officeRoles, n%rolePowers), n % officeThings
}
