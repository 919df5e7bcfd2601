package commands

// Registry is every command there is. Adding one: a struct, its Decide, a line here, and its tests.
var Registry = []Spec{
	of[CreateTenant]("core.tenants.create", "Open a tenant.").onPlatform(),
	of[RenameTenant]("core.tenants.rename", "Give the tenant another name or slug."),
	of[SuspendTenant]("core.tenants.suspend", "Stop every access of the tenant's users.").onPlatform(),
	of[ReactivateTenant]("core.tenants.reactivate", "End a suspension.").onPlatform().reviving(),
	of[CloseTenant]("core.tenants.close", "End a tenant for ever; its slug and domains become free.").onPlatform().reviving(),

	of[AddDomain]("core.domains.add", "Claim a domain; the answer's challenge goes into DNS."),
	of[VerifyDomain]("core.domains.verify", "Look for the challenge in DNS and take the domain."),
	of[SetPrimaryDomain]("core.domains.set-primary", "Make a verified domain the main one."),
	of[RemoveDomain]("core.domains.remove", "Give a domain up."),

	of[CreateDepartment]("core.departments.create", "Add a department."),
	of[RenameDepartment]("core.departments.rename", "Give a department another name."),
	of[MoveDepartment]("core.departments.move", "Put a department under another one, or at the top."),
	of[DeleteDepartment]("core.departments.delete", "Remove an empty department."),

	of[CreateGroup]("core.groups.create", "Add a group."),
	of[RenameGroup]("core.groups.rename", "Give a group another name or description."),
	of[MoveGroup]("core.groups.move", "Put a group under another one, or at the top."),
	of[DeleteGroup]("core.groups.delete", "Remove a group, its memberships, roles and overrides."),

	of[AddGroupMember]("core.group-memberships.add", "Put a user into a group."),
	of[ChangeGroupRole]("core.group-memberships.change", "Make a member something else to the group."),
	of[RemoveGroupMember]("core.group-memberships.remove", "Take a user out of a group."),

	of[SetPolicy]("core.policies.set", "Give a setting a value."),
	of[ResetPolicy]("core.policies.reset", "Return a setting to its default."),

	of[RegisterUser]("core.users.register", "Add a user."),
	of[UpdateUser]("core.users.update", "Give a user another display name."),
	of[ChangeUserEmail]("core.users.change-email", "Give a user another e-mail address."),
	of[MoveUser]("core.users.move", "Put a user into a department, or into none."),
	of[DeactivateUser]("core.users.deactivate", "End every access of a user."),
	of[ReactivateUser]("core.users.reactivate", "Let a user act again, or an invited one for the first time."),

	of[LinkIdentity]("core.identities.link", "Link a user to the subject of an outside issuer."),
	of[UnlinkIdentity]("core.identities.unlink", "End such a link."),

	of[IssueToken]("core.tokens.issue", "Issue an API token; the answer shows it once."),
	of[RotateToken]("core.tokens.rotate", "Replace a token's secret; the answer shows it once."),
	of[RevokeToken]("core.tokens.revoke", "End a token."),

	of[RegisterPrivilege]("core.privileges.register", "Make a privilege known on the platform.").onPlatform(),
	of[DescribePrivilege]("core.privileges.describe", "Change what is said of a privilege.").onPlatform(),

	of[CreateRole]("core.roles.create", "Add a role with its privileges."),
	of[RenameRole]("core.roles.rename", "Give a role another name or description."),
	of[DeleteRole]("core.roles.delete", "Remove a role that nobody has."),
	of[AddRolePrivilege]("core.roles.add-privilege", "Put a privilege into a role."),
	of[RemoveRolePrivilege]("core.roles.remove-privilege", "Take a privilege out of a role."),
	of[AddRoleParent]("core.roles.add-parent", "Make a role inherit from another."),
	of[RemoveRoleParent]("core.roles.remove-parent", "End such an inheritance."),

	of[AssignRole]("core.assignments.assign", "Give a role to a user, a department or a group."),
	of[UnassignRole]("core.assignments.unassign", "Take a role back."),

	of[AddOverride]("core.overrides.add", "Allow or deny a privilege past all roles, for a time."),
	of[RevokeOverride]("core.overrides.revoke", "End an override."),
}
