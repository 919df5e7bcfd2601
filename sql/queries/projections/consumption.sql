-- name: RecordConsumption :exec
INSERT INTO event_consumption (tenant_id, id, consumer_app_id, event_id, checkpoint, endpoint_id, processed_at, version)
VALUES (@tenant_id, @id, @consumer_app_id, @event_id, NULL, NULL, @processed_at, @version)
ON CONFLICT (tenant_id, id) DO NOTHING;

-- name: AdvanceCheckpoint :exec
-- One that is not beyond that before it changes nothing.
INSERT INTO event_consumption (tenant_id, id, consumer_app_id, event_id, checkpoint, endpoint_id, processed_at, version)
VALUES (@tenant_id, @id, @consumer_app_id, NULL, @checkpoint, @endpoint_id, @processed_at, @version)
ON CONFLICT (tenant_id, id) DO UPDATE SET checkpoint = excluded.checkpoint, processed_at = excluded.processed_at, version = excluded.version
WHERE event_consumption.version < excluded.version AND event_consumption.checkpoint < excluded.checkpoint;

-- name: SetCheckpoint :exec
INSERT INTO event_consumption (tenant_id, id, consumer_app_id, event_id, checkpoint, endpoint_id, processed_at, version)
VALUES (@tenant_id, @id, @consumer_app_id, NULL, @checkpoint, @endpoint_id, @processed_at, @version)
ON CONFLICT (tenant_id, id) DO UPDATE SET checkpoint = excluded.checkpoint, processed_at = excluded.processed_at, version = excluded.version
WHERE event_consumption.version < excluded.version;
