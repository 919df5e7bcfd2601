-- name: Impersonations :many
SELECT tenant_id, id, admin_user_id, admin_tenant_id, target_user_id, scope, reason, reference, minutes, status, consented_by,
    requested_at, consented_at, started_at, expires_at, ended_at, end_reason, version
FROM impersonation_sessions
WHERE tenant_id = @tenant_id AND id > @after
  AND (sqlc.narg('id')::uuid IS NULL OR id = sqlc.narg('id'))
  AND (sqlc.narg('admin_user_id')::uuid IS NULL OR admin_user_id = sqlc.narg('admin_user_id'))
  AND (sqlc.narg('target_user_id')::uuid IS NULL OR target_user_id = sqlc.narg('target_user_id'))
  AND (sqlc.narg('user_id')::uuid IS NULL OR admin_user_id = sqlc.narg('user_id') OR target_user_id = sqlc.narg('user_id'))
  AND (sqlc.narg('status')::text IS NULL OR status = sqlc.narg('status'))
ORDER BY id
LIMIT @row_limit;
