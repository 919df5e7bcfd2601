-- name: Reviews :many
SELECT tenant_id, id, name, role_id, group_id, status, on_silence, due_at, items, decided, created_by, created_at, closed_at,
    close_reason, version
FROM reviews
WHERE tenant_id = @tenant_id AND id > @after
  AND (sqlc.narg('id')::uuid IS NULL OR id = sqlc.narg('id'))
  AND (sqlc.narg('status')::text IS NULL OR status = sqlc.narg('status'))
  AND (sqlc.narg('role_id')::uuid IS NULL OR role_id = sqlc.narg('role_id'))
  AND (sqlc.narg('group_id')::uuid IS NULL OR group_id = sqlc.narg('group_id'))
ORDER BY id
LIMIT @row_limit;

-- name: ReviewItems :many
SELECT tenant_id, id, review_id, item_id, user_id, department_id, group_id, role_id, status, already, decided_by, decided_at,
    reason, version
FROM review_items
WHERE tenant_id = @tenant_id AND id > @after
  AND (sqlc.narg('id')::uuid IS NULL OR id = sqlc.narg('id'))
  AND (sqlc.narg('review_id')::uuid IS NULL OR review_id = sqlc.narg('review_id'))
  AND (sqlc.narg('status')::text IS NULL OR status = sqlc.narg('status'))
  AND (sqlc.narg('user_id')::uuid IS NULL OR user_id = sqlc.narg('user_id'))
ORDER BY id
LIMIT @row_limit;
