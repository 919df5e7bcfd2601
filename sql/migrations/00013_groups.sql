-- +goose Up
CREATE TABLE groups (
    tenant_id   uuid        NOT NULL,
    id          uuid        NOT NULL,
    parent_id   uuid,
    name        text        NOT NULL,
    description text        NOT NULL,
    status      text        NOT NULL CONSTRAINT groups_status_known CHECK (status IN ('active', 'deleted')),
    created_at  timestamptz NOT NULL,
    updated_at  timestamptz NOT NULL,
    version     bigint      NOT NULL,
    CONSTRAINT groups_pkey PRIMARY KEY (tenant_id, id)
);
CALL core.tenant_scoped('groups');
