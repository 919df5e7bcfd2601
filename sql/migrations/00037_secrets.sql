-- +goose Up
-- Secrets, their versions, and who read them. Locks nothing that exists; instant.
CREATE TABLE secrets (
    tenant_id         uuid        NOT NULL,
    id                uuid        NOT NULL,
    app_id            text        NOT NULL, -- the app's short name
    name              text        NOT NULL,
    description       text        NOT NULL,
    encrypted_blob    text        NOT NULL, -- the current value, sealed under the version's own key; empty when destroyed
    current_version   integer     NOT NULL, -- its number
    status            text        NOT NULL CONSTRAINT secrets_status_known CHECK (status IN ('active', 'disabled', 'destroyed')),
    rotate_every_days integer     NOT NULL, -- 0: no schedule
    due_at            timestamptz, -- when the next rotation is due
    remind_at         timestamptz, -- when Chancery is to say so; NULL: it did, or never
    created_at        timestamptz NOT NULL,
    updated_at        timestamptz NOT NULL,
    rotated_at        timestamptz, -- when the current value came
    version           bigint      NOT NULL,
    CONSTRAINT secrets_pkey PRIMARY KEY (tenant_id, id)
);
CREATE INDEX secrets_name ON secrets (tenant_id, app_id, name);
-- Across tenants: what is due, in order (internal/due).
CREATE INDEX secrets_due ON secrets (remind_at, tenant_id, id) WHERE remind_at IS NOT NULL AND status = 'active';
CALL core.tenant_scoped('secrets');

CREATE TABLE secret_versions (
    tenant_id    uuid        NOT NULL,
    id           uuid        NOT NULL,
    secret_id    uuid        NOT NULL,
    number       integer     NOT NULL,
    status       text        NOT NULL CONSTRAINT secret_versions_status_known CHECK (status IN ('current', 'replaced', 'destroyed')),
    created_at   timestamptz NOT NULL,
    replaced_at  timestamptz,
    grace_until  timestamptz, -- until when one that was replaced can still be read
    destroyed_at timestamptz,
    version      bigint      NOT NULL,
    CONSTRAINT secret_versions_pkey PRIMARY KEY (tenant_id, id)
);
CREATE INDEX secret_versions_secret ON secret_versions (tenant_id, secret_id, number);
CALL core.tenant_scoped('secret_versions');

-- One row for each reading, written before the value left. Rows never change, so that position is their version too.
CREATE TABLE secret_access_log (
    tenant_id     uuid        NOT NULL,
    position      bigint      NOT NULL,
    id            uuid        NOT NULL, -- of the event
    secret_id     uuid        NOT NULL,
    version_id    uuid        NOT NULL,
    number        integer     NOT NULL, -- of the version
    user_id       uuid, -- who read it; NULL: Chancery itself
    app_id        text, -- for which the token speaks
    token_id      uuid,
    session_id    uuid,
    delegation_id uuid,
    purpose       text        NOT NULL,
    ip            text, -- sealed for the reader
    user_agent    text, -- sealed for the reader
    created_at    timestamptz NOT NULL, -- when it was read
    CONSTRAINT secret_access_log_pkey PRIMARY KEY (tenant_id, position)
);
CREATE INDEX secret_access_log_secret ON secret_access_log (tenant_id, secret_id, position);
CREATE INDEX secret_access_log_user ON secret_access_log (tenant_id, user_id, position);
ALTER TABLE secret_access_log SET (autovacuum_vacuum_insert_scale_factor = 0.02, autovacuum_vacuum_insert_threshold = 20000,
    autovacuum_analyze_scale_factor = 0.05, autovacuum_freeze_min_age = 1000000);
CALL core.tenant_scoped('secret_access_log');
