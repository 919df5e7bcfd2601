-- +goose Up
-- Requests for somebody else's approval, and what became of them. The reasons are free text. New table: locks nothing that exists; instant.
CREATE TABLE approvals (
    tenant_id       uuid        NOT NULL,
    id              uuid        NOT NULL, -- of the assignment or the delegation that it is about
    kind            text        NOT NULL CONSTRAINT approvals_kind_known CHECK (kind IN ('assignment', 'delegation')),
    requested_by    uuid        NOT NULL,
    requested_for   uuid, -- on whose behalf
    user_id         uuid, -- who is to get it; NULL: a department or a group
    role_id         uuid, -- of an assignment
    request         jsonb       NOT NULL, -- what would be recorded: a role.assigned or a delegation.granted
    reason          text        NOT NULL,
    status          text        NOT NULL CONSTRAINT approvals_status_known CHECK (status IN ('pending', 'given', 'denied', 'cancelled', 'expired')),
    created_at      timestamptz NOT NULL,
    expires_at      timestamptz NOT NULL,
    decided_by      uuid, -- NULL: nobody, or Chancery itself
    decided_at      timestamptz,
    decision_reason text        NOT NULL,
    version         bigint      NOT NULL,
    CONSTRAINT approvals_pkey PRIMARY KEY (tenant_id, id)
);
CREATE INDEX approvals_requester ON approvals (tenant_id, requested_by, id);
CREATE INDEX approvals_user ON approvals (tenant_id, user_id, id) WHERE user_id IS NOT NULL;
CREATE INDEX approvals_due ON approvals (expires_at, tenant_id, id) WHERE status = 'pending'; -- across tenants (internal/due)
CALL core.tenant_scoped('approvals');
