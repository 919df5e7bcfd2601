-- name: AddSigningKey :exec
INSERT INTO signing_keys (tenant_id, id, kid, jwk, origin, status, reason, created_at, version)
VALUES (@tenant_id, @id, @kid, @jwk, @origin, 'active', '', @at, @version)
ON CONFLICT (tenant_id, id) DO NOTHING;

-- name: RetireSigningKey :exec
UPDATE signing_keys SET status = 'retired', reason = @reason, retired_at = @at, version = @version
WHERE tenant_id = @tenant_id AND id = @id AND version < @version;

-- name: RevokeSigningKey :exec
UPDATE signing_keys SET status = 'revoked', reason = @reason, revoked_at = @at, version = @version
WHERE tenant_id = @tenant_id AND id = @id AND version < @version;
