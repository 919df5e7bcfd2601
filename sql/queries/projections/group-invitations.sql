-- name: SendInvitation :exec
INSERT INTO group_invitations (tenant_id, id, group_id, group_tenant_id, user_id, user_tenant_id, role, message, status, membership_id,
    created_at, expires_at, answered_at, ended_at, end_reason, version)
VALUES (@tenant_id, @id, @group_id, @group_tenant_id, @user_id, @user_tenant_id, @role, @message, 'open', NULL,
    @at, @expires_at, NULL, NULL, '', @version)
ON CONFLICT (tenant_id, id) DO NOTHING;

-- name: AcceptInvitation :exec
UPDATE group_invitations SET status = 'accepted', membership_id = @membership_id, answered_at = @at, version = @version
WHERE tenant_id = @tenant_id AND id = @id AND version < @version;

-- name: DeclineInvitation :exec
UPDATE group_invitations SET status = 'declined', answered_at = @at, end_reason = @reason, version = @version
WHERE tenant_id = @tenant_id AND id = @id AND version < @version;

-- name: EndInvitation :exec
UPDATE group_invitations SET status = @status, ended_at = @at, end_reason = @reason, version = @version
WHERE tenant_id = @tenant_id AND id = @id AND version < @version;
