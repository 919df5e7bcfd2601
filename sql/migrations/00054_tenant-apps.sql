-- Apps in tenants, and what they bring into the list of privileges; derived from core.events like all tables of 00010 to 00023.
-- Locks: privileges, for an instant, to get two columns; else a new table only.

-- +goose Up
CREATE TABLE tenant_apps (
    tenant_id        uuid        NOT NULL,
    id               uuid        NOT NULL, -- made of the tenant and the app's name
    app_id           uuid        NOT NULL,
    app              text        COLLATE "C" NOT NULL, -- the app's short name
    enabled          boolean     NOT NULL,
    app_version      text        COLLATE "C" NOT NULL, -- at work, or the last that was
    previous_version text        COLLATE "C", -- to which the app can be rolled back
    version_pinned   text        COLLATE "C",
    config           jsonb       NOT NULL, -- secrets by reference only
    license_required boolean     NOT NULL,
    resumes          boolean     NOT NULL, -- when its licence ends and is renewed, it is enabled again
    disabled_reason  text, -- of one that is not enabled
    created_at       timestamptz NOT NULL, -- first enabled
    enabled_at       timestamptz NOT NULL, -- last enabled
    changed_at       timestamptz NOT NULL, -- when app_version came
    disabled_at      timestamptz, -- of one that is not enabled
    configured_at    timestamptz,
    updated_at       timestamptz NOT NULL,
    version          bigint      NOT NULL,
    CONSTRAINT tenant_apps_pkey PRIMARY KEY (tenant_id, id)
);
CALL core.tenant_scoped('tenant_apps');

-- What an app brings is a row of the tenant's, marked while the app does not bring it: rows never go.
ALTER TABLE privileges
    ADD COLUMN app text, -- that brings it; NULL: the platform's own
    ADD COLUMN status text NOT NULL DEFAULT 'active' CONSTRAINT privileges_status_known CHECK (status IN ('active', 'dropped'));
