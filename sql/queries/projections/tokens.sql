-- name: IssueToken :exec
INSERT INTO api_tokens (tenant_id, id, user_id, name, prefix, token_hash, scopes, status, expires_at, created_at, rotated_at, revoked_at, app_id, version)
VALUES (@tenant_id, @id, @user_id, @name, @prefix, @token_hash, @scopes, 'active', @expires_at, @at, NULL, NULL, @app_id, @version)
ON CONFLICT (tenant_id, id) DO NOTHING;

-- name: RotateToken :exec
-- One that was over has another end now.
UPDATE api_tokens SET status = 'active', token_hash = @token_hash, expires_at = @expires_at, rotated_at = @at, version = @version
WHERE tenant_id = @tenant_id AND id = @id AND version < @version;

-- name: RevokeToken :exec
UPDATE api_tokens SET status = 'revoked', revoked_at = @at, version = @version
WHERE tenant_id = @tenant_id AND id = @id AND version < @version;

-- name: ExpireToken :exec
UPDATE api_tokens SET status = 'expired', version = @version
WHERE tenant_id = @tenant_id AND id = @id AND version < @version;
