-- name: AskAnew :exec
-- Lock: none that anybody waits for.
INSERT INTO core.redeliveries (tenant_id, position, endpoint_id, delivery_id, since, until, due_at)
VALUES (@tenant_id, @position, @endpoint_id, @delivery_id, @since, @until, @due_at) ON CONFLICT DO NOTHING;

-- name: ForgetDeliveries :execrows
-- A portion of those that are done. Who redelivers one at this very time wins: the row is looked at again once it is locked. Dead letters
-- that were never attempted are as old as their row. What lies beyond the cursor of its endpoint stays: it would be new again.
DELETE FROM core.event_deliveries d
WHERE d.status IN ('delivered', 'dead') AND coalesce(d.last_attempt_at, d.created_at) < @before AND (d.tenant_id, d.endpoint_id, d.tenant_seq) IN (
    (SELECT o.tenant_id, o.endpoint_id, o.tenant_seq FROM core.event_deliveries o
    WHERE o.status IN ('delivered', 'dead') AND o.last_attempt_at < @before AND NOT EXISTS (
        SELECT FROM core.delivery_cursors c WHERE c.tenant_id = o.tenant_id AND c.endpoint_id = o.endpoint_id AND c.tenant_seq < o.tenant_seq)
    ORDER BY o.last_attempt_at LIMIT @most)
    UNION ALL
    (SELECT n.tenant_id, n.endpoint_id, n.tenant_seq FROM core.event_deliveries n
    WHERE n.status IN ('delivered', 'dead') AND n.last_attempt_at IS NULL AND n.created_at < @before AND NOT EXISTS (
        SELECT FROM core.delivery_cursors c WHERE c.tenant_id = n.tenant_id AND c.endpoint_id = n.endpoint_id AND c.tenant_seq < n.tenant_seq)
    ORDER BY n.created_at LIMIT @most));

-- name: ForgetDeliveriesOfDeleted :execrows
-- A portion of those to endpoints that were deleted before a time, whatever became of them.
DELETE FROM core.event_deliveries d
WHERE (d.tenant_id, d.endpoint_id, d.tenant_seq) IN (
    SELECT o.tenant_id, o.endpoint_id, o.tenant_seq FROM endpoints e
    JOIN core.event_deliveries o ON o.tenant_id = e.tenant_id AND o.endpoint_id = e.id
    WHERE e.status = 'deleted' AND e.updated_at < @before ORDER BY o.tenant_id, o.endpoint_id, o.tenant_seq LIMIT @most);

-- name: ForgetCursorsOfDeleted :execrows
-- A portion of those of endpoints that were deleted before a time.
DELETE FROM core.delivery_cursors d
WHERE (d.tenant_id, d.endpoint_id) IN (
    SELECT c.tenant_id, c.endpoint_id FROM endpoints e
    JOIN core.delivery_cursors c ON c.tenant_id = e.tenant_id AND c.endpoint_id = e.id
    WHERE e.status = 'deleted' AND e.updated_at < @before ORDER BY c.tenant_id, c.endpoint_id LIMIT @most);

-- name: ForgetAttempts :execrows
-- A portion of the oldest.
DELETE FROM core.delivery_attempts a
WHERE (a.tenant_id, a.endpoint_id, a.tenant_seq, a.number) IN (
    SELECT o.tenant_id, o.endpoint_id, o.tenant_seq, o.number FROM core.delivery_attempts o
    WHERE o.attempted_at < @before ORDER BY o.attempted_at LIMIT @most);
