-- One-time links. Neither the token nor its hash is here: only the log and the mail need them.
-- Makes a new table; takes no lock on anything that existed.

-- +goose Up
CREATE TABLE links (
    tenant_id  uuid        NOT NULL,
    id         uuid        NOT NULL,
    user_id    uuid        NOT NULL,
    purpose    text        NOT NULL CONSTRAINT links_purpose_known CHECK (purpose IN ('invitation', 'password-reset')),
    status     text        NOT NULL CONSTRAINT links_status_known CHECK (status IN ('issued', 'mailed', 'undeliverable', 'used', 'revoked')),
    reason     text        NOT NULL, -- why the mail was given up; one of our words
    expires_at timestamptz NOT NULL, -- an expired link keeps its status: no event ends it
    created_at timestamptz NOT NULL,
    mailed_at  timestamptz,
    ended_at   timestamptz, -- used or revoked
    version    bigint      NOT NULL,
    CONSTRAINT links_pkey PRIMARY KEY (tenant_id, id)
);
CREATE INDEX links_user ON links (tenant_id, user_id);
CREATE INDEX links_unmailed ON links (version) WHERE status = 'issued'; -- for whoever sends the mails, across tenants
CALL core.tenant_scoped('links');
