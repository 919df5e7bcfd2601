-- name: WriteAudit :exec
INSERT INTO audit_log (tenant_id, position, id, actor_user_id, effective_user_id, action, object_ref, metadata,
    is_delegated, is_impersonated, delegation_id, impersonation_id, occurred_at, created_at, ip, user_agent)
VALUES (@tenant_id, @position, @id, @actor_user_id, @effective_user_id, @action, @object_ref, @metadata,
    @is_delegated, @is_impersonated, @delegation_id, @impersonation_id, @occurred_at, @created_at, @ip, @user_agent)
ON CONFLICT (tenant_id, position) DO NOTHING;
