-- name: CreateGroup :exec
INSERT INTO groups (tenant_id, id, parent_id, name, description, status, created_at, updated_at, version)
VALUES (@tenant_id, @id, @parent_id, @name, @description, 'active', @at, @at, @version)
ON CONFLICT (tenant_id, id) DO NOTHING;

-- name: RenameGroup :exec
UPDATE groups SET name = @name, description = @description, updated_at = @at, version = @version
WHERE tenant_id = @tenant_id AND id = @id AND version < @version;

-- name: MoveGroup :exec
UPDATE groups SET parent_id = @parent_id, updated_at = @at, version = @version
WHERE tenant_id = @tenant_id AND id = @id AND version < @version;

-- name: DeleteGroup :exec
UPDATE groups SET status = 'deleted', updated_at = @at, version = @version
WHERE tenant_id = @tenant_id AND id = @id AND version < @version;
