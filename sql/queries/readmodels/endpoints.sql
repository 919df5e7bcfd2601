-- name: Endpoints :many
-- Never the keys, not even sealed.
SELECT tenant_id, id, app_id, kind, status, description, types, filter, url, body, order_by, concurrency, per_second, lease_seconds,
    max_attempts, starts_after::text AS starts_after, from_time, skipped_through::text AS skipped_through, secret_version, public_key, previous_until, secret_rotated_at, disabled_at,
    disabled_why, disabled_reason, failing_since, enable_not_before, owner_user_id, created_at, updated_at, version
FROM endpoints
WHERE tenant_id = @tenant_id AND id > @after
  AND (sqlc.narg('id')::uuid IS NULL OR id = sqlc.narg('id'))
  AND (sqlc.narg('app_id')::text IS NULL OR app_id = sqlc.narg('app_id'))
  AND (sqlc.narg('kind')::text IS NULL OR kind = sqlc.narg('kind'))
  AND (sqlc.narg('status')::text IS NULL OR status = sqlc.narg('status'))
ORDER BY id
LIMIT @row_limit;

-- name: Webhooks :many
-- All that are enabled, of every tenant, with their sealed keys. For the projectors' role: whoever delivers opens them.
SELECT tenant_id, id, app_id, types, filter, url, body, order_by, concurrency, per_second, starts_after, from_time, skipped_through,
    secret_version, secret_sealed, private_sealed, secret_rotated_at, version
FROM endpoints
WHERE kind = 'webhook' AND status = 'enabled'
ORDER BY tenant_id, id;
