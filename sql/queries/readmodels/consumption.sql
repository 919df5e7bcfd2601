-- name: Consumption :many
SELECT tenant_id, id, consumer_app_id, event_id, checkpoint, endpoint_id, processed_at, version
FROM event_consumption
WHERE tenant_id = @tenant_id AND id > @after
  AND (sqlc.narg('id')::uuid IS NULL OR id = sqlc.narg('id'))
  AND (sqlc.narg('consumer_app_id')::text IS NULL OR consumer_app_id = sqlc.narg('consumer_app_id'))
  AND (sqlc.narg('event_id')::uuid IS NULL OR event_id = sqlc.narg('event_id'))
  AND (sqlc.narg('endpoint_id')::uuid IS NULL OR endpoint_id = sqlc.narg('endpoint_id'))
ORDER BY id
LIMIT @row_limit;
