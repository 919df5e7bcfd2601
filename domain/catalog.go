package domain

import (
	"time"

	"chancery/internal/dcb"
)

// InstallationBootstrapped says that the first administrator exists; it happens once.
type InstallationBootstrapped struct {
	Installation Key    `json:"installation"`
	User         UserID `json:"user"`
}

// CommandRefused says that a caller was refused Count times between First and Last.
type CommandRefused struct {
	Command string    `json:"command"`
	Code    string    `json:"code"`
	Object  string    `json:"object,omitzero"` // kind:id of what the command was about
	Count   int       `json:"count"`
	First   time.Time `json:"first"`
	Last    time.Time `json:"last"`
}

func (InstallationBootstrapped) EventType() string { return "installation.bootstrapped" }
func (CommandRefused) EventType() string           { return "command.refused" }

// TheInstallation is the key of the bootstrap.
const TheInstallation Key = "installation:chancery"

// ErrBootstrapped refuses the second bootstrap.
var ErrBootstrapped = refuse("already-bootstrapped", "the first administrator exists already")

// Bootstrapped reports whether the first administrator exists.
func Bootstrapped() *dcb.Fact[bool] {
	return dcb.Ask(false, tags(TheInstallation),
		dcb.On(func(done *bool, _ InstallationBootstrapped) { *done = true }))
}

// Changes reports whether e, an event of the kind of thing that t is, changes that very thing; it does not where it
// merely names it as what another one stands below or inherits from.
func Changes(e dcb.Event, t dcb.Tag) bool {
	switch e := e.(type) {
	case DepartmentCreated:
		return e.Department.Tag() == t
	case DepartmentMoved:
		return e.Department.Tag() == t
	case DepartmentDeleted:
		return e.Department.Tag() == t
	case GroupCreated:
		return e.Group.Tag() == t
	case GroupMoved:
		return e.Group.Tag() == t
	case GroupDeleted:
		return e.Group.Tag() == t
	case DelegationGranted:
		return e.Delegation.Tag() == t
	case RoleParentAdded:
		return e.Role.Tag() == t
	case RoleParentRemoved:
		return e.Role.Tag() == t
	}
	return true
}

// Catalog lists every event ever written. Append to it; never remove or rename a line.
var Catalog = dcb.NewCatalog(
	tenantEvents, domainEvents, departmentEvents, groupEvents, membershipEvents, policyEvents,
	userEvents, identityEvents, tokenEvents,
	credentialEvents, sessionEvents, linkEvents,
	issuerEvents,
	erasureEvents,
	secretEvents, readingEvents,
	privilegeEvents, roleEvents, assignmentEvents, overrideEvents,
	delegationEvents, impersonationEvents, invitationEvents, approvalEvents, constraintEvents, reviewEvents, accessEvents,
	vendorEvents, signingKeyEvents, appEvents, appVersionEvents, tenantAppEvents,
	licenseEvents, usageEvents, seatEvents, activationEvents,
	endpointEvents, endpointReadingEvents, consumptionEvents, checkpointEvents,
	dcb.Kind("installation", dcb.Of[InstallationBootstrapped]()),
	dcb.Kind("refusal", dcb.Of[CommandRefused]()),
).Hearing(published)
