-- name: SetPassword :exec
INSERT INTO user_credentials (tenant_id, id, user_id, kind, name, status, material, codes_left, created_at, changed_at, last_used_at, removed_at, version)
VALUES (@tenant_id, @id, @user_id, 'password', '', 'active', @material, NULL, @at, @at, NULL, NULL, @version)
ON CONFLICT (tenant_id, id) DO UPDATE
SET status = 'active', material = excluded.material, changed_at = excluded.changed_at, removed_at = NULL, version = excluded.version
WHERE user_credentials.version < excluded.version;

-- name: RehashPassword :exec
UPDATE user_credentials SET material = @material, version = @version
WHERE tenant_id = @tenant_id AND id = @id AND version < @version;

-- name: AddCredential :exec
INSERT INTO user_credentials (tenant_id, id, user_id, kind, name, status, material, codes_left, created_at, changed_at, last_used_at, removed_at, version)
VALUES (@tenant_id, @id, @user_id, @kind, @name, @status, @material, @codes_left, @at, NULL, NULL, NULL, @version)
ON CONFLICT (tenant_id, id) DO NOTHING;

-- name: ConfirmCredential :exec
UPDATE user_credentials SET status = 'active', last_used_at = @at, version = @version
WHERE tenant_id = @tenant_id AND id = @id AND version < @version;

-- name: UseCredential :exec
UPDATE user_credentials SET last_used_at = @at, version = @version
WHERE tenant_id = @tenant_id AND id = @id AND version < @version;

-- name: UseCode :exec
UPDATE user_credentials SET last_used_at = @at, codes_left = @codes_left, version = @version
WHERE tenant_id = @tenant_id AND id = @id AND version < @version;

-- name: RemoveCredential :exec
UPDATE user_credentials SET status = 'removed', material = '', removed_at = @at, version = @version
WHERE tenant_id = @tenant_id AND id = @id AND version < @version;
