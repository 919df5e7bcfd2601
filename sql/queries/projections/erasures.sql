-- name: RequestErasure :exec
INSERT INTO erasures (tenant_id, id, user_id, reason, status, requested_by, ended_by, created_at, ended_at, version)
VALUES (@tenant_id, @id, @user_id, @reason, 'requested', @requested_by, NULL, @at, NULL, @version)
ON CONFLICT (tenant_id, id) DO NOTHING;

-- name: CancelErasure :exec
UPDATE erasures SET status = 'cancelled', ended_by = @ended_by, ended_at = @at, version = @version
WHERE tenant_id = @tenant_id AND id = @id AND version < @version;

-- name: FinishErasure :exec
-- One that nobody had to approve has no row before.
INSERT INTO erasures (tenant_id, id, user_id, reason, status, requested_by, ended_by, created_at, ended_at, version)
VALUES (@tenant_id, @id, @user_id, @reason, 'done', @ended_by, @ended_by, @at, @at, @version)
ON CONFLICT (tenant_id, id) DO UPDATE SET status = EXCLUDED.status, ended_by = EXCLUDED.ended_by, ended_at = EXCLUDED.ended_at,
    version = EXCLUDED.version
WHERE erasures.version < EXCLUDED.version;

-- name: EraseUser :exec
-- The address is somebody else's now, if they want it.
UPDATE users SET email = NULL, email_key = NULL, department_id = NULL, status = 'erased', updated_at = @at, version = @version
WHERE tenant_id = @tenant_id AND id = @id AND version < @version;

-- name: EraseUserOnly :exec
-- The address, of which nothing is left but its keyed hash, stays nobody's.
UPDATE users SET email = NULL, department_id = NULL, status = 'erased', updated_at = @at, version = @version
WHERE tenant_id = @tenant_id AND id = @id AND version < @version;
