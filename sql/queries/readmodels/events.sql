-- name: Events :many
-- In the order of tenant_seq: within a tenant that of position, and with an index.
SELECT position, id, tenant_id, tenant_seq, source_app_id, type, payload, metadata, tags, occurred_at, created_at
FROM core.events
WHERE tenant_id = @tenant_id AND tenant_seq > @after AND position <= @up_to
  AND (sqlc.narg('id')::uuid IS NULL OR id = sqlc.narg('id'))
  AND (sqlc.narg('type')::text IS NULL OR type = sqlc.narg('type'))
  AND (sqlc.narg('source_app_id')::text IS NULL OR source_app_id = sqlc.narg('source_app_id'))
ORDER BY tenant_seq
LIMIT @row_limit;

-- name: EventsNewestFirst :many
SELECT position, id, tenant_id, tenant_seq, source_app_id, type, payload, metadata, tags, occurred_at, created_at
FROM core.events
WHERE tenant_id = @tenant_id AND tenant_seq < @after AND position <= @up_to
  AND (sqlc.narg('id')::uuid IS NULL OR id = sqlc.narg('id'))
  AND (sqlc.narg('type')::text IS NULL OR type = sqlc.narg('type'))
  AND (sqlc.narg('source_app_id')::text IS NULL OR source_app_id = sqlc.narg('source_app_id'))
ORDER BY tenant_seq DESC
LIMIT @row_limit;

-- name: History :many
-- Events that carry a tag. The hash finds them, the tag itself rules out collisions. CTE materialized: the hits are few, whatever
-- the planner believes, so that they are sorted rather than the log walked.
WITH hits AS MATERIALIZED (
    SELECT t.position FROM core.event_tags t
    WHERE t.tag_hash = @tag_hash AND t.position > @after AND t.position <= @up_to)
SELECT e.position, e.id, e.tenant_id, e.tenant_seq, e.source_app_id, e.type, e.payload, e.metadata, e.tags, e.occurred_at, e.created_at
FROM hits JOIN core.events e ON e.position = hits.position
WHERE e.tenant_id = @tenant_id AND @tag::text = ANY (e.tags)
ORDER BY e.position
LIMIT @row_limit;

-- name: EventsAt :many
SELECT position, id, type
FROM core.events
WHERE tenant_id = @tenant_id AND position = ANY (@positions::bigint[])
ORDER BY position;
