-- name: Users :many
SELECT tenant_id, id, email, display_name, department_id, status, created_at, updated_at, deactivated_at, version
FROM users
WHERE tenant_id = @tenant_id AND id > @after
  AND (sqlc.narg('id')::uuid IS NULL OR id = sqlc.narg('id'))
  AND (sqlc.narg('email_key')::text IS NULL OR email_key = sqlc.narg('email_key'))
  AND (sqlc.narg('department_id')::uuid IS NULL OR department_id = sqlc.narg('department_id'))
  AND (sqlc.narg('status')::text IS NULL OR status = sqlc.narg('status'))
ORDER BY id
LIMIT @row_limit;
