-- name: RegisterUser :exec
INSERT INTO users (tenant_id, id, email, email_key, display_name, department_id, status, created_at, updated_at, deactivated_at, version, phone, address)
VALUES (@tenant_id, @id, @email, @email_key, @display_name, @department_id, @status, @at, @at, NULL, @version, NULL, NULL)
ON CONFLICT (tenant_id, id) DO NOTHING;

-- name: UpdateUser :exec
UPDATE users SET display_name = @display_name, updated_at = @at, version = @version
WHERE tenant_id = @tenant_id AND id = @id AND version < @version;

-- name: ChangeUserEmail :exec
UPDATE users SET email = @email, email_key = @email_key, updated_at = @at, version = @version
WHERE tenant_id = @tenant_id AND id = @id AND version < @version;

-- name: ChangeUserContact :exec
UPDATE users SET phone = @phone, address = @address, updated_at = @at, version = @version
WHERE tenant_id = @tenant_id AND id = @id AND version < @version;

-- name: MoveUser :exec
UPDATE users SET department_id = @department_id, updated_at = @at, version = @version
WHERE tenant_id = @tenant_id AND id = @id AND version < @version;

-- name: DeactivateUser :exec
UPDATE users SET status = 'inactive', updated_at = @at, deactivated_at = @at, version = @version
WHERE tenant_id = @tenant_id AND id = @id AND version < @version;

-- name: ReactivateUser :exec
UPDATE users SET status = 'active', updated_at = @at, deactivated_at = NULL, version = @version
WHERE tenant_id = @tenant_id AND id = @id AND version < @version;
