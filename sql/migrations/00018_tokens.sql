-- +goose Up
CREATE TABLE api_tokens (
    tenant_id  uuid        NOT NULL,
    id         uuid        NOT NULL,
    user_id    uuid        NOT NULL,
    name       text        NOT NULL,
    prefix     text        NOT NULL,
    token_hash bytea       NOT NULL, -- SHA-256 of the token
    scopes     text[]      NOT NULL, -- the most that the token may do
    status     text        NOT NULL CONSTRAINT api_tokens_status_known CHECK (status IN ('active', 'revoked')),
    expires_at timestamptz NOT NULL, -- an expired token stays active here: no event ends it
    created_at timestamptz NOT NULL,
    rotated_at timestamptz,
    revoked_at timestamptz,
    version    bigint      NOT NULL,
    CONSTRAINT api_tokens_pkey PRIMARY KEY (tenant_id, id)
);
CREATE INDEX api_tokens_user ON api_tokens (tenant_id, user_id);
CALL core.tenant_scoped('api_tokens');
