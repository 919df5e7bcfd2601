-- name: SecretAccess :many
-- An entry has the id of its event, and the log the index on it.
SELECT tenant_id, position, id, secret_id, version_id, number, user_id, app_id, token_id, session_id, delegation_id, purpose, ip, user_agent, created_at
FROM secret_access_log a
WHERE a.tenant_id = @tenant_id AND a.position > @after
  AND (sqlc.narg('id')::uuid IS NULL OR a.position = (
        SELECT e.position FROM core.events e WHERE e.id = sqlc.narg('id') AND e.tenant_id = @tenant_id))
  AND (sqlc.narg('secret_id')::uuid IS NULL OR secret_id = sqlc.narg('secret_id'))
  AND (sqlc.narg('user_id')::uuid IS NULL OR user_id = sqlc.narg('user_id'))
  AND (sqlc.narg('app_id')::text IS NULL OR app_id = sqlc.narg('app_id'))
ORDER BY position
LIMIT @row_limit;

-- name: SecretAccessNewestFirst :many
SELECT tenant_id, position, id, secret_id, version_id, number, user_id, app_id, token_id, session_id, delegation_id, purpose, ip, user_agent, created_at
FROM secret_access_log a
WHERE a.tenant_id = @tenant_id AND a.position < @after
  AND (sqlc.narg('id')::uuid IS NULL OR a.position = (
        SELECT e.position FROM core.events e WHERE e.id = sqlc.narg('id') AND e.tenant_id = @tenant_id))
  AND (sqlc.narg('secret_id')::uuid IS NULL OR secret_id = sqlc.narg('secret_id'))
  AND (sqlc.narg('user_id')::uuid IS NULL OR user_id = sqlc.narg('user_id'))
  AND (sqlc.narg('app_id')::text IS NULL OR app_id = sqlc.narg('app_id'))
ORDER BY position DESC
LIMIT @row_limit;
