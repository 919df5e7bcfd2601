-- name: Delegations :many
SELECT tenant_id, id, home_tenant_id, grantor_user_id, grantor_tenant_id, delegate_user_id, delegate_tenant_id, parent_id, chain,
    action_scope, starts_at, ends_at, redelegations, reason, status, created_at, accepted_at, ended_at, end_reason, version
FROM delegations
WHERE tenant_id = @tenant_id AND id > @after
  AND (sqlc.narg('id')::uuid IS NULL OR id = sqlc.narg('id'))
  AND (sqlc.narg('grantor_user_id')::uuid IS NULL OR grantor_user_id = sqlc.narg('grantor_user_id'))
  AND (sqlc.narg('delegate_user_id')::uuid IS NULL OR delegate_user_id = sqlc.narg('delegate_user_id'))
  AND (sqlc.narg('user_id')::uuid IS NULL OR grantor_user_id = sqlc.narg('user_id') OR delegate_user_id = sqlc.narg('user_id'))
  AND (sqlc.narg('parent_id')::uuid IS NULL OR parent_id = sqlc.narg('parent_id'))
  AND (sqlc.narg('home_tenant_id')::uuid IS NULL OR home_tenant_id = sqlc.narg('home_tenant_id'))
  AND (sqlc.narg('status')::text IS NULL OR status = sqlc.narg('status'))
ORDER BY id
LIMIT @row_limit;
