-- Invitations into groups of other tenants. A row stands in both tenants: that of the group and that of the user.
-- Makes a new table. Adds two empty columns to group_memberships, under a lock on it that lasts no longer than a moment.

-- +goose Up
CREATE TABLE group_invitations (
    tenant_id       uuid        NOT NULL,
    id              uuid        NOT NULL,
    group_id        uuid        NOT NULL,
    group_tenant_id uuid        NOT NULL,
    user_id         uuid        NOT NULL,
    user_tenant_id  uuid        NOT NULL,
    role            text        NOT NULL CONSTRAINT group_invitations_role_known CHECK (role IN ('member', 'maintainer')), -- as invited
    message         text        NOT NULL,
    status          text        NOT NULL CONSTRAINT group_invitations_status_known
        CHECK (status IN ('open', 'accepted', 'declined', 'withdrawn', 'expired', 'ended')), -- accepted: the user is in the group
    membership_id   uuid,
    created_at      timestamptz NOT NULL,
    expires_at      timestamptz NOT NULL, -- until when it can be accepted
    answered_at     timestamptz, -- accepted or declined
    ended_at        timestamptz, -- withdrawn, expired, or the user is in the group no more
    end_reason      text        NOT NULL,
    version         bigint      NOT NULL,
    CONSTRAINT group_invitations_pkey PRIMARY KEY (tenant_id, id)
);
CREATE INDEX group_invitations_group ON group_invitations (tenant_id, group_id);
CREATE INDEX group_invitations_user ON group_invitations (tenant_id, user_id);
-- Across tenants: what is due, in order (internal/due).
CREATE INDEX group_invitations_expiry ON group_invitations (expires_at, tenant_id, id) WHERE status = 'open';
CALL core.tenant_scoped('group_invitations');

ALTER TABLE group_memberships
    ADD COLUMN home_tenant_id uuid, -- the member's tenant, where it is not the group's
    ADD COLUMN invitation_id  uuid; -- that led to it then
