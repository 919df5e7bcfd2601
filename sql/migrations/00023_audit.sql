-- +goose Up
-- One row per event: who did what to what, for whom. Rows never change, so that position is their version too.
CREATE TABLE audit_log (
    tenant_id         uuid        NOT NULL,
    position          bigint      NOT NULL,
    id                uuid        NOT NULL, -- of the event; find it through core.events, which has it as a key
    actor_user_id     uuid, -- NULL: Chancery itself
    effective_user_id uuid, -- with whose rights
    action            text        COLLATE "C" NOT NULL, -- the event's type
    object_ref        text        COLLATE "C" NOT NULL, -- kind:id
    metadata          jsonb       NOT NULL, -- never personal data
    is_delegated      boolean     NOT NULL,
    is_impersonated   boolean     NOT NULL,
    delegation_id     uuid,
    impersonation_id  uuid,
    occurred_at       timestamptz NOT NULL, -- when it happened
    created_at        timestamptz NOT NULL, -- when it was recorded
    CONSTRAINT audit_log_pkey PRIMARY KEY (tenant_id, position)
);
CREATE INDEX audit_log_actor ON audit_log (tenant_id, actor_user_id, position);
CREATE INDEX audit_log_action ON audit_log (tenant_id, action, position);
CREATE INDEX audit_log_object ON audit_log (tenant_id, object_ref, position);
ALTER TABLE audit_log SET (autovacuum_vacuum_insert_scale_factor = 0.02, autovacuum_vacuum_insert_threshold = 20000,
    autovacuum_analyze_scale_factor = 0.05, autovacuum_freeze_min_age = 1000000);
CALL core.tenant_scoped('audit_log');
