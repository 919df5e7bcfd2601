-- name: GrantEntitlement :exec
-- What was used of it stays: a licence that is changed begins no meter anew.
INSERT INTO license_entitlements (tenant_id, id, license_id, app, name, kind, allowance, period, soft, used, used_period, starts_at, ends_at,
    revision, created_at, updated_at, version)
VALUES (@tenant_id, @id, @license_id, @app, @name, @kind, @allowance, @period, @soft, 0, NULL, @starts_at, @ends_at,
    @revision, @at, @at, @version)
ON CONFLICT (tenant_id, id) DO UPDATE SET kind = excluded.kind, allowance = excluded.allowance, period = excluded.period, soft = excluded.soft,
    starts_at = excluded.starts_at, ends_at = excluded.ends_at, revision = excluded.revision, updated_at = excluded.updated_at, version = excluded.version
WHERE license_entitlements.version < excluded.version;

-- name: SetUsed :exec
UPDATE license_entitlements SET used = @used, used_period = @used_period, updated_at = @at, version = @version
WHERE tenant_id = @tenant_id AND id = @id AND version < @version;

-- name: RecordUsage :exec
INSERT INTO license_usage (tenant_id, id, license_id, app, name, amount, period, total, over, note, status, reverse_reason, created_at, reversed_at, version)
VALUES (@tenant_id, @id, @license_id, @app, @name, @amount, @period, @total, @over, @note, 'recorded', NULL, @at, NULL, @version)
ON CONFLICT (tenant_id, id) DO NOTHING;

-- name: ReverseUsage :exec
UPDATE license_usage SET status = 'reversed', reverse_reason = @reason, reversed_at = @at, version = @version
WHERE tenant_id = @tenant_id AND id = @id AND version < @version;
