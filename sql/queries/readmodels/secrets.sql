-- name: Secrets :many
-- Never the value, not even sealed.
SELECT tenant_id, id, app_id, name, description, current_version, status, rotate_every_days, due_at, created_at, updated_at, rotated_at, version
FROM secrets
WHERE tenant_id = @tenant_id AND id > @after
  AND (sqlc.narg('id')::uuid IS NULL OR id = sqlc.narg('id'))
  AND (sqlc.narg('app_id')::text IS NULL OR app_id = sqlc.narg('app_id'))
  AND (sqlc.narg('name')::text IS NULL OR name = sqlc.narg('name'))
  AND (sqlc.narg('status')::text IS NULL OR status = sqlc.narg('status'))
ORDER BY id
LIMIT @row_limit;

-- name: SecretVersions :many
SELECT tenant_id, id, secret_id, number, status, created_at, replaced_at, grace_until, destroyed_at, version
FROM secret_versions
WHERE tenant_id = @tenant_id AND id > @after
  AND (sqlc.narg('id')::uuid IS NULL OR id = sqlc.narg('id'))
  AND (sqlc.narg('secret_id')::uuid IS NULL OR secret_id = sqlc.narg('secret_id'))
  AND (sqlc.narg('status')::text IS NULL OR status = sqlc.narg('status'))
ORDER BY id
LIMIT @row_limit;
