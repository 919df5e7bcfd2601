-- name: Privileges :many
-- The platform's, and those that apps bring into the tenant: what the platform's own apps bring is not for other tenants.
SELECT tenant_id, id, name, description, app, created_at, updated_at, version
FROM privileges
WHERE tenant_id = ANY (ARRAY[@tenant_id, '00000000-0000-0000-0000-000000000001'::uuid]) AND id > @after AND status = 'active'
  AND (tenant_id = @tenant_id OR app IS NULL)
  AND (sqlc.narg('app')::text IS NULL OR app = sqlc.narg('app'))
  AND (sqlc.narg('id')::uuid IS NULL OR id = sqlc.narg('id'))
  AND (sqlc.narg('name')::text IS NULL OR name = sqlc.narg('name'))
  AND (sqlc.narg('owner_id')::uuid IS NULL OR tenant_id = sqlc.narg('owner_id'))
ORDER BY id
LIMIT @row_limit;
