-- +goose Up
CREATE TABLE group_memberships (
    tenant_id  uuid        NOT NULL,
    id         uuid        NOT NULL,
    group_id   uuid        NOT NULL,
    user_id    uuid        NOT NULL,
    role       text        NOT NULL CONSTRAINT group_memberships_role_known CHECK (role IN ('member', 'maintainer', 'owner')),
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL,
    version    bigint      NOT NULL,
    CONSTRAINT group_memberships_pkey PRIMARY KEY (tenant_id, id)
);
-- Not unique by group and user: rows are deleted, and a replayed page puts an old one back for a moment.
CREATE INDEX group_memberships_group ON group_memberships (tenant_id, group_id, user_id);
CREATE INDEX group_memberships_user ON group_memberships (tenant_id, user_id);
CALL core.tenant_scoped('group_memberships');
