-- The apps that vendors have registered; derived from core.events like all tables of 00010 to 00023. They are the platform's, and
-- everybody may read them. What the latest version is follows from app_versions.
-- Locks: a new table only, nobody waits.

-- +goose Up
CREATE TABLE apps (
    tenant_id   uuid        NOT NULL,
    id          uuid        NOT NULL, -- made of the name
    name        text        COLLATE "C" NOT NULL,
    vendor      uuid        NOT NULL, -- the tenant that it is
    title       text        NOT NULL,
    description text        NOT NULL,
    created_at  timestamptz NOT NULL,
    updated_at  timestamptz NOT NULL,
    version     bigint      NOT NULL,
    CONSTRAINT apps_pkey PRIMARY KEY (tenant_id, id)
);
CREATE INDEX apps_name ON apps (tenant_id, name);
CREATE INDEX apps_vendor ON apps (tenant_id, vendor);
CALL core.tenant_scoped('apps', true);
