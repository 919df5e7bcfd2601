-- The OpenID providers that tenants trust; derived from core.events like all tables of 00010 to 00023.
-- Locks: a new table only, nobody waits.

-- +goose Up
CREATE TABLE issuers (
    tenant_id     uuid        NOT NULL,
    id            uuid        NOT NULL,
    name          text        NOT NULL,
    url           text        COLLATE "C" NOT NULL, -- the issuer identifier
    client_id     text        NOT NULL,
    client_secret text        NOT NULL, -- a reference, never the secret; empty for public clients
    scopes        text[]      NOT NULL,
    audiences     text[]      NOT NULL, -- of the bearer tokens that are accepted
    provisioning  text        NOT NULL CONSTRAINT issuers_provisioning_known CHECK (provisioning IN ('none', 'verified-domain')),
    groups_claim  text        NOT NULL, -- empty for none
    group_map     jsonb       NOT NULL, -- a list of {"value","group"}
    status        text        NOT NULL CONSTRAINT issuers_status_known CHECK (status IN ('enabled', 'disabled', 'removed')),
    created_at    timestamptz NOT NULL,
    updated_at    timestamptz NOT NULL,
    version       bigint      NOT NULL,
    CONSTRAINT issuers_pkey PRIMARY KEY (tenant_id, id)
);
CALL core.tenant_scoped('issuers');
