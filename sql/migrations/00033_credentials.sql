-- +goose Up
-- What users prove themselves with. The material is a password's hash, a seed, codes or a key: sealed text that no query opens; the
-- rules read it from the log. New table: locks nothing that exists; instant.
CREATE TABLE user_credentials (
    tenant_id    uuid        NOT NULL,
    id           uuid        NOT NULL,
    user_id      uuid        NOT NULL,
    kind         text        NOT NULL CONSTRAINT user_credentials_kind_known CHECK (kind IN ('password', 'totp', 'recovery-codes', 'passkey')),
    name         text        NOT NULL,
    status       text        NOT NULL CONSTRAINT user_credentials_status_known CHECK (status IN ('unconfirmed', 'active', 'removed')),
    material     text        NOT NULL, -- sealed; empty once it is removed
    codes_left   integer,              -- of recovery codes
    created_at   timestamptz NOT NULL,
    changed_at   timestamptz,          -- of a password: when it was last another one
    last_used_at timestamptz,          -- of factors
    removed_at   timestamptz,
    version      bigint      NOT NULL,
    CONSTRAINT user_credentials_pkey PRIMARY KEY (tenant_id, id)
);
CREATE INDEX user_credentials_user ON user_credentials (tenant_id, user_id);
CALL core.tenant_scoped('user_credentials');
