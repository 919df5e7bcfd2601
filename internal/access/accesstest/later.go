package accesstest

import (
	"errors"
	"strings"

	"chancery/domain"
	"chancery/internal/dcb"
)

// happen reads a sentence such as "move group web to ops"; names stand at the even places.
func (w World) happen(t string, words []string) (dcb.Event, error) {
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
