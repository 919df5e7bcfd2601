-- +goose Up
-- The platform's privileges serve every tenant, so everybody may read them.
CREATE TABLE privileges (
    tenant_id   uuid        NOT NULL,
    id          uuid        NOT NULL, -- made of the name
    name        text        COLLATE "C" NOT NULL,
    description text        NOT NULL,
    created_at  timestamptz NOT NULL,
    updated_at  timestamptz NOT NULL,
    version     bigint      NOT NULL,
    CONSTRAINT privileges_pkey PRIMARY KEY (tenant_id, id)
);
CALL core.tenant_scoped('privileges', true);
