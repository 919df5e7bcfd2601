-- name: AdmitVendor :exec
INSERT INTO vendors (tenant_id, id, status, reason, created_at, updated_at, version)
VALUES (@tenant_id, @id, 'admitted', '', @at, @at, @version)
ON CONFLICT (tenant_id, id) DO UPDATE
SET status = 'admitted', reason = '', updated_at = EXCLUDED.updated_at, version = EXCLUDED.version
WHERE vendors.version < EXCLUDED.version;

-- name: DismissVendor :exec
UPDATE vendors SET status = 'dismissed', reason = @reason, updated_at = @at, version = @version
WHERE tenant_id = @tenant_id AND id = @id AND version < @version;
