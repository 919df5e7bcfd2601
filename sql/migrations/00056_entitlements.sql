-- What licences allow, and what was consumed of it; derived from core.events like all tables of 00010 to 00023.
-- Locks: new tables only, nobody waits.

-- +goose Up
-- The snapshot that tells what a tenant may use: a row for each thing that each of its licences allows, while the licence is in force.
CREATE TABLE license_entitlements (
    tenant_id   uuid        NOT NULL, -- the holder
    id          uuid        NOT NULL, -- made of the licence and the name
    license_id  uuid        NOT NULL,
    app         text        NOT NULL,
    name        text        NOT NULL,
    kind        text        NOT NULL CONSTRAINT license_entitlements_kind_known CHECK (kind IN ('feature', 'limit', 'meter')),
    allowance   bigint,     -- of a limit or a meter
    period      text        CONSTRAINT license_entitlements_period_known CHECK (period IN ('day', 'month', 'year', 'once')),
    soft        boolean     NOT NULL,
    used        bigint      NOT NULL, -- of a meter, in used_period; in every other period nothing
    used_period text,       -- as 2026-11-23, 2026-11, 2026 or once
    starts_at   timestamptz NOT NULL, -- of the licence
    ends_at     timestamptz, -- of its time of grace
    revision    bigint      NOT NULL, -- of the licence that says so last; the licence says it no more if its own is later
    created_at  timestamptz NOT NULL,
    updated_at  timestamptz NOT NULL,
    version     bigint      NOT NULL,
    CONSTRAINT license_entitlements_pkey PRIMARY KEY (tenant_id, id)
);
CREATE INDEX license_entitlements_license ON license_entitlements (tenant_id, license_id);
CALL core.tenant_scoped('license_entitlements');

CREATE TABLE license_usage (
    tenant_id      uuid        NOT NULL,
    id             uuid        NOT NULL,
    license_id     uuid        NOT NULL,
    app            text        NOT NULL,
    name           text        NOT NULL, -- of the entitlement
    amount         bigint      NOT NULL,
    period         text        NOT NULL,
    total          bigint      NOT NULL, -- of the meter in that period, with this
    over           boolean     NOT NULL, -- beyond a soft limit
    note           text        NOT NULL,
    status         text        NOT NULL CONSTRAINT license_usage_status_known CHECK (status IN ('recorded', 'reversed')),
    reverse_reason text,
    created_at     timestamptz NOT NULL,
    reversed_at    timestamptz,
    version        bigint      NOT NULL,
    CONSTRAINT license_usage_pkey PRIMARY KEY (tenant_id, id)
);
CREATE INDEX license_usage_license ON license_usage (tenant_id, license_id, id);
CREATE INDEX license_usage_meter ON license_usage (tenant_id, app, name, id);
CALL core.tenant_scoped('license_usage');
