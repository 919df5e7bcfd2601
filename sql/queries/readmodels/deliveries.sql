-- name: Deliveries :many
-- Those that have a row, in the order of the log.
SELECT tenant_id, id, event_id, consumer_app_id, attempt_count, last_attempt_at, status, endpoint_id, event_type, tenant_seq, position, sequence,
    first_attempt_at, next_attempt_at, delivered_at, response_status, error
FROM core.event_deliveries
WHERE tenant_id = @tenant_id AND (tenant_seq, endpoint_id) > (@after_seq, @after_endpoint::uuid) AND position <= @up_to
  AND (sqlc.narg('id')::uuid IS NULL OR id = sqlc.narg('id'))
  AND (sqlc.narg('endpoint_id')::uuid IS NULL OR endpoint_id = sqlc.narg('endpoint_id'))
  AND (sqlc.narg('event_seq')::bigint IS NULL OR tenant_seq = sqlc.narg('event_seq'))
  AND (sqlc.narg('consumer_app_id')::text IS NULL OR consumer_app_id = sqlc.narg('consumer_app_id'))
  AND (sqlc.narg('status')::text IS NULL OR status = sqlc.narg('status'))
ORDER BY tenant_seq, endpoint_id
LIMIT @row_limit;

-- name: Attempts :many
-- Of some deliveries, as far as they were made by a position, or had come to something by a time.
SELECT endpoint_id, tenant_seq, number, attempted_at, round((extract(epoch FROM latency) * 1000)::numeric, 3)::float8 AS latency_ms,
    response_status, response_start, error, status, next_attempt_at
FROM core.delivery_attempts
WHERE tenant_id = @tenant_id AND (sqlc.narg('by')::timestamptz IS NOT NULL OR log_position <= @up_to)
  AND (sqlc.narg('by')::timestamptz IS NULL OR attempted_at + latency <= sqlc.narg('by'))
  AND (endpoint_id, tenant_seq) IN (SELECT unnest(@endpoints::uuid[]), unnest(@seqs::bigint[]))
ORDER BY endpoint_id, tenant_seq, number;

