-- +goose Up
CREATE TABLE tenant_domains (
    tenant_id   uuid        NOT NULL,
    id          uuid        NOT NULL,
    name        text        COLLATE "C" NOT NULL,
    challenge   text        NOT NULL,
    status      text        NOT NULL CONSTRAINT tenant_domains_status_known CHECK (status IN ('pending', 'verified', 'removed')),
    is_primary  boolean     NOT NULL,
    created_at  timestamptz NOT NULL,
    updated_at  timestamptz NOT NULL,
    verified_at timestamptz,
    version     bigint      NOT NULL,
    CONSTRAINT tenant_domains_pkey PRIMARY KEY (tenant_id, id)
);
-- That a verified domain has one owner on the platform, the log sees to. No constraint repeats it: an as_of puts one tenant's
-- past beside the platform's own present, where the same domain may stand verified twice.
CALL core.tenant_scoped('tenant_domains');
