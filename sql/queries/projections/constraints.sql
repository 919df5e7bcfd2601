-- name: CreateConstraint :exec
INSERT INTO constraints (tenant_id, id, name, description, kind, role_ids, most, requires_role_id, status, created_at, updated_at, version)
VALUES (@tenant_id, @id, @name, @description, @kind, @role_ids, @most, @requires_role_id, 'active', @at, @at, @version)
ON CONFLICT (tenant_id, id) DO NOTHING;

-- name: RemoveConstraint :exec
UPDATE constraints SET status = 'removed', updated_at = @at, version = @version
WHERE tenant_id = @tenant_id AND id = @id AND version < @version;
