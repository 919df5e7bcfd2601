-- name: LinkIdentity :exec
INSERT INTO user_identities (tenant_id, id, user_id, issuer, subject, subject_key, status, created_at, unlinked_at, version)
VALUES (@tenant_id, @id, @user_id, @issuer, @subject, @subject_key, 'linked', @at, NULL, @version)
ON CONFLICT (tenant_id, id) DO NOTHING;

-- name: UnlinkIdentity :exec
UPDATE user_identities SET status = 'unlinked', unlinked_at = @at, version = @version
WHERE tenant_id = @tenant_id AND id = @id AND version < @version;
