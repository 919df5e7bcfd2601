-- name: GroupInvitations :many
SELECT tenant_id, id, group_id, group_tenant_id, user_id, user_tenant_id, role, message, status, membership_id,
    created_at, expires_at, answered_at, ended_at, end_reason, version
FROM group_invitations
WHERE tenant_id = @tenant_id AND id > @after
  AND (sqlc.narg('id')::uuid IS NULL OR id = sqlc.narg('id'))
  AND (sqlc.narg('group_id')::uuid IS NULL OR group_id = sqlc.narg('group_id'))
  AND (sqlc.narg('group_tenant_id')::uuid IS NULL OR group_tenant_id = sqlc.narg('group_tenant_id'))
  AND (sqlc.narg('user_id')::uuid IS NULL OR user_id = sqlc.narg('user_id'))
  AND (sqlc.narg('user_tenant_id')::uuid IS NULL OR user_tenant_id = sqlc.narg('user_tenant_id'))
  AND (sqlc.narg('status')::text IS NULL OR status = sqlc.narg('status'))
ORDER BY id
LIMIT @row_limit;
