-- name: Approvals :many
SELECT tenant_id, id, kind, requested_by, requested_for, user_id, role_id, request, reason, status, created_at, expires_at,
    decided_by, decided_at, decision_reason, version
FROM approvals
WHERE tenant_id = @tenant_id AND id > @after
  AND (sqlc.narg('id')::uuid IS NULL OR id = sqlc.narg('id'))
  AND (sqlc.narg('status')::text IS NULL OR status = sqlc.narg('status'))
  AND (sqlc.narg('requested_by')::uuid IS NULL OR requested_by = sqlc.narg('requested_by'))
  AND (sqlc.narg('user_id')::uuid IS NULL OR user_id = sqlc.narg('user_id'))
  AND (sqlc.narg('role_id')::uuid IS NULL OR role_id = sqlc.narg('role_id'))
  AND (sqlc.narg('kind')::text IS NULL OR kind = sqlc.narg('kind'))
ORDER BY id
LIMIT @row_limit;
