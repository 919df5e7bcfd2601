package commands

// Registry is every command there is. Adding one: a struct, its Decide, a line here, and its tests.
var Registry = []Spec{
	of[CreateTenant]("core.tenants.create", "Open a tenant.").onPlatform(),
	of[RenameTenant]("core.tenants.rename", "Give the tenant another name or slug."),
	of[SuspendTenant]("core.tenants.suspend", "Stop every access of the tenant's users.").onPlatform(),
	of[ReactivateTenant]("core.tenants.reactivate", "End a suspension.").onPlatform().reviving(),
	of[CloseTenant]("core.tenants.close", "End a tenant for ever; its slug and domains become free.").onPlatform().reviving().stepUp(),

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

	of[AddGroupMember]("core.group-memberships.add", "Put a user into a group.").stepUp(),
	of[ChangeGroupRole]("core.group-memberships.change", "Make a member something else to the group."),
	of[RemoveGroupMember]("core.group-memberships.remove", "Take a user out of a group."),

	of[InviteToGroup]("core.group-invitations.create", "Invite a user of another tenant into a group.").stepUp(),
	of[AcceptGroupInvitation]("core.group-invitations.accept", "Join a group of another tenant, as the invited user.").own().stepUp(),
	of[DeclineGroupInvitation]("core.group-invitations.decline", "Decline an invitation into a group of another tenant, as the invited user.").own(),
	of[WithdrawGroupInvitation]("core.group-invitations.withdraw", "Take an invitation back that nobody has answered."),
	of[LeaveGroup]("core.group-invitations.leave", "Leave a group of another tenant, or take a user of one's own tenant out of it.").own(),

	of[SetPolicy]("core.policies.set", "Give a setting a value.").stepUp(),
	of[ResetPolicy]("core.policies.reset", "Return a setting to its default.").stepUp(),

	of[RegisterUser]("core.users.register", "Add a user."),
	of[UpdateUser]("core.users.update", "Give a user another display name."),
	of[ChangeUserEmail]("core.users.change-email", "Give a user another e-mail address.").stepUp(),
	of[ChangeUserContact]("core.users.change-contact", "Give a user another phone number or postal address.").own(),
	of[MoveUser]("core.users.move", "Put a user into a department, or into none."),
	of[DeactivateUser]("core.users.deactivate", "End every access of a user."),
	of[ReactivateUser]("core.users.reactivate", "Let a user act again, or an invited one for the first time."),
	of[EraseUser]("core.users.erase", "Erase a user for good, or ask somebody else to approve it where the policy wants four eyes.").reviving().stepUp(),
	of[ApproveErasure]("core.erasures.approve", "Erase a user whose erasure somebody else asked for.").reviving().stepUp(),
	of[CancelErasure]("core.erasures.cancel", "Withdraw a request to erase a user.").reviving(),

	of[LinkIdentity]("core.identities.link", "Link a user to the subject of an outside issuer.").stepUp(),
	of[UnlinkIdentity]("core.identities.unlink", "End such a link."),

	of[AddIssuer]("core.issuers.add", "Have an OpenID provider vouch for users.").stepUp(),
	of[ChangeIssuer]("core.issuers.change", "Change what holds of such an issuer.").stepUp(),
	of[RemoveIssuer]("core.issuers.remove", "End the trust in an issuer.").stepUp(),

	of[SetPassword]("core.credentials.set-password", "Give oneself a password, or another one.").own().stepUp(),
	of[EnrollTOTP]("core.credentials.enroll.totp", "Get a time-based one-time password; the answer shows its seed once.").own().signed().stepUp(),
	of[ConfirmTOTP]("core.credentials.enroll.confirmation", "Show a code of it, so that it counts.").own().signed().stepUp(),
	of[IssueRecoveryCodes]("core.credentials.enroll.recovery-codes", "Get codes that work once each; the answer shows them once.").own().signed().stepUp(),
	of[RegisterPasskey]("core.credentials.enroll.passkey", "Get a passkey.").own().signed().stepUp(),
	of[RemoveCredential]("core.credentials.remove", "Take away a credential of one's own, or somebody else's.").own().stepUp(),

	of[EndSession]("core.sessions.end", "End a session of one's own, or somebody else's.").own(),
	of[EndSessions]("core.sessions.end-all", "End all other sessions of one's own, or all of somebody else.").own(),

	of[InviteUser]("core.links.invite", "Mail an invited user a link to choose a password with."),
	of[SendPasswordReset]("core.links.reset", "Mail a user a link to choose another password with."),
	of[RevokeLink]("core.links.revoke", "Withdraw such a link."),

	of[IssueToken]("core.tokens.issue", "Issue an API token; the answer shows it once.").stepUp(),
	of[RotateToken]("core.tokens.rotate", "Replace a token's secret; the answer shows it once.").stepUp(),
	of[RevokeToken]("core.tokens.revoke", "End a token."),

	of[CreateSecret]("core.secrets.create", "Keep a value for an app, sealed."),
	of[RotateSecret]("core.secrets.rotate", "Give a secret its next value.").own(),
	of[ReadSecret]("core.secrets.read", "Tell a secret's value, once its reading is on record; an Idempotency-Key has no effect.").own().anew(),
	of[DisableSecret]("core.secrets.disable", "Keep everybody from reading a secret.").own(),
	of[EnableSecret]("core.secrets.enable", "Let a disabled secret be read again.").own(),
	of[DestroySecretVersion]("core.secrets.destroy-version", "Destroy a value that was replaced, for good.").own(),
	of[DestroySecret]("core.secrets.destroy", "Destroy a secret with all its values, for good; its name becomes free.").own().stepUp(),
	of[ScheduleRotation]("core.secrets.schedule", "Say how often a secret is to be rotated.").own(),

	of[CreateEndpoint]("core.endpoints.create", "Open a way for events of the tenant to an app; the answer shows the key of a webhook once.").stepUp(),
	of[ChangeEndpoint]("core.endpoints.change", "Give an endpoint other terms; what is absent stays.").own().stepUp(),
	of[EnableEndpoint]("core.endpoints.enable", "Have a disabled endpoint go on, with what came meanwhile or without.").own(),
	of[DisableEndpoint]("core.endpoints.disable", "Stop an endpoint; what is pending waits.").own(),
	of[DeleteEndpoint]("core.endpoints.delete", "End an endpoint for good.").own(),
	of[RotateEndpointSecret]("core.endpoints.rotate-secret", "Give a webhook other keys; the answer shows the new one once.").own().stepUp(),
	of[RevealEndpointSecret]("core.endpoints.reveal-secret", "Tell the key that a webhook signs with, once that is on record; an Idempotency-Key has no effect.").own().anew().stepUp(),
	of[TestEndpoint]("core.endpoints.test", "Send an endpoint a test event.").own(),

	of[RegisterPrivilege]("core.privileges.register", "Make a privilege known on the platform.").onPlatform(),
	of[DescribePrivilege]("core.privileges.describe", "Change what is said of a privilege.").onPlatform(),

	of[CreateRole]("core.roles.create", "Add a role with its privileges."),
	of[RenameRole]("core.roles.rename", "Give a role another name or description."),
	of[DeleteRole]("core.roles.delete", "Remove a role that nobody has."),
	of[AddRolePrivilege]("core.roles.add-privilege", "Put a privilege into a role.").stepUp(),
	of[RemoveRolePrivilege]("core.roles.remove-privilege", "Take a privilege out of a role."),
	of[AddRoleParent]("core.roles.add-parent", "Make a role inherit from another.").stepUp(),
	of[RemoveRoleParent]("core.roles.remove-parent", "End such an inheritance."),

	of[AssignRole]("core.assignments.assign", "Give a role to a user, a department or a group.").stepUp(),
	of[UnassignRole]("core.assignments.unassign", "Take a role back."),

	of[ApproveRequest]("core.approvals.approve", "Give what somebody else asked for: an assignment or a delegation that needs approval.").stepUp(),
	of[DenyRequest]("core.approvals.deny", "Refuse what somebody asked for."),
	of[CancelRequest]("core.approvals.cancel", "Withdraw a request for approval, one's own or somebody else's.").own(),

	of[StartReview]("core.reviews.start", "Begin a review of who has access, and say what silence means.").stepUp(),
	of[DecideReviewItem]("core.reviews.decide", "Keep an item under review, or take it back."),
	of[CloseReview]("core.reviews.close", "End a review early; what is undecided stays as it is."),

	of[CreateConstraint]("core.constraints.create", "Separate duties: roles that exclude one another, roles of a few, roles that need another.").stepUp(),
	of[RemoveConstraint]("core.constraints.remove", "End such a constraint; what it kept back becomes effective.").stepUp(),

	of[AddOverride]("core.overrides.add", "Allow or deny a privilege past all roles, for a time.").stepUp(),
	of[RevokeOverride]("core.overrides.revoke", "End an override.").stepUp(),

	of[StartImpersonation]("core.impersonations.start", "Act as a user, for an hour at most; the answer shows the token once.").stepUp(),
	of[RequestImpersonation]("core.impersonations.request", "Ask for the consent to act as a user."),
	of[ConsentToImpersonation]("core.impersonations.consent", "Allow that somebody acts as oneself, or as a user of one's tenant.").own().stepUp(),
	of[RefuseImpersonation]("core.impersonations.refuse", "Forbid it, or take the consent back before it is used.").own(),
	of[EndImpersonation]("core.impersonations.end", "End an impersonation, or withdraw the request for one.").own().reviving(),

	of[GrantDelegation]("core.delegations.grant", "Offer somebody to act with rights of the caller.").own().stepUp(),
	of[AcceptDelegation]("core.delegations.accept", "Agree to act for somebody.").own().stepUp(),
	of[DeclineDelegation]("core.delegations.decline", "Refuse to act for somebody.").own(),
	of[RevokeDelegation]("core.delegations.revoke", "End a delegation, and all that rest on it.").own().reviving(),

	of[AdmitVendor]("core.vendors.admit", "Let a tenant register apps and issue licences for them.").onPlatform().stepUp(),
	of[DismissVendor]("core.vendors.dismiss", "End that; apps, versions and licences stay.").onPlatform().stepUp(),

	of[CreateSigningKey]("core.signing-keys.create", "Make a key to sign licences with; from then on it signs.").stepUp(),
	of[RegisterSigningKey]("core.signing-keys.register", "Make known the public key of a vendor who signs elsewhere.").stepUp(),
	of[RetireSigningKey]("core.signing-keys.retire", "Have a key sign no more; what it has signed still verifies."),
	of[RevokeSigningKey]("core.signing-keys.revoke", "Have nobody believe any more what a key has signed, for good.").stepUp(),

	of[RegisterApp]("core.apps.register", "Make an app known on the platform, under a name of its own.").stepUp(),
	of[DescribeApp]("core.apps.describe", "Change what is said of an app."),

	of[PublishAppVersion]("core.app-versions.publish", "Add a version to an app; it never changes.").stepUp(),
	of[DeprecateAppVersion]("core.app-versions.deprecate", "Advise against a version."),
	of[UndeprecateAppVersion]("core.app-versions.undeprecate", "End that."),
	of[YankAppVersion]("core.app-versions.yank", "Withdraw a version for good; who runs it goes on.").stepUp(),

	of[DeployAppVersion]("core.routes.deploy", "Say where a version of an app runs, for the gateway.").onPlatform(),
	of[ReleaseAppRoute]("core.routes.release", "Give a prefix up that no version of the app serves any more."),

	of[IssueLicense]("core.licenses.issue", "Let a tenant use an app of the vendor's, and sign the licence file."),
	of[RenewLicense]("core.licenses.renew", "Give a licence a later end, and other terms where wanted."),
	of[ChangeLicense]("core.licenses.change", "Give a licence other terms."),
	of[SignLicense]("core.licenses.sign", "Make a licence file with a later end; the licence stays as it is."),
	of[SuspendLicense]("core.licenses.suspend", "Stop a licence for a while."),
	of[ReinstateLicense]("core.licenses.reinstate", "End that."),
	of[RevokeLicense]("core.licenses.revoke", "End a licence for good.").stepUp(),
	of[ImportLicense]("core.licenses.import", "Make known a licence that its vendor signed elsewhere, or its next revision."),

	of[Consume]("core.entitlements.consume", "Take something of a metered allowance.").own(),
	of[ReverseUsage]("core.entitlements.reverse", "Take a consumption back, within its period.").own(),

	of[AssignSeat]("core.seats.assign", "Give a user a named seat of a licence.").own(),
	of[LeaseSeat]("core.seats.lease", "Take a floating seat, until nothing is heard of its holder.").own(),
	of[KeepSeat]("core.seats.keep", "Hold a floating seat on: a heartbeat.").own(),
	of[ReleaseSeat]("core.seats.release", "Free a seat.").own(),

	of[ActivateLicense]("core.activations.activate", "Bind a licence to a machine.").own(),
	of[DeactivateLicense]("core.activations.deactivate", "End an activation.").own(),
	of[CheckOutActivation]("core.activations.check-out", "Let a machine go on without a server for a while; the answer shows its file once.").own(),
	of[CheckInActivation]("core.activations.check-in", "Give such a file up before its end.").own(),

	of[ConsumeEvent]("core.consumption.record", "Say that an app has handled an event; of all who say so the first is told so.").own(),
	of[CommitCheckpoint]("core.consumption.checkpoint", "Say how far the consumer of a pull endpoint has come.").own(),

	of[EnableApp]("core.tenant-apps.enable", "Put an app to work in the tenant, or learn all that is missing for it.").stepUp(),
	of[UpgradeApp]("core.tenant-apps.upgrade", "Put a later version of an app in its place; unless confirmed, learn what would change.").stepUp(),
	of[RollBackApp]("core.tenant-apps.roll-back", "Return to the version of an app that was at work before."),
	of[ConfigureApp]("core.tenant-apps.configure", "Give an app its configuration."),
	of[PinApp]("core.tenant-apps.pin", "Keep an app on the version that is at work."),
	of[UnpinApp]("core.tenant-apps.unpin", "End that."),
	of[DisableApp]("core.tenant-apps.disable", "Take an app out of work in the tenant."),

	of[RedeliverEvent](redeliverEvent, "Deliver an event to an endpoint anew.").own(),
	of[RedeliverRange](redeliverRange, "Deliver all events of a span of time anew that were attempted before.").own(),
	of[RedeliverFailed](redeliverDead, "Deliver all dead letters of an endpoint anew.").own(),
}
