-- name: AddOverride :exec
INSERT INTO policy_overrides (tenant_id, id, effect, privilege, user_id, department_id, group_id, scope, expires_at, reason, status, created_at, revoked_at, version)
VALUES (@tenant_id, @id, @effect, @privilege, @user_id, @department_id, @group_id, @scope, @expires_at, @reason, 'active', @at, NULL, @version)
ON CONFLICT (tenant_id, id) DO NOTHING;

-- name: RevokeOverride :exec
UPDATE policy_overrides SET status = 'revoked', revoked_at = @at, version = @version
WHERE tenant_id = @tenant_id AND id = @id AND version < @version;

-- name: ExpireOverride :exec
UPDATE policy_overrides SET status = 'expired', version = @version
WHERE tenant_id = @tenant_id AND id = @id AND version < @version;
