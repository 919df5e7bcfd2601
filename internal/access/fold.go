package access

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/google/uuid"

	"chancery/domain"
	"chancery/internal/dcb"
)

var errUnknownEvent = errors.New("the index does not know the event")

// fold takes one event. An event speaks only for the tenant it was recorded in: what it says of things of another is
// not heard. Ids are never reused: a second creation under one id is not heard either.
func (x *Index) fold(r dcb.Recorded) error { //nolint:cyclop,maintidx // one case for each kind of event
	if _, foreign := r.Event.(dcb.Foreign); foreign {
		return nil // what apps publish changes nobody's access, and no answer
	}
	t := x.tenant(domain.TenantID{UUID: r.Tenant})
	t.changed = r.Position
	at := r.Position
	t.stir(r.Event)
	switch e := r.Event.(type) {
	case domain.TenantCreated, domain.TenantRenamed, domain.TenantSlugChanged,
		domain.TenantSuspended, domain.TenantReactivated, domain.TenantClosed:
		x.foldTenant(e, at)

	case domain.UserRegistered, domain.UserMoved, domain.UserDeactivated, domain.UserReactivated, domain.UserErased:
		x.foldUser(t, e, at)

	case domain.DepartmentCreated:
		t.plant(t.departments, e.Department.UUID, e.Parent.UUID, at)
	case domain.DepartmentMoved:
		t.replant(t.departments, e.Department.UUID, e.Parent.UUID, at)
	case domain.DepartmentDeleted:
		t.fell(t.departments, e.Department.UUID)
	case domain.GroupCreated:
		t.plant(t.groups, e.Group.UUID, e.Parent.UUID, at)
	case domain.GroupMoved:
		t.replant(t.groups, e.Group.UUID, e.Parent.UUID, at)
	case domain.GroupDeleted:
		t.fell(t.groups, e.Group.UUID)

	case domain.MemberAdded, domain.MemberRoleChanged, domain.MemberRemoved:
		x.foldMember(t, e, at)

	case domain.RoleCreated, domain.RoleDeleted, domain.RolePrivilegeAdded, domain.RolePrivilegeRemoved,
		domain.RoleParentAdded, domain.RoleParentRemoved:
		t.foldRole(e, at)

	case domain.RoleAssigned:
		to := subjects(e.User, e.Department, e.Group)
		if old := t.unassign(e.Assignment); old != nil {
			x.touch(t, old.to)
		}
		if len(to) == 1 {
			t.assign(&assignment{e.Assignment, e.Role, to[0], e.Scope, e.Window, at})
			x.touch(t, to...)
		}
	case domain.RoleUnassigned:
		if a := t.unassign(e.Assignment); a != nil {
			x.touch(t, a.to)
		}

	case domain.OverrideAdded:
		to := orEveryone(subjects(e.User, e.Department, e.Group))
		if old := t.unrule(e.Override); old != nil {
			x.touch(t, old.to...)
		}
		t.rule(&override{e.Override, e.Effect, e.Privilege, to, e.Scope, domain.Window{Until: e.ExpiresAt}, at})
		x.touch(t, to...)
	case domain.OverrideRevoked:
		if o := t.unrule(e.Override); o != nil {
			x.touch(t, o.to...)
		}

	case domain.TokenIssued, domain.TokenRotated, domain.TokenRevoked:
		x.foldToken(t, e)

	case domain.AssignmentExpired: // windows are judged when asked: it only need not be kept any longer
		if a := t.unassign(e.Assignment); a != nil {
			x.touch(t, a.to)
		}
	case domain.OverrideExpired: // likewise
		if o := t.unrule(e.Override); o != nil {
			x.touch(t, o.to...)
		}
	case domain.TokenExpired:
		// Its end is judged when it is shown, and may yet be moved.

	case domain.DelegationGranted, domain.DelegationAccepted, domain.DelegationDeclined, domain.DelegationRevoked, domain.DelegationExpired:
		x.foldDelegation(t, e, at)
	case domain.ImpersonationRequested, domain.ImpersonationConsented, domain.ImpersonationRefused,
		domain.ImpersonationStarted, domain.ImpersonationEnded, domain.ImpersonationExpired:
		x.foldImpersonation(t, e, at)
	case domain.ConstraintCreated, domain.ConstraintRemoved:
		t.foldConstraint(e, at)

	case domain.ApprovalGiven: // what was approved says the rest
		t.approvals[e.Approval.UUID] = at

	case domain.SessionStarted, domain.SessionSeen, domain.SessionElevated, domain.SessionEnded:
		x.foldSession(t, e, r.RecordedAt)

	case domain.IssuerAdded, domain.IssuerChanged, domain.IssuerRemoved:
		x.foldIssuer(t, e)
	case domain.IdentityLinked, domain.IdentityUnlinked:
		x.foldIdentity(t, e)

	case domain.PolicySet:
		x.foldSetting(t, e.Key, e.Value, at)
	case domain.PolicyReset:
		if s, known := domain.SettingOf(e.Key); known {
			x.foldSetting(t, e.Key, s.Default, at)
		}

	case domain.AppRegistered, domain.AppEnabled, domain.AppUpgraded, domain.AppRolledBack, domain.AppDisabled:
		x.foldApp(t, e, at)
	case domain.LicenseIssued, domain.LicenseRenewed, domain.LicenseChanged, domain.LicenseSigned, domain.LicenseSuspended,
		domain.LicenseReinstated, domain.LicenseRevoked, domain.LicenseExpired, domain.LicenseEnded:
		x.foldLicense(t, e, at)
	case domain.UsageRecorded, domain.UsageReversed, domain.SeatTaken, domain.SeatKept, domain.SeatReleased, domain.SeatLapsed:
		x.foldTaken(t, e, at)
	case domain.EndpointCreated:
		x.count(e.Pool, e, at)
	case domain.EndpointDeleted:
		x.count(e.Pool, e, at)
	case domain.AppVersionPublished, domain.AppVersionYanked, domain.AppVersionDeployed, domain.AppRouteReleased:
		x.foldRoute(t, e, at)

	case domain.PrivilegeRegistered:
		if t == x.root && x.privileges[e.Privilege] == 0 {
			x.privileges[e.Privilege] = at
		}

	case domain.UserUpdated, domain.UserEmailChanged, domain.UserContactChanged, domain.UserExported,
		domain.DepartmentRenamed, domain.GroupRenamed, domain.RoleRenamed, domain.PrivilegeDescribed,
		domain.DomainAdded, domain.DomainVerified, domain.DomainMadePrimary, domain.DomainRemoved,
		domain.SecretCreated, domain.SecretRotated, domain.SecretDisabled, domain.SecretEnabled, domain.SecretVersionDestroyed,
		domain.SecretDestroyed, domain.SecretScheduled, domain.SecretRotationDue, domain.SecretRead,
		domain.ErasureRequested, domain.ErasureCancelled,
		domain.InstallationBootstrapped, domain.CommandRefused,
		domain.PasswordSet, domain.TOTPEnrolled, domain.TOTPConfirmed, domain.RecoveryCodesIssued, domain.PasskeyRegistered,
		domain.CredentialUsed, domain.CredentialRemoved,
		domain.LinkIssued, domain.LinkMailed, domain.LinkUndeliverable, domain.LinkUsed, domain.LinkRevoked, domain.LinkExpired,
		domain.InvitationSent, domain.InvitationAccepted, domain.InvitationDeclined, domain.InvitationWithdrawn, domain.InvitationExpired,
		domain.OutsideMembershipEnded,
		domain.ApprovalRequested, domain.ApprovalDenied, domain.ApprovalCancelled, domain.ApprovalExpired,
		domain.ReviewStarted, domain.ReviewDecided, domain.ReviewClosed, domain.AccessChanged,
		domain.VendorAdmitted, domain.VendorDismissed,
		domain.SigningKeyCreated, domain.SigningKeyRegistered, domain.SigningKeyRetired, domain.SigningKeyRevoked,
		domain.AppDescribed, domain.ManifestPublished, domain.AppVersionDeprecated, domain.AppVersionUndeprecated,
		domain.AppPinned, domain.AppUnpinned, domain.AppConfigured,
		domain.EndpointChanged, domain.EndpointSecretRotated, domain.EndpointSecretDestroyed, domain.EndpointEnabled, domain.EndpointDisabled,
		domain.EndpointTested, domain.EndpointSecretRevealed, domain.RedeliveryRequested, domain.EventConsumed, domain.CheckpointCommitted,
		domain.LicenseActivated, domain.ActivationCheckedOut, domain.ActivationCheckedIn, domain.LicenseDeactivated:
		// These change nobody's access.

	default:
		return fmt.Errorf("%w %s", errUnknownEvent, r.Event.EventType())
	}
	return nil
}

