-- name: Domains :many
SELECT tenant_id, id, name, challenge, status, is_primary, created_at, updated_at, verified_at, version
FROM tenant_domains
WHERE tenant_id = @tenant_id AND id > @after
  AND (sqlc.narg('id')::uuid IS NULL OR id = sqlc.narg('id'))
  AND (sqlc.narg('name')::text IS NULL OR name = sqlc.narg('name'))
  AND (sqlc.narg('status')::text IS NULL OR status = sqlc.narg('status'))
  AND (sqlc.narg('is_primary')::boolean IS NULL OR is_primary = sqlc.narg('is_primary'))
ORDER BY id
LIMIT @row_limit;
