-- +goose Up
-- Requests to erase users, and what became of them. The reasons are free text.
CREATE TABLE erasures (
    tenant_id    uuid        NOT NULL,
    id           uuid        NOT NULL,
    user_id      uuid        NOT NULL,
    reason       text        NOT NULL,
    status       text        NOT NULL CONSTRAINT erasures_status_known CHECK (status IN ('requested', 'cancelled', 'done')),
    requested_by uuid, -- NULL: Chancery itself
    ended_by     uuid,
    created_at   timestamptz NOT NULL,
    ended_at     timestamptz,
    version      bigint      NOT NULL,
    CONSTRAINT erasures_pkey PRIMARY KEY (tenant_id, id)
);
CREATE INDEX erasures_user ON erasures (tenant_id, user_id);
CALL core.tenant_scoped('erasures');

-- Takes an exclusive lock on users for a scan of it.
ALTER TABLE users DROP CONSTRAINT users_status_known,
    ADD CONSTRAINT users_status_known CHECK (status IN ('invited', 'active', 'inactive', 'erased'));

-- The old version of a blanked key leaves the heap with the vacuum that follows each erasure. What a long transaction keeps
-- from that one is left to the next round of autovacuum.
ALTER TABLE core.subject_keys SET (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 0);