func (x *Index) tenant(id domain.TenantID) *tenant {
	t := x.tenants[id]
	if t == nil {
		t = newTenant(id)
		x.tenants[id] = t
	}
	return t
}

// touch forgets the grants of those whom a change concerns.
func (x *Index) touch(t *tenant, whom ...subject) {
	for _, s := range whom {
		if s.kind != toUser {
			t.gen++
			continue
		}
		id := domain.UserID{UUID: s.id}
		if u := x.users[id]; u != nil {
			u.compiled.Store(nil)
		}
		if v := t.guests[id]; v != nil {
			v.compiled.Store(nil)
		}
	}
}

// foldSetting keeps what a tenant decided of what decisions about access rest on.
func (x *Index) foldSetting(t *tenant, key, value string, at int64) {
	switch key {
	case domain.OverrideAllow.Key:
		if t == x.root {
			x.permit(value, at)
		}
	case domain.StepUpMinutes.Key:
		t.proofLasts = proofLasts(value)
	case domain.EventsDeliverable.Key:
		t.deliverable = domain.PatternsOf(value)
	case domain.Delegable.Key, domain.DelegateOut.Key, domain.DelegateIn.Key, domain.ImpersonationWord.Key, domain.ImpersonationNever.Key,
		domain.OutsideMembers.Key, domain.JoinOutside.Key, domain.MembersSee.Key, domain.AnnounceAccess.Key:
		t.settings[key] = setting{value, at}
	}
	if key == domain.ImpersonationNever.Key {
		t.neverImpersonated = patternsOf(value)
	}
}

