-- name: StartSession :exec
INSERT INTO sessions (tenant_id, id, user_id, status, methods, last_proof, issuer_id, scopes, ip, user_agent, idle_seconds, started_at, authenticated_at, last_seen_at, expires_at, ended_at, end_reason, version)
VALUES (@tenant_id, @id, @user_id, 'active', @methods, @methods, sqlc.narg('issuer_id'), @scopes, sqlc.narg('ip'), sqlc.narg('user_agent'), @idle_seconds, @at, @authenticated_at, @at, @expires_at, NULL, NULL, @version)
ON CONFLICT (tenant_id, id) DO NOTHING;

-- name: SeeSession :exec
UPDATE sessions SET last_seen_at = @at, version = @version
WHERE tenant_id = @tenant_id AND id = @id AND version < @version;

-- name: ElevateSession :exec
UPDATE sessions SET authenticated_at = @at, last_seen_at = @at, last_proof = @methods, version = @version
WHERE tenant_id = @tenant_id AND id = @id AND version < @version;

-- name: UnboundSession :exec
-- A second factor was shown: what bounded the session falls.
UPDATE sessions SET authenticated_at = @at, last_seen_at = @at, last_proof = @methods, scopes = NULL, version = @version
WHERE tenant_id = @tenant_id AND id = @id AND version < @version;

-- name: EndSession :exec
UPDATE sessions SET status = 'ended', ended_at = @at, end_reason = @reason, version = @version
WHERE tenant_id = @tenant_id AND id = @id AND version < @version;
