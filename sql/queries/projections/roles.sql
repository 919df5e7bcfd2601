-- name: CreateRole :exec
INSERT INTO roles (tenant_id, id, name, description, builtin, status, created_at, updated_at, version)
VALUES (@tenant_id, @id, @name, @description, @builtin, 'active', @at, @at, @version)
ON CONFLICT (tenant_id, id) DO NOTHING;

-- name: RenameRole :exec
UPDATE roles SET name = @name, description = @description, updated_at = @at, version = @version
WHERE tenant_id = @tenant_id AND id = @id AND version < @version;

-- name: DeleteRole :exec
UPDATE roles SET status = 'deleted', updated_at = @at, version = @version
WHERE tenant_id = @tenant_id AND id = @id AND version < @version;

-- name: TouchRole :exec
-- What a role holds is part of it, so that If-Match on a role notices.
UPDATE roles SET updated_at = @at, version = @version
WHERE tenant_id = @tenant_id AND id = @id AND version < @version;

-- name: AddRolePrivilege :exec
INSERT INTO role_privileges (tenant_id, role_id, privilege, created_at, version)
VALUES (@tenant_id, @role_id, @privilege, @at, @version)
ON CONFLICT (tenant_id, role_id, privilege) DO NOTHING;

-- name: RemoveRolePrivilege :exec
DELETE FROM role_privileges
WHERE tenant_id = @tenant_id AND role_id = @role_id AND privilege = @privilege AND version < @version;

-- name: AddRoleParent :exec
INSERT INTO role_parents (tenant_id, role_id, parent_id, created_at, version)
VALUES (@tenant_id, @role_id, @parent_id, @at, @version)
ON CONFLICT (tenant_id, role_id, parent_id) DO NOTHING;

-- name: RemoveRoleParent :exec
DELETE FROM role_parents
WHERE tenant_id = @tenant_id AND role_id = @role_id AND parent_id = @parent_id AND version < @version;