func (x *Index) permit(value string, at int64) {
	x.allowable, x.allowedAt = patternsOf(value), at
}

func patternsOf(value string) (out []domain.Pattern) {
	for word := range strings.FieldsSeq(value) {
		out = append(out, domain.Pattern(word))
	}
	return out
}

func (x *Index) foldTenant(event dcb.Event, at int64) {
	become := func(id domain.TenantID, status domain.TenantStatus) *tenant {
		t := x.tenant(id)
		if t.status != domain.TenantEnded { // closed is for ever
			t.status, t.statusAt = status, at
		}
		t.changed = at
		return t
	}
	name := func(t *tenant, s domain.Slug) {
		if x.slugs[t.slug] == t.id {
			delete(x.slugs, t.slug)
		}
		if t.slug = s; s != "" {
			x.slugs[s] = t.id
		}
	}
	switch e := event.(type) {
	case domain.TenantCreated:
		if x.tenant(e.Tenant).status == domain.TenantUnknown {
			name(become(e.Tenant, domain.TenantActive), e.Slug)
		}
	case domain.TenantSlugChanged:
		name(x.tenant(e.Tenant), e.Slug)
	case domain.TenantSuspended:
		become(e.Tenant, domain.TenantOnHold)
	case domain.TenantReactivated:
		become(e.Tenant, domain.TenantActive)
	case domain.TenantClosed:
		name(become(e.Tenant, domain.TenantEnded), "")
	}
}

func (x *Index) foldUser(t *tenant, event dcb.Event, at int64) {
	change := func(id domain.UserID, fn func(u *user)) {
		if u := x.users[id]; u != nil && u.home == t && u.status != domain.UserGone { // erased is for ever
			fn(u)
		}
	}
	switch e := event.(type) {
	case domain.UserRegistered:
		if x.users[e.User] == nil {
			x.users[e.User] = &user{
				id: e.User, home: t, status: e.Status, statusAt: at, presentAt: at, department: e.Department, departmentAt: at,
			}
			t.users = append(t.users, e.User)
		}
	case domain.UserMoved:
		change(e.User, func(u *user) {
			u.department, u.departmentAt = e.Department, at
			u.compiled.Store(nil)
		})
	case domain.UserDeactivated:
		change(e.User, func(u *user) { u.status, u.statusAt = domain.UserInactive, at })
	case domain.UserReactivated:
		change(e.User, func(u *user) {
			if u.status == domain.UserInactive {
				u.presentAt = at
			}
			u.status, u.statusAt = domain.UserActive, at
		})
	case domain.UserErased:
		change(e.User, func(u *user) {
			u.status, u.statusAt = domain.UserGone, at
			u.department, u.departmentAt = domain.DepartmentID{}, at
			u.compiled.Store(nil)
		})
	}
}

