-- name: TakeSeat :exec
INSERT INTO license_seats (tenant_id, id, license_id, app, seating, user_id, holder, status, created_at, taken_at, expires_at, ended_at, end_reason, updated_at, version)
VALUES (@tenant_id, @id, @license_id, @app, @seating, @user_id, @holder, 'taken', @at, @at, @expires_at, NULL, NULL, @at, @version)
ON CONFLICT (tenant_id, id) DO UPDATE SET status = 'taken', taken_at = excluded.taken_at, expires_at = excluded.expires_at,
    ended_at = NULL, end_reason = NULL, updated_at = excluded.updated_at, version = excluded.version
WHERE license_seats.version < excluded.version;

-- name: KeepSeat :exec
UPDATE license_seats SET expires_at = @expires_at, updated_at = @at, version = @version
WHERE tenant_id = @tenant_id AND id = @id AND version < @version;

-- name: FreeSeat :exec
UPDATE license_seats SET status = @status, ended_at = @ended_at, end_reason = @end_reason, updated_at = @at, version = @version
WHERE tenant_id = @tenant_id AND id = @id AND version < @version;
