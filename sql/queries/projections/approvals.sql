-- name: RequestApproval :exec
INSERT INTO approvals (tenant_id, id, kind, requested_by, requested_for, user_id, role_id, request, reason, status,
    created_at, expires_at, decided_by, decided_at, decision_reason, version)
VALUES (@tenant_id, @id, @kind, @requested_by, @requested_for, @user_id, @role_id, @request, @reason, 'pending',
    @at, @expires_at, NULL, NULL, '', @version)
ON CONFLICT (tenant_id, id) DO NOTHING;

-- name: AnswerApproval :exec
UPDATE approvals SET status = @status, decided_by = @decided_by, decided_at = @at, decision_reason = @reason, version = @version
WHERE tenant_id = @tenant_id AND id = @id AND version < @version;
