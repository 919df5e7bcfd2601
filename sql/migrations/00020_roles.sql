-- +goose Up
-- The platform's roles can be assigned in every tenant, so everybody may read them and what they hold.
CREATE TABLE roles (
    tenant_id   uuid        NOT NULL,
    id          uuid        NOT NULL,
    name        text        NOT NULL,
    description text        NOT NULL,
    builtin     boolean     NOT NULL,
    status      text        NOT NULL CONSTRAINT roles_status_known CHECK (status IN ('active', 'deleted')),
    created_at  timestamptz NOT NULL,
    updated_at  timestamptz NOT NULL,
    version     bigint      NOT NULL,
    CONSTRAINT roles_pkey PRIMARY KEY (tenant_id, id)
);
CALL core.tenant_scoped('roles', true);

CREATE TABLE role_privileges (
    tenant_id  uuid        NOT NULL,
    role_id    uuid        NOT NULL,
    privilege  text        COLLATE "C" NOT NULL, -- a privilege, or a pattern of them: repo.*
    created_at timestamptz NOT NULL,
    version    bigint      NOT NULL,
    CONSTRAINT role_privileges_pkey PRIMARY KEY (tenant_id, role_id, privilege)
);
CALL core.tenant_scoped('role_privileges', true);

-- A role inherits all that its parents hold. A tenant's role may inherit from one of the platform.
CREATE TABLE role_parents (
    tenant_id  uuid        NOT NULL,
    role_id    uuid        NOT NULL,
    parent_id  uuid        NOT NULL,
    created_at timestamptz NOT NULL,
    version    bigint      NOT NULL,
    CONSTRAINT role_parents_pkey PRIMARY KEY (tenant_id, role_id, parent_id)
);
CALL core.tenant_scoped('role_parents', true);
