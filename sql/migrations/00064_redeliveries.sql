-- Requests to deliver anew that are not worked off yet. Whoever delivers takes them in portions, so that no request locks many rows, or
-- others' requests wait for it. Like the tables of 00060 it is no projector's.
-- Locks: a new table only, nobody waits.

-- +goose Up
CREATE TABLE core.redeliveries (
    tenant_id   uuid        NOT NULL,
    position    bigint      NOT NULL, -- of the request; events before it are meant
    endpoint_id uuid        NOT NULL,
    delivery_id uuid,                 -- this one alone is meant
    since       timestamptz,          -- those of events recorded since then,
    until       timestamptz,          -- and before then; both NULL, as is delivery_id: all dead letters are meant
    due_at      timestamptz NOT NULL, -- when they are due: when it was asked for
    place       bigint,               -- tenant_seq up to which it is done; NULL: it is not begun
    CONSTRAINT redeliveries_pkey PRIMARY KEY (tenant_id, position)
);
CALL core.tenant_scoped('core.redeliveries');
