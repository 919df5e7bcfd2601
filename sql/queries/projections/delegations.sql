-- name: GrantDelegation :exec
INSERT INTO delegations (tenant_id, id, home_tenant_id, grantor_user_id, grantor_tenant_id, delegate_user_id, delegate_tenant_id, parent_id, chain,
    action_scope, starts_at, ends_at, redelegations, reason, status, created_at, accepted_at, ended_at, end_reason, version)
VALUES (@tenant_id, @id, @home_tenant_id, @grantor_user_id, @grantor_tenant_id, @delegate_user_id, @delegate_tenant_id, @parent_id, @chain,
    @action_scope, @starts_at, @ends_at, @redelegations, @reason, 'offered', @at, NULL, NULL, NULL, @version)
ON CONFLICT (tenant_id, id) DO NOTHING;

-- name: AcceptDelegation :exec
UPDATE delegations SET status = 'accepted', accepted_at = @at, version = @version
WHERE tenant_id = @tenant_id AND id = @id AND version < @version;

-- name: EndDelegation :exec
UPDATE delegations SET status = @status, ended_at = @at, end_reason = @end_reason, version = @version
WHERE tenant_id = @tenant_id AND id = @id AND version < @version;
