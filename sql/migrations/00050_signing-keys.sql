-- +goose Up
-- The keys of vendors, with their public parts. Private parts stand in the log alone, sealed. Locks nothing that exists; instant.
CREATE TABLE signing_keys (
    tenant_id  uuid        NOT NULL, -- the vendor's
    id         uuid        NOT NULL,
    kid        text        COLLATE "C" NOT NULL, -- thumbprint (RFC 7638), as in the headers of what it signs
    jwk        jsonb       NOT NULL, -- the public key
    origin     text        NOT NULL CONSTRAINT signing_keys_origin_known CHECK (origin IN ('created', 'registered')), -- registered: it signs elsewhere
    status     text        NOT NULL CONSTRAINT signing_keys_status_known CHECK (status IN ('active', 'retired', 'revoked')),
    reason     text        NOT NULL, -- of its end
    created_at timestamptz NOT NULL,
    retired_at timestamptz,
    revoked_at timestamptz,
    version    bigint      NOT NULL,
    CONSTRAINT signing_keys_pkey PRIMARY KEY (tenant_id, id)
);
CALL core.tenant_scoped('signing_keys');