-- name: Subscribers :many
-- Endpoints, how far they have come, and what they may have: by the manifest of the version at work, and by the tenant's policy. One that
-- was deleted is among them only if it is asked for by its id.
SELECT e.tenant_id, e.id, e.app_id, e.status, e.types, e.filter, e.starts_after, e.from_time,
    GREATEST(c.tenant_seq, k.checkpoint, e.skipped_through)::bigint AS reached,
    COALESCE(v.manifest_json #>> '{events,consumes}', '[]')::text AS consumes,
    p.value AS policy
FROM endpoints e
LEFT JOIN core.delivery_cursors c ON c.tenant_id = e.tenant_id AND c.endpoint_id = e.id
LEFT JOIN event_consumption k ON k.tenant_id = e.tenant_id AND k.id = e.id
LEFT JOIN tenant_apps a ON a.tenant_id = e.tenant_id AND a.app = e.app_id
LEFT JOIN app_versions v ON v.tenant_id = @platform AND v.app = a.app AND v.app_version = a.app_version
LEFT JOIN tenant_policies p ON p.tenant_id = e.tenant_id AND p.key = @policy AND p.status = 'set'
WHERE e.tenant_id = @tenant_id
  AND (e.status <> 'deleted' OR e.id = sqlc.narg('id'))
  AND (sqlc.narg('id')::uuid IS NULL OR e.id = sqlc.narg('id'))
  AND (sqlc.narg('app_id')::text IS NULL OR e.app_id = sqlc.narg('app_id'))
ORDER BY e.id;

-- name: AllSubscribers :many
-- The same of every tenant's endpoints, without those that were deleted. For the projectors' role.
SELECT e.tenant_id, e.id, e.app_id, e.status, e.types, e.filter, e.starts_after, e.from_time,
    GREATEST(c.tenant_seq, k.checkpoint, e.skipped_through)::bigint AS reached,
    COALESCE(v.manifest_json #>> '{events,consumes}', '[]')::text AS consumes,
    p.value AS policy
FROM endpoints e
LEFT JOIN core.delivery_cursors c ON c.tenant_id = e.tenant_id AND c.endpoint_id = e.id
LEFT JOIN event_consumption k ON k.tenant_id = e.tenant_id AND k.id = e.id
LEFT JOIN tenant_apps a ON a.tenant_id = e.tenant_id AND a.app = e.app_id
LEFT JOIN app_versions v ON v.tenant_id = @platform AND v.app = a.app AND v.app_version = a.app_version
LEFT JOIN tenant_policies p ON p.tenant_id = e.tenant_id AND p.key = @policy AND p.status = 'set'
WHERE e.status <> 'deleted'
ORDER BY e.tenant_id, e.id;

-- name: Heads :many
-- How many events some tenants have.
SELECT t.tenant_id::uuid AS tenant_id, COALESCE((SELECT max(e.tenant_seq) FROM core.events e WHERE e.tenant_id = t.tenant_id), 0)::bigint AS head
FROM (SELECT DISTINCT unnest(@tenants::uuid[]) AS tenant_id) t
ORDER BY t.tenant_id;

-- name: EventIDs :many
-- In the order of the log, without what is in them.
SELECT tenant_seq, id
FROM core.events
WHERE tenant_id = @tenant_id AND tenant_seq > @after AND position <= @up_to
ORDER BY tenant_seq
LIMIT @row_limit;

-- name: EventsBySeq :many
SELECT position, id, tenant_id, tenant_seq, source_app_id, type, payload, metadata, tags, occurred_at, created_at
FROM core.events
WHERE tenant_id = @tenant_id AND tenant_seq = ANY (@seqs::bigint[]) AND position <= @up_to
ORDER BY tenant_seq;

-- name: EndpointAttempts :one
-- What came of the newest attempts of an endpoint. Those that only handed an event out have come to nothing yet.
WITH newest AS (
    SELECT latency, status, response_status, error FROM core.delivery_attempts
    WHERE tenant_id = @tenant_id AND endpoint_id = @endpoint_id AND attempted_at >= @since
    ORDER BY attempted_at DESC LIMIT @most)
SELECT count(*) AS attempts, count(*) FILTER (WHERE status = 'delivered') AS delivered, count(*) FILTER (WHERE status = 'leased') AS leased,
    COALESCE(percentile_disc(0.5) WITHIN GROUP (ORDER BY extract(epoch FROM latency)::float8), 0)::float8 AS p50,
    COALESCE(percentile_disc(0.95) WITHIN GROUP (ORDER BY extract(epoch FROM latency)::float8), 0)::float8 AS p95,
    COALESCE(percentile_disc(0.99) WITHIN GROUP (ORDER BY extract(epoch FROM latency)::float8), 0)::float8 AS p99
FROM newest
ORDER BY 1;

-- name: EndpointBacklog :one
-- Deliveries of an endpoint that are under way, at most so many of each kind; dead letters likewise; and the oldest of those under way.
SELECT
    (SELECT count(*) FROM (SELECT 1 FROM core.event_deliveries d WHERE d.tenant_id = @tenant_id AND d.endpoint_id = @endpoint_id
        AND d.next_attempt_at IS NOT NULL LIMIT @most) due) AS due,
    (SELECT count(*) FROM (SELECT 1 FROM core.event_deliveries d WHERE d.tenant_id = @tenant_id AND d.endpoint_id = @endpoint_id
        AND d.status = 'waiting' LIMIT @most) waiting) AS waiting,
    (SELECT count(*) FROM (SELECT 1 FROM core.event_deliveries d WHERE d.tenant_id = @tenant_id AND d.endpoint_id = @endpoint_id
        AND d.status = 'dead' LIMIT @most) dead) AS dead,
    COALESCE(LEAST(
        (SELECT min(d.tenant_seq) FROM core.event_deliveries d WHERE d.tenant_id = @tenant_id AND d.endpoint_id = @endpoint_id AND d.next_attempt_at IS NOT NULL),
        (SELECT min(d.tenant_seq) FROM core.event_deliveries d WHERE d.tenant_id = @tenant_id AND d.endpoint_id = @endpoint_id AND d.status = 'waiting')
    ), 0)::bigint AS oldest, -- 0: there is none
    c.failing_since, c.last_success_at, c.last_failure_at
FROM (SELECT) one
LEFT JOIN core.delivery_cursors c ON c.tenant_id = @tenant_id AND c.endpoint_id = @endpoint_id
ORDER BY 1;

-- name: KeptDeliveries :many
-- Which of some deliveries have a row.
SELECT endpoint_id, tenant_seq
FROM core.event_deliveries
WHERE tenant_id = @tenant_id AND (endpoint_id, tenant_seq) IN (SELECT unnest(@endpoints::uuid[]), unnest(@seqs::bigint[]))
ORDER BY endpoint_id, tenant_seq;

-- name: KeptBeyond :many
-- Deliveries of an endpoint that have a row though they lie beyond its cursor: those before them are still on their way.
SELECT tenant_seq
FROM core.event_deliveries
WHERE tenant_id = @tenant_id AND endpoint_id = @endpoint_id AND tenant_seq > @reached
ORDER BY tenant_seq
LIMIT @most;

-- name: KeptBacklogs :many
-- Of endpoints of any tenant: how many deliveries that have a row are under way, at most so many of each kind, when the event of the
-- oldest of them was recorded, and how many rows lie beyond what the endpoint has reached. For the projectors' role.
WITH asked AS (
    SELECT unnest(@tenants::uuid[]) AS tenant_id, unnest(@endpoints::uuid[]) AS endpoint_id, unnest(@reached::bigint[]) AS reached)
SELECT a.endpoint_id::uuid AS endpoint_id, (due.n + waiting.n)::bigint AS kept, beyond.n AS beyond, e.created_at AS oldest_at
FROM asked a
CROSS JOIN LATERAL (SELECT count(*) AS n, min(x.tenant_seq) AS oldest FROM (
    SELECT d.tenant_seq FROM core.event_deliveries d
    WHERE d.tenant_id = a.tenant_id AND d.endpoint_id = a.endpoint_id AND d.next_attempt_at IS NOT NULL
    ORDER BY d.next_attempt_at, d.tenant_seq LIMIT @most) x) due
CROSS JOIN LATERAL (SELECT count(*) AS n, min(x.tenant_seq) AS oldest FROM (
    SELECT d.tenant_seq FROM core.event_deliveries d
    WHERE d.tenant_id = a.tenant_id AND d.endpoint_id = a.endpoint_id AND d.status = 'waiting' LIMIT @most) x) waiting
CROSS JOIN LATERAL (SELECT count(*) AS n FROM (
    SELECT FROM core.event_deliveries d
    WHERE d.tenant_id = a.tenant_id AND d.endpoint_id = a.endpoint_id AND d.tenant_seq > a.reached LIMIT @most) x) beyond
LEFT JOIN core.events e ON e.tenant_id = a.tenant_id AND e.tenant_seq = LEAST(due.oldest, waiting.oldest)
ORDER BY a.tenant_id, a.endpoint_id;
