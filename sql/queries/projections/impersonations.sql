-- name: RequestImpersonation :exec
INSERT INTO impersonation_sessions (tenant_id, id, admin_user_id, admin_tenant_id, target_user_id, scope, reason, reference, minutes, status, consented_by,
    requested_at, consented_at, started_at, expires_at, ended_at, end_reason, version)
VALUES (@tenant_id, @id, @admin_user_id, @admin_tenant_id, @target_user_id, NULL, @reason, sqlc.narg('reference'), @minutes, 'requested', NULL,
    @at, NULL, NULL, @expires_at, NULL, NULL, @version)
ON CONFLICT (tenant_id, id) DO NOTHING;

-- name: ConsentToImpersonation :exec
UPDATE impersonation_sessions SET status = 'consented', consented_by = @consented_by, consented_at = @at, version = @version
WHERE tenant_id = @tenant_id AND id = @id AND version < @version;

-- name: RefuseImpersonation :exec
UPDATE impersonation_sessions SET status = 'refused', ended_at = @at, end_reason = sqlc.narg('reason'), version = @version
WHERE tenant_id = @tenant_id AND id = @id AND version < @version;

-- name: StartImpersonation :exec
-- Of one that was asked for there is a row.
INSERT INTO impersonation_sessions (tenant_id, id, admin_user_id, admin_tenant_id, target_user_id, scope, reason, reference, minutes, status, consented_by,
    requested_at, consented_at, started_at, expires_at, ended_at, end_reason, version)
VALUES (@tenant_id, @id, @admin_user_id, @admin_tenant_id, @target_user_id, @scope, @reason, sqlc.narg('reference'), NULL, 'active', NULL,
    NULL, NULL, @at, @expires_at, NULL, NULL, @version)
ON CONFLICT (tenant_id, id) DO UPDATE SET status = 'active', scope = EXCLUDED.scope, started_at = EXCLUDED.started_at,
    expires_at = EXCLUDED.expires_at, version = EXCLUDED.version
WHERE impersonation_sessions.version < EXCLUDED.version;

-- name: EndImpersonation :exec
UPDATE impersonation_sessions SET status = 'ended', ended_at = @at, end_reason = sqlc.narg('reason'), version = @version
WHERE tenant_id = @tenant_id AND id = @id AND version < @version;

-- name: ExpireImpersonation :exec
-- It was over when its time was, whenever the event says so.
UPDATE impersonation_sessions SET status = 'expired', ended_at = expires_at, version = @version
WHERE tenant_id = @tenant_id AND id = @id AND version < @version;
