-- name: RegisterPrivilege :exec
INSERT INTO privileges (tenant_id, id, name, description, status, created_at, updated_at, version)
VALUES (@tenant_id, @id, @name, @description, 'active', @at, @at, @version)
ON CONFLICT (tenant_id, id) DO NOTHING;

-- name: DescribePrivilege :exec
UPDATE privileges SET description = @description, updated_at = @at, version = @version
WHERE tenant_id = @tenant_id AND id = @id AND version < @version;

-- name: BringPrivilege :exec
INSERT INTO privileges (tenant_id, id, name, description, app, status, created_at, updated_at, version)
VALUES (@tenant_id, @id, @name, @description, @app, 'active', @at, @at, @version)
ON CONFLICT (tenant_id, id) DO UPDATE SET description = EXCLUDED.description, app = EXCLUDED.app, status = 'active',
    updated_at = EXCLUDED.updated_at, version = EXCLUDED.version
WHERE privileges.version < EXCLUDED.version;

-- name: DropPrivilege :exec
UPDATE privileges SET status = 'dropped', updated_at = @at, version = @version
WHERE tenant_id = @tenant_id AND id = @id AND version < @version;
