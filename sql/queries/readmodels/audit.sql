-- name: Audit :many
-- An entry has the id of its event, and the log the index on it.
SELECT tenant_id, position, id, actor_user_id, effective_user_id, action, object_ref, metadata, is_delegated, is_impersonated,
    delegation_id, impersonation_id, occurred_at, created_at, ip, user_agent
FROM audit_log a
WHERE a.tenant_id = @tenant_id AND a.position > @after
  AND (sqlc.narg('id')::uuid IS NULL OR a.position = (
        SELECT e.position FROM core.events e WHERE e.id = sqlc.narg('id') AND e.tenant_id = @tenant_id))
  AND (sqlc.narg('actor_user_id')::uuid IS NULL OR actor_user_id = sqlc.narg('actor_user_id'))
  AND (sqlc.narg('effective_user_id')::uuid IS NULL OR effective_user_id = sqlc.narg('effective_user_id'))
  AND (sqlc.narg('delegation_id')::uuid IS NULL OR delegation_id = sqlc.narg('delegation_id'))
  AND (sqlc.narg('impersonation_id')::uuid IS NULL OR impersonation_id = sqlc.narg('impersonation_id'))
  AND (sqlc.narg('action')::text IS NULL OR action = sqlc.narg('action'))
  AND (sqlc.narg('object_ref')::text IS NULL OR object_ref = sqlc.narg('object_ref'))
ORDER BY position
LIMIT @row_limit;

-- name: AuditNewestFirst :many
SELECT tenant_id, position, id, actor_user_id, effective_user_id, action, object_ref, metadata, is_delegated, is_impersonated,
    delegation_id, impersonation_id, occurred_at, created_at, ip, user_agent
FROM audit_log a
WHERE a.tenant_id = @tenant_id AND a.position < @after
  AND (sqlc.narg('id')::uuid IS NULL OR a.position = (
        SELECT e.position FROM core.events e WHERE e.id = sqlc.narg('id') AND e.tenant_id = @tenant_id))
  AND (sqlc.narg('actor_user_id')::uuid IS NULL OR actor_user_id = sqlc.narg('actor_user_id'))
  AND (sqlc.narg('effective_user_id')::uuid IS NULL OR effective_user_id = sqlc.narg('effective_user_id'))
  AND (sqlc.narg('delegation_id')::uuid IS NULL OR delegation_id = sqlc.narg('delegation_id'))
  AND (sqlc.narg('impersonation_id')::uuid IS NULL OR impersonation_id = sqlc.narg('impersonation_id'))
  AND (sqlc.narg('action')::text IS NULL OR action = sqlc.narg('action'))
  AND (sqlc.narg('object_ref')::text IS NULL OR object_ref = sqlc.narg('object_ref'))
ORDER BY position DESC
LIMIT @row_limit;

-- name: AuditAbout :many
-- Entries in which a user acted, was acted for, or was the object. Each of the three has an index that holds its entries in order;
-- one condition over all of them would have the planner walk the tenant's whole log. Who acts for themselves is the actor.
SELECT tenant_id, position, id, actor_user_id, effective_user_id, action, object_ref, metadata, is_delegated, is_impersonated,
    delegation_id, impersonation_id, occurred_at, created_at, ip, user_agent
FROM audit_log a
WHERE a.tenant_id = @tenant_id AND a.position = ANY (ARRAY(
    SELECT hits.position FROM (
        (SELECT x.position FROM audit_log x WHERE x.tenant_id = @tenant_id AND x.actor_user_id = @user_id::uuid
            AND x.position > @after AND x.position <= @up_to ORDER BY x.position LIMIT @row_limit)
        UNION
        (SELECT y.position FROM audit_log y WHERE y.tenant_id = @tenant_id AND y.effective_user_id = @user_id::uuid
            AND y.effective_user_id IS DISTINCT FROM y.actor_user_id AND y.position > @after AND y.position <= @up_to ORDER BY y.position LIMIT @row_limit)
        UNION
        (SELECT z.position FROM audit_log z WHERE z.tenant_id = @tenant_id AND z.object_ref = @object_ref
            AND z.position > @after AND z.position <= @up_to ORDER BY z.position LIMIT @row_limit)
    ) hits ORDER BY hits.position LIMIT @row_limit))
ORDER BY a.position;