func (t *tenant) plant(trees map[uuid.UUID]*node, id, parent uuid.UUID, at int64) {
	if trees[id] == nil {
		trees[id] = &node{parent: parent, placedAt: at}
		t.gen++
	}
}

func (t *tenant) replant(trees map[uuid.UUID]*node, id, parent uuid.UUID, at int64) {
	if n := trees[id]; n != nil {
		n.parent, n.placedAt = parent, at
		t.gen++
	}
}

func (t *tenant) fell(trees map[uuid.UUID]*node, id uuid.UUID) {
	if n := trees[id]; n != nil {
		n.gone = true
		t.gen++
	}
}

func (x *Index) foldMember(t *tenant, event dcb.Event, at int64) {
	switch e := event.(type) {
	case domain.MemberAdded:
		if t.member(e.User, e.Group) == nil {
			t.members[e.User] = append(t.members[e.User], &member{e.Membership, e.Group, e.Home.Tenant(), e.Role, at, at})
		}
		x.welcome(t, e.User, e.Home)
		x.touch(t, subject{toUser, e.User.UUID})
	case domain.MemberRoleChanged:
		if m := t.member(e.User, e.Group); m != nil {
			m.role, m.roledAt = e.Role, at
		}
		x.touch(t, subject{toUser, e.User.UUID})
	case domain.MemberRemoved:
		if m := t.member(e.User, e.Group); m != nil {
			t.members[e.User] = without(t.members[e.User], m)
		}
		x.touch(t, subject{toUser, e.User.UUID})
	}
}

func (t *tenant) foldRole(event dcb.Event, at int64) {
	change := func(id domain.RoleID, fn func(r *role)) {
		if r := t.roles[id]; r != nil {
			fn(r)
			t.gen++
			t.roleGen++
		}
	}
	switch e := event.(type) {
	case domain.RoleCreated:
		if t.roles[e.Role] == nil {
			t.roles[e.Role] = &role{
				id: e.Role, home: t, madeAt: at,
				privileges: map[domain.Pattern]int64{}, parents: map[domain.RoleID]int64{},
			}
			change(e.Role, func(*role) {})
		}
	case domain.RoleDeleted:
		change(e.Role, func(r *role) { r.gone = true })
	case domain.RolePrivilegeAdded:
		change(e.Role, func(r *role) { r.privileges[e.Privilege] = at })
	case domain.RolePrivilegeRemoved:
		change(e.Role, func(r *role) { delete(r.privileges, e.Privilege) })
	case domain.RoleParentAdded:
		change(e.Role, func(r *role) { r.parents[e.Parent] = at })
	case domain.RoleParentRemoved:
		change(e.Role, func(r *role) { delete(r.parents, e.Parent) })
	}
}

func (x *Index) foldToken(t *tenant, event dcb.Event) {
	change := func(id domain.TokenID, fn func(k *token)) {
		if k := x.tokens[id]; k != nil && k.home == t.id {
			fn(k)
		}
	}
	switch e := event.(type) {
	case domain.TokenIssued:
		if x.tokens[e.Token] == nil {
			scopes := slices.Clip(append([]domain.Pattern{}, e.Scopes...))
			x.tokens[e.Token] = &token{
				id: e.Token, user: e.User, home: t.id, hash: slices.Clone(e.Hash), scopes: scopes, expiresAt: e.ExpiresAt,
				app: string(e.App),
			}
		}
	case domain.TokenRotated:
		change(e.Token, func(k *token) { k.hash, k.expiresAt = slices.Clone(e.Hash), e.ExpiresAt })
	case domain.TokenRevoked:
		change(e.Token, func(k *token) { k.revoked = true })
	}
}
