-- name: IssueLicense :exec
INSERT INTO licenses (tenant_id, id, app_id, app, holder_tenant_id, vendor_tenant_id, revision, terms, license_blob, signature, kid,
    file_expires_at, imported, issued_at, starts_at, expires_at, grace_until, expired_at, ended_at, status, status_reason, updated_at, version)
VALUES (@tenant_id, @id, @app_id, @app, @holder_tenant_id, @vendor_tenant_id, @revision, @terms, @license_blob, @signature, @kid,
    @file_expires_at, @imported, @at, @starts_at, @expires_at, @grace_until, NULL, NULL, 'active', NULL, @at, @version)
ON CONFLICT (tenant_id, id) DO NOTHING;

-- name: RegrantLicense :exec
UPDATE licenses SET revision = @revision, terms = @terms, license_blob = @license_blob, signature = @signature, kid = @kid,
    file_expires_at = @file_expires_at, imported = @imported, starts_at = @starts_at, expires_at = @expires_at, grace_until = @grace_until,
    updated_at = @at, version = @version
WHERE tenant_id = @tenant_id AND id = @id AND version < @version;

-- name: SignLicense :exec
UPDATE licenses SET license_blob = @license_blob, signature = @signature, kid = @kid, file_expires_at = @file_expires_at,
    updated_at = @at, version = @version
WHERE tenant_id = @tenant_id AND id = @id AND version < @version;

-- StopLicense suspends or revokes.
-- name: StopLicense :exec
UPDATE licenses SET status = @status, status_reason = @status_reason, updated_at = @at, version = @version
WHERE tenant_id = @tenant_id AND id = @id AND version < @version;

-- The next four change a row before the statement that sets its version.

-- name: TurnLicense :exec
UPDATE licenses SET status = @status, status_reason = NULL
WHERE tenant_id = @tenant_id AND id = @id AND status = @former AND version < @version;

-- name: TurnLicenseExpired :exec
UPDATE licenses SET status = 'expired'
WHERE tenant_id = @tenant_id AND id = @id AND status = 'active' AND expired_at = expires_at AND version < @version;

-- name: TurnLicenseEnded :exec
UPDATE licenses SET status = 'ended'
WHERE tenant_id = @tenant_id AND id = @id AND status = 'expired' AND ended_at = grace_until AND version < @version;

-- name: TouchLicense :exec
UPDATE licenses SET updated_at = @at, version = @version
WHERE tenant_id = @tenant_id AND id = @id AND version < @version;

-- name: ExpireLicense :exec
UPDATE licenses SET expired_at = @ended, updated_at = @at, version = @version
WHERE tenant_id = @tenant_id AND id = @id AND version < @version;

-- name: EndLicense :exec
UPDATE licenses SET ended_at = @ended, updated_at = @at, version = @version
WHERE tenant_id = @tenant_id AND id = @id AND version < @version;
