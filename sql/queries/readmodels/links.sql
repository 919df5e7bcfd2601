-- name: Links :many
SELECT tenant_id, id, user_id, purpose, status, reason, expires_at, created_at, mailed_at, ended_at, version
FROM links
WHERE tenant_id = @tenant_id AND id > @after
  AND (sqlc.narg('id')::uuid IS NULL OR id = sqlc.narg('id'))
  AND (sqlc.narg('user_id')::uuid IS NULL OR user_id = sqlc.narg('user_id'))
  AND (sqlc.narg('purpose')::text IS NULL OR purpose = sqlc.narg('purpose'))
  AND (sqlc.narg('status')::text IS NULL OR status = sqlc.narg('status'))
ORDER BY id
LIMIT @row_limit;

-- name: UnmailedLinks :many
-- Of every tenant, for the projectors' role, which sees them.
SELECT tenant_id, id, version
FROM links
WHERE status = 'issued' AND version > @after
ORDER BY version
LIMIT @row_limit;
