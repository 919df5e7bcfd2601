-- name: CreateEndpoint :exec
INSERT INTO endpoints (tenant_id, id, app_id, kind, status, description, types, filter, url, body, order_by, concurrency, per_second,
    lease_seconds, max_attempts, starts_after, from_time, skipped_through, secret_version, owner_user_id, created_at, updated_at, version)
VALUES (@tenant_id, @id, @app_id, @kind, 'enabled', @description, @types::text[], sqlc.narg('filter'), sqlc.narg('url'), @body, sqlc.narg('order_by'), @concurrency, @per_second,
    @lease_seconds, @max_attempts, @starts_after, sqlc.narg('from_time'), 0, 0, sqlc.narg('owner_user_id'), @at, @at, @version)
ON CONFLICT (tenant_id, id) DO NOTHING;

-- name: ChangeEndpoint :exec
UPDATE endpoints SET description = @description, types = @types::text[], filter = sqlc.narg('filter'), url = sqlc.narg('url'), body = @body,
    order_by = sqlc.narg('order_by'), concurrency = @concurrency, per_second = @per_second, lease_seconds = @lease_seconds,
    max_attempts = @max_attempts, updated_at = @at, version = @version
WHERE tenant_id = @tenant_id AND id = @id AND version < @version;

-- name: RotateEndpointSecret :exec
-- The keys so far sign beside the new ones for a while, and so do those before them, perhaps for longer.
UPDATE endpoints SET previous_until = @previous_until,
    secret_sealed = @secret_sealed, private_sealed = @private_sealed, public_key = @public_key, secret_version = @number,
    secret_rotated_at = @at, updated_at = @at, version = @version
WHERE tenant_id = @tenant_id AND id = @id AND version < @version;

-- name: ReplaceEndpointSecret :exec
-- No keys so far sign any more.
UPDATE endpoints SET previous_until = NULL,
    secret_sealed = @secret_sealed, private_sealed = @private_sealed, public_key = @public_key, secret_version = @number,
    secret_rotated_at = @at, updated_at = @at, version = @version
WHERE tenant_id = @tenant_id AND id = @id AND version < @version;

-- name: EnableEndpoint :exec
UPDATE endpoints SET status = 'enabled', disabled_at = NULL, disabled_why = NULL, disabled_reason = NULL, failing_since = NULL,
    enable_not_before = NULL, updated_at = @at, version = @version
WHERE tenant_id = @tenant_id AND id = @id AND version < @version;

-- name: EnableEndpointSkipping :exec
-- Without what came meanwhile.
UPDATE endpoints SET status = 'enabled', disabled_at = NULL, disabled_why = NULL, disabled_reason = NULL, failing_since = NULL,
    enable_not_before = NULL, skipped_through = @tenant_seq, updated_at = @at, version = @version
WHERE tenant_id = @tenant_id AND id = @id AND version < @version;

-- name: DisableEndpoint :exec
UPDATE endpoints SET status = 'disabled', disabled_at = @at, disabled_why = @why, disabled_reason = sqlc.narg('reason'),
    failing_since = sqlc.narg('failing_since'), enable_not_before = sqlc.narg('not_before'), updated_at = @at, version = @version
WHERE tenant_id = @tenant_id AND id = @id AND version < @version;

-- name: DeleteEndpoint :exec
UPDATE endpoints SET status = 'deleted', secret_sealed = NULL, private_sealed = NULL, previous_until = NULL, updated_at = @at, version = @version
WHERE tenant_id = @tenant_id AND id = @id AND version < @version;

-- name: TouchEndpoint :exec
UPDATE endpoints SET version = @version
WHERE tenant_id = @tenant_id AND id = @id AND version < @version;
