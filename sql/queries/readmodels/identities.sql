-- name: Identities :many
SELECT tenant_id, id, user_id, issuer, subject, status, created_at, unlinked_at, version
FROM user_identities
WHERE tenant_id = @tenant_id AND id > @after
  AND (sqlc.narg('id')::uuid IS NULL OR id = sqlc.narg('id'))
  AND (sqlc.narg('user_id')::uuid IS NULL OR user_id = sqlc.narg('user_id'))
  AND (sqlc.narg('issuer')::text IS NULL OR issuer = sqlc.narg('issuer'))
  AND (sqlc.narg('status')::text IS NULL OR status = sqlc.narg('status'))
ORDER BY id
LIMIT @row_limit;
