package accesstest

import (
	"errors"
	"strings"

	"chancery/domain"
	"chancery/internal/dcb"
)

// happen reads a sentence such as "move group web to ops"; names stand at the even places.
func (w World) happen(t string, words []string) ([]placed, error) {
	name := func(i int) string {
		if i < len(words) {
			return words[i]
		}
		return ""
	}
	switch strings.Join(words[:min(2, len(words))], " ") {
	case "accept delegation", "decline delegation", "revoke delegation", "expire delegation":
		return w.answer(t, words[0], name(2)), w.slips()
	case "grant again": // <delegation> to <user>, under the id it has
		e := w.granted(t, name(2))
		e.Delegate = w.user(t, name(4))
		return []placed{{t, e}}, nil
	case "remove outside": // <user> from <group>
		home, _ := w.home(t, name(2))
		ended := domain.OutsideMembershipEnded{
			Invitation: domain.InvitationID{UUID: w.outside(t, name(2), name(4)).UUID}, Group: w.group(t, name(4)), User: w.user(t, name(2)),
		}
		removed := domain.MemberRemoved{Membership: w.outside(t, name(2), name(4)), Group: w.group(t, name(4)), User: w.user(t, name(2))}
		return []placed{{t, removed}, {t, ended}, {home, ended}}, nil
	}
	if events := w.installed(t, strings.Join(words[:min(2, len(words))], " "), name); events != nil {
		return events, w.slips()
	}
	e, err := w.sentence(t, words)
	return []placed{{t, e}}, err
}

func (w World) sentence(t string, words []string) (dcb.Event, error) {
	name := func(i int) string {
		if i < len(words) {
			return words[i]
		}
		return ""
	}
	form := strings.Join(words[:min(2, len(words))], " ")
	switch form {
	case "move user":
		return domain.UserMoved{User: w.user(t, name(2)), Department: w.department(t, name(4))}, nil
	case "move department":
		return domain.DepartmentMoved{Department: w.department(t, name(2)), Parent: w.department(t, name(4))}, nil
	case "move group":
		return domain.GroupMoved{Group: w.group(t, name(2)), Parent: w.group(t, name(4))}, nil
	case "delete department":
		return domain.DepartmentDeleted{Department: w.department(t, name(2))}, nil
	case "delete group":
		return domain.GroupDeleted{Group: w.group(t, name(2))}, nil
	case "delete role":
		return domain.RoleDeleted{Role: w.role(t, name(2))}, nil
	case "deactivate user":
		return domain.UserDeactivated{User: w.user(t, name(2))}, nil
	case "reactivate user":
		return domain.UserReactivated{User: w.user(t, name(2))}, nil
	case "suspend tenant":
		return domain.TenantSuspended{Tenant: w.Tenant(t)}, nil
	case "reactivate tenant":
		return domain.TenantReactivated{Tenant: w.Tenant(t)}, nil
	case "close tenant":
		return domain.TenantClosed{Tenant: w.Tenant(t), Released: domain.Slug(t)}, nil
	case "remove member": // <user> from <group>
		return domain.MemberRemoved{Membership: w.membership(t, name(2), name(4)), Group: w.group(t, name(4)), User: w.user(t, name(2))}, nil
	case "change member": // <user> in <group> to <role>
		return domain.MemberRoleChanged{
			Membership: w.membership(t, name(2), name(4)), Group: w.group(t, name(4)), User: w.user(t, name(2)), Role: domain.GroupRole(name(6)),
		}, nil
	case "drop privilege": // <pattern> from <role>
		return domain.RolePrivilegeRemoved{Role: w.role(t, name(4)), Privilege: domain.Pattern(name(2))}, nil
	case "drop parent": // <parent> from <role>
		return domain.RoleParentRemoved{Role: w.role(t, name(4)), Parent: w.role(t, name(2))}, nil
	case "add parent": // <parent> to <role>
		return domain.RoleParentAdded{Role: w.role(t, name(4)), Parent: w.role(t, name(2))}, nil
	case "erase user":
		return domain.UserErased{User: w.user(t, name(2)), Erases: w.user(t, name(2)).UUID}, nil
	case "set policy": // <key> to <value>
		return w.setting(t, name(2), strings.Join(words[min(4, len(words)):], " ")), nil
	case "reset policy":
		e := w.setting(t, name(2), "")
		return domain.PolicyReset{Policy: e.Policy, Key: e.Key, Version: 2}, nil
	case "remove constraint":
		return domain.ConstraintRemoved{Constraint: w.constraint(t, name(2))}, nil
	case "end impersonation":
		i := w.file.Tenants[t].Impersonations[name(2)]
		return domain.ImpersonationEnded{Impersonation: w.impersonation(t, name(2)), Admin: w.user(t, i.Admin), Target: w.user(t, i.Target)}, nil
	case "expire impersonation":
		i := w.file.Tenants[t].Impersonations[name(2)]
		return domain.ImpersonationExpired{Impersonation: w.impersonation(t, name(2)), Admin: w.user(t, i.Admin), Target: w.user(t, i.Target)}, nil
	case "revoke token":
		k := w.file.Tenants[t].Tokens[name(2)]
		return domain.TokenRevoked{Token: domain.TokenID{UUID: w.id(t, "token", name(2))}, User: w.user(t, k.User)}, nil
	case "end assignment":
		a := w.file.Tenants[t].Assignments[name(2)]
		return domain.RoleUnassigned{
			Assignment: domain.AssignmentID{UUID: w.id(t, "assignment", name(2))}, Role: w.role(t, a.Role),
			User: w.user(t, a.To.User), Department: w.department(t, a.To.Department), Group: w.group(t, a.To.Group),
		}, nil
	case "revoke override":
		o := w.file.Tenants[t].Overrides[name(2)]
		return domain.OverrideRevoked{
			Override: domain.OverrideID{UUID: w.id(t, "override", name(2))},
			User:     w.user(t, o.To.User), Department: w.department(t, o.To.Department), Group: w.group(t, o.To.Group),
		}, nil
	}
	return nil, errors.New("no such sentence")
}
