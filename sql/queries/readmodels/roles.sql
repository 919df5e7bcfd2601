-- name: Roles :many
-- The tenant's and the platform's, with what they hold.
SELECT r.tenant_id, r.id, r.name, r.description, r.builtin, r.status,
    ARRAY(SELECT p.privilege FROM role_privileges p
        WHERE p.tenant_id = r.tenant_id AND p.role_id = r.id ORDER BY p.privilege)::text[] AS privileges,
    ARRAY(SELECT p.parent_id FROM role_parents p
        WHERE p.tenant_id = r.tenant_id AND p.role_id = r.id ORDER BY p.parent_id)::uuid[] AS parents,
    r.created_at, r.updated_at, r.version
FROM roles r
WHERE r.tenant_id = ANY (ARRAY[@tenant_id, '00000000-0000-0000-0000-000000000001'::uuid]) AND r.id > @after
  AND (sqlc.narg('id')::uuid IS NULL OR r.id = sqlc.narg('id'))
  AND (sqlc.narg('owner_id')::uuid IS NULL OR r.tenant_id = sqlc.narg('owner_id'))
  AND (sqlc.narg('name')::text IS NULL OR r.name = sqlc.narg('name'))
  AND (sqlc.narg('builtin')::boolean IS NULL OR r.builtin = sqlc.narg('builtin'))
  AND (sqlc.narg('status')::text IS NULL OR r.status = sqlc.narg('status'))
  AND (sqlc.narg('privilege')::text IS NULL OR EXISTS (SELECT 1 FROM role_privileges p
        WHERE p.tenant_id = r.tenant_id AND p.role_id = r.id AND p.privilege = sqlc.narg('privilege')))
  AND (sqlc.narg('parent_id')::uuid IS NULL OR EXISTS (SELECT 1 FROM role_parents p
        WHERE p.tenant_id = r.tenant_id AND p.role_id = r.id AND p.parent_id = sqlc.narg('parent_id')))
ORDER BY r.id
LIMIT @row_limit;
