-- +goose Up
CREATE TABLE user_identities (
    tenant_id   uuid        NOT NULL,
    id          uuid        NOT NULL,
    user_id     uuid        NOT NULL,
    issuer      text        NOT NULL,
    subject     text        NOT NULL, -- sealed
    subject_key text        COLLATE "C" NOT NULL, -- identity:<keyed hash>
    status      text        NOT NULL CONSTRAINT user_identities_status_known CHECK (status IN ('linked', 'unlinked')),
    created_at  timestamptz NOT NULL,
    unlinked_at timestamptz,
    version     bigint      NOT NULL,
    CONSTRAINT user_identities_pkey PRIMARY KEY (tenant_id, id)
);
CREATE UNIQUE INDEX user_identities_subject_key ON user_identities (tenant_id, subject_key) WHERE status = 'linked';
CREATE INDEX user_identities_user ON user_identities (tenant_id, user_id);
CALL core.tenant_scoped('user_identities');
