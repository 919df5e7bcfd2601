-- What separates duties in tenants; derived from core.events like all tables of 00010 to 00023.
-- Locks: a new table only, nobody waits.

-- +goose Up
CREATE TABLE constraints (
    tenant_id        uuid        NOT NULL,
    id               uuid        NOT NULL,
    name             text        NOT NULL,
    description      text        NOT NULL,
    kind             text        NOT NULL CONSTRAINT constraints_kind_known CHECK (kind IN ('exclusive', 'cardinality', 'prerequisite')),
    role_ids         uuid[]      NOT NULL,
    most             integer,    -- of a prerequisite none
    requires_role_id uuid,       -- of a prerequisite only
    status           text        NOT NULL CONSTRAINT constraints_status_known CHECK (status IN ('active', 'removed')),
    created_at       timestamptz NOT NULL,
    updated_at       timestamptz NOT NULL,
    version          bigint      NOT NULL,
    CONSTRAINT constraints_pkey PRIMARY KEY (tenant_id, id)
);
CALL core.tenant_scoped('constraints');
