-- Seats of licences; derived from core.events like all tables of 00010 to 00023.
-- Locks: a new table only, nobody waits.

-- +goose Up
CREATE TABLE license_seats (
    tenant_id  uuid        NOT NULL,
    id         uuid        NOT NULL, -- made of the licence and of who has it: whoever takes one again takes the same
    license_id uuid        NOT NULL,
    app        text        NOT NULL,
    seating    text        NOT NULL CONSTRAINT license_seats_seating_known CHECK (seating IN ('named', 'floating')),
    user_id    uuid,       -- of a named one
    holder     text,       -- of a floating one, as it calls itself
    status     text        NOT NULL CONSTRAINT license_seats_status_known CHECK (status IN ('taken', 'released', 'lapsed')),
    created_at timestamptz NOT NULL, -- first taken
    taken_at   timestamptz NOT NULL, -- last taken
    expires_at timestamptz, -- of a floating one: when it is free without a heartbeat
    ended_at   timestamptz,
    end_reason text,
    updated_at timestamptz NOT NULL,
    version    bigint      NOT NULL,
    CONSTRAINT license_seats_pkey PRIMARY KEY (tenant_id, id)
);
CREATE INDEX license_seats_license ON license_seats (tenant_id, license_id, id);
CREATE INDEX license_seats_user ON license_seats (tenant_id, user_id, id) WHERE user_id IS NOT NULL;
-- Across tenants: leases that are over and not yet said to be, in order (internal/due).
CREATE INDEX license_seats_due ON license_seats (expires_at, tenant_id, id) WHERE status = 'taken';
CALL core.tenant_scoped('license_seats');
