-- name: ActivateLicense :exec
INSERT INTO license_activations (tenant_id, id, license_id, app, label, fingerprint_hash, status, checked_out_until, created_at,
    ended_at, end_reason, version)
VALUES (@tenant_id, @id, @license_id, @app, @label, @fingerprint_hash, 'active', NULL, @at, NULL, NULL, @version)
ON CONFLICT (tenant_id, id) DO NOTHING;

-- name: CheckOutActivation :exec
UPDATE license_activations SET status = 'checked-out', checked_out_until = @until, version = @version
WHERE tenant_id = @tenant_id AND id = @id AND version < @version;

-- name: ResumeActivation :exec
-- One that has ended stays ended. The version is left to CheckInActivation.
UPDATE license_activations SET status = 'active'
WHERE tenant_id = @tenant_id AND id = @id AND version < @version AND status = 'checked-out';

-- name: CheckInActivation :exec
UPDATE license_activations SET checked_out_until = NULL, version = @version
WHERE tenant_id = @tenant_id AND id = @id AND version < @version;

-- name: DeactivateLicense :exec
UPDATE license_activations SET status = 'ended', ended_at = @at, end_reason = @end_reason, version = @version
WHERE tenant_id = @tenant_id AND id = @id AND version < @version;
