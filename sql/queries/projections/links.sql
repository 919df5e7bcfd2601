-- name: IssueLink :exec
INSERT INTO links (tenant_id, id, user_id, purpose, status, reason, expires_at, created_at, mailed_at, ended_at, version)
VALUES (@tenant_id, @id, @user_id, @purpose, 'issued', '', @expires_at, @at, NULL, NULL, @version)
ON CONFLICT (tenant_id, id) DO NOTHING;

-- name: MailLink :exec
UPDATE links SET status = 'mailed', mailed_at = @at, version = @version
WHERE tenant_id = @tenant_id AND id = @id AND version < @version;

-- name: GiveUpLink :exec
UPDATE links SET status = 'undeliverable', reason = @reason, version = @version
WHERE tenant_id = @tenant_id AND id = @id AND version < @version;

-- name: EndLink :exec
UPDATE links SET status = @status, ended_at = @at, version = @version
WHERE tenant_id = @tenant_id AND id = @id AND version < @version;
