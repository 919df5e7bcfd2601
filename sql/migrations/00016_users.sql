-- +goose Up
CREATE TABLE users (
    tenant_id      uuid        NOT NULL,
    id             uuid        NOT NULL,
    email          text, -- sealed
    email_key      text        COLLATE "C", -- email:<keyed hash>
    display_name   text        NOT NULL, -- sealed
    department_id  uuid,
    status         text        NOT NULL CONSTRAINT users_status_known CHECK (status IN ('invited', 'active', 'inactive')),
    created_at     timestamptz NOT NULL,
    updated_at     timestamptz NOT NULL,
    deactivated_at timestamptz,
    version        bigint      NOT NULL,
    CONSTRAINT users_pkey PRIMARY KEY (tenant_id, id)
);
-- One event frees an address before another claims it, so the order of the log never trips over this.
CREATE UNIQUE INDEX users_email_key ON users (tenant_id, email_key) WHERE email_key IS NOT NULL;
CREATE INDEX users_department ON users (tenant_id, department_id) WHERE department_id IS NOT NULL;
CALL core.tenant_scoped('users');
