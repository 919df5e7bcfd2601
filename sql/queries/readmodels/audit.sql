-- name: Audit :many
-- An entry has the id of its event, and the log the index on it.
SELECT tenant_id, position, id, actor_user_id, effective_user_id, action, object_ref, metadata, is_delegated, is_impersonated,
    delegation_id, impersonation_id, occurred_at, created_at
FROM audit_log a
WHERE a.tenant_id = @tenant_id AND a.position > @after
  AND (sqlc.narg('id')::uuid IS NULL OR a.position = (
        SELECT e.position FROM core.events e WHERE e.id = sqlc.narg('id') AND e.tenant_id = @tenant_id))
  AND (sqlc.narg('actor_user_id')::uuid IS NULL OR actor_user_id = sqlc.narg('actor_user_id'))
  AND (sqlc.narg('effective_user_id')::uuid IS NULL OR effective_user_id = sqlc.narg('effective_user_id'))
  AND (sqlc.narg('action')::text IS NULL OR action = sqlc.narg('action'))
  AND (sqlc.narg('object_ref')::text IS NULL OR object_ref = sqlc.narg('object_ref'))
ORDER BY position
LIMIT @row_limit;

-- name: AuditNewestFirst :many
SELECT tenant_id, position, id, actor_user_id, effective_user_id, action, object_ref, metadata, is_delegated, is_impersonated,
    delegation_id, impersonation_id, occurred_at, created_at
FROM audit_log a
WHERE a.tenant_id = @tenant_id AND a.position < @after
  AND (sqlc.narg('id')::uuid IS NULL OR a.position = (
        SELECT e.position FROM core.events e WHERE e.id = sqlc.narg('id') AND e.tenant_id = @tenant_id))
  AND (sqlc.narg('actor_user_id')::uuid IS NULL OR actor_user_id = sqlc.narg('actor_user_id'))
  AND (sqlc.narg('effective_user_id')::uuid IS NULL OR effective_user_id = sqlc.narg('effective_user_id'))
  AND (sqlc.narg('action')::text IS NULL OR action = sqlc.narg('action'))
  AND (sqlc.narg('object_ref')::text IS NULL OR object_ref = sqlc.narg('object_ref'))
ORDER BY position DESC
LIMIT @row_limit;
