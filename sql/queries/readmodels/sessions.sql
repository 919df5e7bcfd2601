-- name: Sessions :many
SELECT tenant_id, id, user_id, status, issuer_id, methods, last_proof, scopes, ip, user_agent, idle_seconds, started_at, authenticated_at, last_seen_at,
       expires_at, ended_at, end_reason, version
FROM sessions
WHERE tenant_id = @tenant_id AND id > @after
  AND (sqlc.narg('id')::uuid IS NULL OR id = sqlc.narg('id'))
  AND (sqlc.narg('user_id')::uuid IS NULL OR user_id = sqlc.narg('user_id'))
  AND (sqlc.narg('issuer_id')::uuid IS NULL OR issuer_id = sqlc.narg('issuer_id'))
  AND (sqlc.narg('status')::text IS NULL OR status = sqlc.narg('status'))
ORDER BY id
LIMIT @row_limit;
