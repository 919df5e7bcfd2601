-- +goose Up
CREATE TABLE policy_overrides (
    tenant_id     uuid        NOT NULL,
    id            uuid        NOT NULL,
    effect        text        NOT NULL CONSTRAINT policy_overrides_effect_known CHECK (effect IN ('allow', 'deny')),
    privilege     text        COLLATE "C" NOT NULL, -- a privilege, or a pattern of them
    user_id       uuid,
    department_id uuid,
    group_id      uuid, -- none of the three: the whole tenant
    scope         text        NOT NULL,
    expires_at    timestamptz NOT NULL,
    reason        text        NOT NULL,
    status        text        NOT NULL CONSTRAINT policy_overrides_status_known CHECK (status IN ('active', 'revoked')),
    created_at    timestamptz NOT NULL,
    revoked_at    timestamptz,
    version       bigint      NOT NULL,
    CONSTRAINT policy_overrides_pkey PRIMARY KEY (tenant_id, id),
    CONSTRAINT policy_overrides_one_subject CHECK (num_nonnulls(user_id, department_id, group_id) <= 1)
);
CREATE INDEX policy_overrides_user ON policy_overrides (tenant_id, user_id) WHERE user_id IS NOT NULL;
CALL core.tenant_scoped('policy_overrides');
