-- name: Users :many
SELECT tenant_id, id, email, display_name, phone, address, department_id, status, created_at, updated_at, deactivated_at, version
FROM users
WHERE users.tenant_id = @tenant_id AND id > @after
  AND (sqlc.narg('id')::uuid IS NULL OR id = sqlc.narg('id'))
  AND (sqlc.narg('email_key')::text IS NULL OR email_key = sqlc.narg('email_key') AND NOT EXISTS ( -- an address finds nobody erased, not even in the past
      SELECT FROM core.subject_keys k WHERE k.tenant_id = users.tenant_id AND k.subject_id = users.id AND k.wrapped = ''::bytea))
  AND (sqlc.narg('department_id')::uuid IS NULL OR department_id = sqlc.narg('department_id'))
  AND (sqlc.narg('status')::text IS NULL OR status = sqlc.narg('status'))
ORDER BY id
LIMIT @row_limit;
