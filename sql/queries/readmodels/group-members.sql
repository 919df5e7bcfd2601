-- name: GroupMembers :many
-- The members of one group; the names of those from other tenants are in these.
SELECT m.id, m.user_id, m.role, m.home_tenant_id, u.display_name, m.version
FROM group_memberships m
LEFT JOIN users u ON u.tenant_id = m.tenant_id AND u.id = m.user_id
WHERE m.tenant_id = @tenant_id AND m.id > @after AND m.group_id = @group_id
  AND (sqlc.narg('only_user')::uuid IS NULL OR m.user_id = sqlc.narg('only_user'))
  AND (sqlc.narg('only_home')::uuid IS NULL OR m.home_tenant_id = sqlc.narg('only_home'))
ORDER BY m.id
LIMIT @row_limit;
