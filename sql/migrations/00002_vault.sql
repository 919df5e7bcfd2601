-- +goose Up
-- Which key file the database belongs to. Locks nothing that exists; instant.
CREATE TABLE core.vault (
    one         boolean     NOT NULL DEFAULT true CONSTRAINT vault_one CHECK (one),
    fingerprint text        NOT NULL,
    created_at  timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT vault_pkey PRIMARY KEY (one)
);

