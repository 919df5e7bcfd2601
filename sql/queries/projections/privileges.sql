-- name: RegisterPrivilege :exec
INSERT INTO privileges (tenant_id, id, name, description, created_at, updated_at, version)
VALUES (@tenant_id, @id, @name, @description, @at, @at, @version)
ON CONFLICT (tenant_id, id) DO NOTHING;

-- name: DescribePrivilege :exec
UPDATE privileges SET description = @description, updated_at = @at, version = @version
WHERE tenant_id = @tenant_id AND id = @id AND version < @version;
