package domain

// Why things end that rest on something else which has ended. A thing's own ends are with the thing.
const (
	EndedWithErasure      = SessionErased
	EndedWithSuspension   = "tenant-suspended"
	EndedWithTenant       = "tenant-closed"
	EndedWithSession      = "session-ended"
	EndedWithToken        = "token-revoked"
	EndedWithExpiredToken = "token-expired"
	EndedWithLicense      = "license-revoked"
	EndedWithKey          = "signing-key-revoked"
)
