-- +goose Up
CREATE TABLE assignments (
    tenant_id     uuid        NOT NULL,
    id            uuid        NOT NULL,
    role_id       uuid        NOT NULL, -- of this tenant or of the platform
    user_id       uuid,
    department_id uuid,
    group_id      uuid,
    scope         text        NOT NULL, -- empty: the whole tenant
    valid_from    timestamptz, -- NULL: always was
    valid_until   timestamptz, -- NULL: open
    reason        text        NOT NULL,
    status        text        NOT NULL CONSTRAINT assignments_status_known CHECK (status IN ('active', 'ended')),
    created_at    timestamptz NOT NULL,
    ended_at      timestamptz, -- taken back; the end of the window is not an end of the row
    version       bigint      NOT NULL,
    CONSTRAINT assignments_pkey PRIMARY KEY (tenant_id, id),
    CONSTRAINT assignments_one_subject CHECK (num_nonnulls(user_id, department_id, group_id) = 1)
);
CREATE INDEX assignments_role ON assignments (tenant_id, role_id);
CREATE INDEX assignments_user ON assignments (tenant_id, user_id) WHERE user_id IS NOT NULL;
CREATE INDEX assignments_department ON assignments (tenant_id, department_id) WHERE department_id IS NOT NULL;
CREATE INDEX assignments_group ON assignments (tenant_id, group_id) WHERE group_id IS NOT NULL;
CALL core.tenant_scoped('assignments');
