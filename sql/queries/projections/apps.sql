-- name: RegisterApp :exec
INSERT INTO apps (tenant_id, id, name, vendor, title, description, created_at, updated_at, version)
VALUES (@tenant_id, @id, @name, @vendor, @title, @description, @at, @at, @version)
ON CONFLICT (tenant_id, id) DO NOTHING;

-- name: DescribeApp :exec
UPDATE apps SET title = @title, description = @description, updated_at = @at, version = @version
WHERE tenant_id = @tenant_id AND id = @id AND version < @version;

-- name: TouchApp :exec
UPDATE apps SET updated_at = @at, version = @version
WHERE tenant_id = @tenant_id AND id = @id AND version < @version;
