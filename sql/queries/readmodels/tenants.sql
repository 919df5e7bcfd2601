-- name: Tenants :many
-- A tenant sees itself, the platform all.
SELECT id, name, slug, status, created_at, updated_at, version
FROM tenants
WHERE (id = @tenant_id OR @tenant_id = '00000000-0000-0000-0000-000000000001'::uuid)
  AND id > @after
  AND (sqlc.narg('id')::uuid IS NULL OR id = sqlc.narg('id'))
  AND (sqlc.narg('name')::text IS NULL OR name = sqlc.narg('name'))
  AND (sqlc.narg('slug')::text IS NULL OR slug = sqlc.narg('slug'))
  AND (sqlc.narg('status')::text IS NULL OR status = sqlc.narg('status'))
ORDER BY id
LIMIT @row_limit;
