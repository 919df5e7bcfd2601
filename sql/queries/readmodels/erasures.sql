-- name: Erasures :many
SELECT tenant_id, id, user_id, reason, status, requested_by, ended_by, created_at, ended_at, version
FROM erasures
WHERE tenant_id = @tenant_id AND id > @after
  AND (sqlc.narg('id')::uuid IS NULL OR id = sqlc.narg('id'))
  AND (sqlc.narg('user_id')::uuid IS NULL OR user_id = sqlc.narg('user_id'))
  AND (sqlc.narg('requested_by')::uuid IS NULL OR requested_by = sqlc.narg('requested_by'))
  AND (sqlc.narg('status')::text IS NULL OR status = sqlc.narg('status'))
ORDER BY id
LIMIT @row_limit;
