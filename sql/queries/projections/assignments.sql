-- name: AssignRole :exec
INSERT INTO assignments (tenant_id, id, role_id, user_id, department_id, group_id, scope, valid_from, valid_until, reason, status, created_at, ended_at, version)
VALUES (@tenant_id, @id, @role_id, @user_id, @department_id, @group_id, @scope, @valid_from, @valid_until, @reason, 'active', @at, NULL, @version)
ON CONFLICT (tenant_id, id) DO NOTHING;

-- name: UnassignRole :exec
UPDATE assignments SET status = 'ended', ended_at = @at, version = @version
WHERE tenant_id = @tenant_id AND id = @id AND version < @version;

-- name: ExpireAssignment :exec
UPDATE assignments SET status = 'expired', ended_at = @at, version = @version
WHERE tenant_id = @tenant_id AND id = @id AND version < @version;
