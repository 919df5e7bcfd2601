-- name: CreateSecret :exec
INSERT INTO secrets (tenant_id, id, app_id, name, description, encrypted_blob, current_version, status, rotate_every_days,
    due_at, remind_at, created_at, updated_at, rotated_at, version)
VALUES (@tenant_id, @id, @app_id, @name, @description, '', 0, 'active', 0, NULL, NULL, @at, @at, NULL, @version)
ON CONFLICT (tenant_id, id) DO NOTHING;

-- name: RotateSecret :exec
UPDATE secrets SET encrypted_blob = @encrypted_blob, current_version = @number, due_at = @due_at, remind_at = @due_at,
    updated_at = @at, rotated_at = @at, version = @version
WHERE tenant_id = @tenant_id AND id = @id AND version < @version;

-- name: SetSecretStatus :exec
UPDATE secrets SET status = @status, updated_at = @at, version = @version
WHERE tenant_id = @tenant_id AND id = @id AND version < @version;

-- name: TouchSecret :exec
-- Its versions are part of it.
UPDATE secrets SET updated_at = @at, version = @version
WHERE tenant_id = @tenant_id AND id = @id AND version < @version;

-- name: DestroySecret :exec
UPDATE secrets SET status = 'destroyed', encrypted_blob = '', due_at = NULL, remind_at = NULL, updated_at = @at, version = @version
WHERE tenant_id = @tenant_id AND id = @id AND version < @version;

-- name: ScheduleSecret :exec
UPDATE secrets SET rotate_every_days = @every_days, due_at = @due_at, remind_at = @due_at, updated_at = @at, version = @version
WHERE tenant_id = @tenant_id AND id = @id AND version < @version;

-- name: RemindSecret :exec
UPDATE secrets SET remind_at = NULL, updated_at = @at, version = @version
WHERE tenant_id = @tenant_id AND id = @id AND version < @version;

-- name: AddSecretVersion :exec
INSERT INTO secret_versions (tenant_id, id, secret_id, number, status, created_at, replaced_at, grace_until, destroyed_at, version)
VALUES (@tenant_id, @id, @secret_id, @number, 'current', @at, NULL, NULL, NULL, @version)
ON CONFLICT (tenant_id, id) DO NOTHING;

-- name: ReplaceSecretVersion :exec
UPDATE secret_versions SET status = 'replaced', replaced_at = @at, grace_until = @grace_until, version = @version
WHERE tenant_id = @tenant_id AND id = @id AND version < @version;

-- name: DestroySecretVersion :exec
UPDATE secret_versions SET status = 'destroyed', destroyed_at = @at, version = @version
WHERE tenant_id = @tenant_id AND id = @id AND version < @version;

-- name: LogSecretAccess :exec
INSERT INTO secret_access_log (tenant_id, position, id, secret_id, version_id, number, user_id, app_id, token_id, session_id,
    delegation_id, purpose, ip, user_agent, created_at)
VALUES (@tenant_id, @position, @id, @secret_id, @version_id, @number, @user_id, @app_id, @token_id, @session_id,
    @delegation_id, @purpose, @ip, @user_agent, @at)
ON CONFLICT (tenant_id, position) DO NOTHING;
