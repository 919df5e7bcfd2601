-- name: Overrides :many
SELECT tenant_id, id, effect, privilege, user_id, department_id, group_id, scope, expires_at, reason, status,
    created_at, revoked_at, version
FROM policy_overrides
WHERE tenant_id = @tenant_id AND id > @after
  AND (sqlc.narg('id')::uuid IS NULL OR id = sqlc.narg('id'))
  AND (sqlc.narg('effect')::text IS NULL OR effect = sqlc.narg('effect'))
  AND (sqlc.narg('privilege')::text IS NULL OR privilege = sqlc.narg('privilege'))
  AND (sqlc.narg('user_id')::uuid IS NULL OR user_id = sqlc.narg('user_id'))
  AND (sqlc.narg('department_id')::uuid IS NULL OR department_id = sqlc.narg('department_id'))
  AND (sqlc.narg('group_id')::uuid IS NULL OR group_id = sqlc.narg('group_id'))
  AND (sqlc.narg('scope')::text IS NULL OR scope = sqlc.narg('scope'))
  AND (sqlc.narg('status')::text IS NULL OR status = sqlc.narg('status'))
ORDER BY id
LIMIT @row_limit;
