-- +goose Up
-- Whom the platform has admitted as vendors: rows of the platform, which everybody may read. The platform itself always is a vendor
-- and has no row. Locks nothing that exists; instant.
CREATE TABLE vendors (
    tenant_id  uuid        NOT NULL,
    id         uuid        NOT NULL, -- of the tenant that it is
    status     text        NOT NULL CONSTRAINT vendors_status_known CHECK (status IN ('admitted', 'dismissed')),
    reason     text        NOT NULL, -- of the dismissal
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL,
    version    bigint      NOT NULL,
    CONSTRAINT vendors_pkey PRIMARY KEY (tenant_id, id)
);
CALL core.tenant_scoped('vendors', true);
