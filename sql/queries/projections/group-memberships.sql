-- name: AddMember :exec
INSERT INTO group_memberships (tenant_id, id, group_id, user_id, role, home_tenant_id, invitation_id, created_at, updated_at, version)
VALUES (@tenant_id, @id, @group_id, @user_id, @role, @home_tenant_id, @invitation_id, @at, @at, @version)
ON CONFLICT (tenant_id, id) DO NOTHING;

-- name: SetMemberRole :exec
UPDATE group_memberships SET role = @role, updated_at = @at, version = @version
WHERE tenant_id = @tenant_id AND id = @id AND version < @version;

-- name: RemoveMember :exec
DELETE FROM group_memberships
WHERE tenant_id = @tenant_id AND id = @id AND version < @version;
