-- name: Tokens :many
-- Never the hash.
SELECT tenant_id, id, user_id, name, prefix, scopes, status, expires_at, created_at, rotated_at, revoked_at, app_id, version
FROM api_tokens
WHERE tenant_id = @tenant_id AND id > @after
  AND (sqlc.narg('id')::uuid IS NULL OR id = sqlc.narg('id'))
  AND (sqlc.narg('user_id')::uuid IS NULL OR user_id = sqlc.narg('user_id'))
  AND (sqlc.narg('name')::text IS NULL OR name = sqlc.narg('name'))
  AND (sqlc.narg('prefix')::text IS NULL OR prefix = sqlc.narg('prefix'))
  AND (sqlc.narg('app_id')::text IS NULL OR app_id = sqlc.narg('app_id'))
  AND (sqlc.narg('status')::text IS NULL OR status = sqlc.narg('status'))
ORDER BY id
LIMIT @row_limit;
