-- name: GroupMemberships :many
SELECT tenant_id, id, group_id, user_id, role, home_tenant_id, invitation_id, created_at, updated_at, version
FROM group_memberships
WHERE tenant_id = @tenant_id AND id > @after
  AND (sqlc.narg('id')::uuid IS NULL OR id = sqlc.narg('id'))
  AND (sqlc.narg('group_id')::uuid IS NULL OR group_id = sqlc.narg('group_id'))
  AND (sqlc.narg('user_id')::uuid IS NULL OR user_id = sqlc.narg('user_id'))
  AND (sqlc.narg('role')::text IS NULL OR role = sqlc.narg('role'))
ORDER BY id
LIMIT @row_limit;
