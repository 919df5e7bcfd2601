-- +goose Up
-- Who acts as whom, and who asks to. No hash of a token is kept here. New table: locks nothing that exists; instant.
CREATE TABLE impersonation_sessions (
    tenant_id       uuid        NOT NULL, -- of the target
    id              uuid        NOT NULL,
    admin_user_id   uuid        NOT NULL,
    admin_tenant_id uuid        NOT NULL,
    target_user_id  uuid        NOT NULL,
    scope           text[]      COLLATE "C", -- the most that may be done in it; NULL: it has not started
    reason          text        NOT NULL,
    reference       text,       -- of a ticket elsewhere
    minutes         integer,    -- how many were asked for; NULL: nobody had to be asked
    status          text        NOT NULL CONSTRAINT impersonation_sessions_status_known
        CHECK (status IN ('requested', 'consented', 'refused', 'active', 'ended', 'expired')),
    consented_by    uuid,
    requested_at    timestamptz,
    consented_at    timestamptz,
    started_at      timestamptz,
    expires_at      timestamptz NOT NULL, -- of the request, and once it has started of the impersonation
    ended_at        timestamptz, -- refused, ended, or expired
    end_reason      text,
    version         bigint      NOT NULL,
    CONSTRAINT impersonation_sessions_pkey PRIMARY KEY (tenant_id, id)
);
CREATE INDEX impersonation_sessions_admin ON impersonation_sessions (tenant_id, admin_user_id);
CREATE INDEX impersonation_sessions_target ON impersonation_sessions (tenant_id, target_user_id);
CREATE INDEX impersonation_sessions_due ON impersonation_sessions (expires_at, tenant_id, id) WHERE status IN ('requested', 'consented', 'active');
CALL core.tenant_scoped('impersonation_sessions');
