-- name: HurryNot :exec
-- For the rest of the transaction: what follows may change many rows, and is either done as a whole or tried again for ever.
SELECT set_config('statement_timeout', '0', true);

-- name: RedeliverEvent :exec
-- Lock: the row. One that is handed out, or waits behind another, is left alone.
UPDATE core.event_deliveries SET status = 'retrying', round = attempt_count, next_attempt_at = @at::timestamptz
WHERE tenant_id = @tenant_id AND id = @id AND status IN ('retrying', 'delivered', 'dead');

-- name: RedeliverRange :exec
-- By when the events were recorded, before the request itself. Lock: the rows; whoever delivers them at that time waits for the commit.
UPDATE core.event_deliveries d SET status = 'retrying', round = d.attempt_count, next_attempt_at = @at::timestamptz
FROM core.events e
WHERE d.tenant_id = @tenant_id AND d.endpoint_id = @endpoint_id AND d.position < @before AND d.status IN ('retrying', 'delivered', 'dead')
  AND e.tenant_id = d.tenant_id AND e.tenant_seq = d.tenant_seq AND e.created_at >= @since AND e.created_at < @until;

-- name: RedeliverFailed :exec
-- Lock: the rows, which nobody delivers.
UPDATE core.event_deliveries SET status = 'retrying', round = attempt_count, next_attempt_at = @at::timestamptz
WHERE tenant_id = @tenant_id AND endpoint_id = @endpoint_id AND status = 'dead';

-- name: ForgetDeliveries :execrows
-- A portion of those that are done. Who redelivers one at this very time wins: the row is looked at again once it is locked.
DELETE FROM core.event_deliveries d
WHERE d.status IN ('delivered', 'dead') AND d.last_attempt_at < @before AND (d.tenant_id, d.endpoint_id, d.tenant_seq) IN (
    SELECT o.tenant_id, o.endpoint_id, o.tenant_seq FROM core.event_deliveries o
    WHERE o.status IN ('delivered', 'dead') AND o.last_attempt_at < @before ORDER BY o.last_attempt_at LIMIT @most);

-- name: ForgetAttempts :execrows
-- A portion of the oldest.
DELETE FROM core.delivery_attempts a
WHERE (a.tenant_id, a.endpoint_id, a.tenant_seq, a.number) IN (
    SELECT o.tenant_id, o.endpoint_id, o.tenant_seq, o.number FROM core.delivery_attempts o
    WHERE o.attempted_at < @before ORDER BY o.attempted_at LIMIT @most);
