-- name: SetPolicy :exec
INSERT INTO tenant_policies (tenant_id, id, key, value, revision, status, created_at, updated_at, version)
VALUES (@tenant_id, @id, @key, @value, @revision, 'set', @at, @at, @version)
ON CONFLICT (tenant_id, id) DO UPDATE SET value = EXCLUDED.value, revision = EXCLUDED.revision, status = EXCLUDED.status,
    updated_at = EXCLUDED.updated_at, version = EXCLUDED.version
WHERE tenant_policies.version < EXCLUDED.version;

-- name: ResetPolicy :exec
UPDATE tenant_policies SET value = NULL, revision = @revision, status = 'default', updated_at = @at, version = @version
WHERE tenant_id = @tenant_id AND id = @id AND version < @version;
