-- What stands of a tenant, or of one of its users, and stood at some time. For the projectors' role, which sees every tenant.

-- name: StandingSessions :many
SELECT id
FROM sessions
WHERE tenant_id = @tenant_id AND status = 'active' AND started_at <= @at AND id > @after
  AND (sqlc.narg('user_id')::uuid IS NULL OR user_id = sqlc.narg('user_id'))
ORDER BY id
LIMIT @row_limit;

-- name: StandingTokens :many
SELECT id
FROM api_tokens
WHERE tenant_id = @tenant_id AND status = 'active' AND created_at <= @at AND id > @after
  AND (sqlc.narg('user_id')::uuid IS NULL OR user_id = sqlc.narg('user_id'))
ORDER BY id
LIMIT @row_limit;

-- name: StandingDelegations :many
-- Those that the tenant has on record: it is the one in which they give rights, or the grantor's, or the delegate's.
SELECT id
FROM delegations
WHERE tenant_id = @tenant_id AND status IN ('offered', 'accepted') AND created_at <= @at AND id > @after
  AND (sqlc.narg('user_id')::uuid IS NULL OR grantor_user_id = sqlc.narg('user_id') OR delegate_user_id = sqlc.narg('user_id'))
ORDER BY id
LIMIT @row_limit;

-- name: StandingImpersonations :many
-- Those by administrators of the tenant, wherever, and those as its users.
SELECT id, tenant_id
FROM impersonation_sessions
WHERE status IN ('requested', 'consented', 'active') AND coalesce(started_at, requested_at) <= @at AND id > @after
  AND (tenant_id = @of_tenant AND (sqlc.narg('user_id')::uuid IS NULL OR target_user_id = sqlc.narg('user_id'))
    OR admin_tenant_id = @of_tenant AND (sqlc.narg('user_id')::uuid IS NULL OR admin_user_id = sqlc.narg('user_id')))
ORDER BY id
LIMIT @row_limit;

-- name: StandingInvitations :many
-- Those into the tenant's groups, and of its users into groups elsewhere; a user is in the group by one that was accepted.
SELECT id
FROM group_invitations
WHERE tenant_id = @tenant_id AND status IN ('open', 'accepted') AND created_at <= @at AND id > @after
  AND (sqlc.narg('user_id')::uuid IS NULL OR user_id = sqlc.narg('user_id'))
ORDER BY id
LIMIT @row_limit;

-- name: StandingApprovals :many
SELECT id
FROM approvals
WHERE tenant_id = @tenant_id AND status = 'pending' AND created_at <= @at AND id > @after
  AND (sqlc.narg('user_id')::uuid IS NULL OR user_id = sqlc.narg('user_id') OR requested_by = sqlc.narg('user_id'))
ORDER BY id
LIMIT @row_limit;
