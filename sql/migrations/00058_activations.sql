-- +goose Up
-- Activations: which machines use a licence. Locks nothing that exists; instant.
CREATE TABLE license_activations (
    tenant_id         uuid        NOT NULL,
    id                uuid        NOT NULL,
    license_id        uuid        NOT NULL,
    app               text        NOT NULL, -- the app's short name
    label             text        NOT NULL,
    fingerprint_hash  text        NOT NULL, -- keyed, and bound to the licence; never what the machine said
    status            text        NOT NULL CONSTRAINT license_activations_status_known CHECK (status IN ('active', 'checked-out', 'ended')),
    checked_out_until timestamptz, -- when its last file ends; until then it counts, ended or not
    created_at        timestamptz NOT NULL,
    ended_at          timestamptz,
    end_reason        text,
    version           bigint      NOT NULL,
    CONSTRAINT license_activations_pkey PRIMARY KEY (tenant_id, id)
);
CREATE INDEX license_activations_license ON license_activations (tenant_id, license_id, id);
CREATE INDEX license_activations_app ON license_activations (tenant_id, app, id);
CALL core.tenant_scoped('license_activations');
