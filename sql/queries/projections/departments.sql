-- name: CreateDepartment :exec
INSERT INTO departments (tenant_id, id, parent_id, name, status, created_at, updated_at, version)
VALUES (@tenant_id, @id, @parent_id, @name, 'active', @at, @at, @version)
ON CONFLICT (tenant_id, id) DO NOTHING;

-- name: RenameDepartment :exec
UPDATE departments SET name = @name, updated_at = @at, version = @version
WHERE tenant_id = @tenant_id AND id = @id AND version < @version;

-- name: MoveDepartment :exec
UPDATE departments SET parent_id = @parent_id, updated_at = @at, version = @version
WHERE tenant_id = @tenant_id AND id = @id AND version < @version;

-- name: DeleteDepartment :exec
UPDATE departments SET status = 'deleted', updated_at = @at, version = @version
WHERE tenant_id = @tenant_id AND id = @id AND version < @version;
