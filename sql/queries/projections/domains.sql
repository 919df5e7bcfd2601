-- name: AddDomain :exec
INSERT INTO tenant_domains (tenant_id, id, name, challenge, status, is_primary, created_at, updated_at, verified_at, version)
VALUES (@tenant_id, @id, @name, @challenge, 'pending', false, @at, @at, NULL, @version)
ON CONFLICT (tenant_id, id) DO NOTHING;

-- name: VerifyDomain :exec
UPDATE tenant_domains SET status = 'verified', updated_at = @at, verified_at = @at, version = @version
WHERE tenant_id = @tenant_id AND id = @id AND version < @version;

-- name: SetDomainPrimary :exec
UPDATE tenant_domains SET is_primary = @is_primary, updated_at = @at, version = @version
WHERE tenant_id = @tenant_id AND id = @id AND version < @version;

-- name: RemoveDomain :exec
UPDATE tenant_domains SET status = 'removed', is_primary = false, updated_at = @at, version = @version
WHERE tenant_id = @tenant_id AND id = @id AND version < @version;
