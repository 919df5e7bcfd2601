-- +goose Up
-- Delegations: a row in each tenant that one concerns. Locks nothing that exists; instant.
CREATE TABLE delegations (
    tenant_id          uuid        NOT NULL,
    id                 uuid        NOT NULL,
    home_tenant_id     uuid        NOT NULL, -- in which it gives rights
    grantor_user_id    uuid        NOT NULL,
    grantor_tenant_id  uuid        NOT NULL,
    delegate_user_id   uuid        NOT NULL,
    delegate_tenant_id uuid        NOT NULL,
    parent_id          uuid, -- the one that it hands on
    chain              uuid[]      NOT NULL, -- all above it, the first of them first
    action_scope       jsonb       NOT NULL, -- what narrows it
    starts_at          timestamptz NOT NULL,
    ends_at            timestamptz NOT NULL,
    redelegations      integer     NOT NULL, -- how many more times it may be handed on
    reason             text        NOT NULL,
    status             text        NOT NULL CONSTRAINT delegations_status_known CHECK (status IN ('offered', 'accepted', 'declined', 'revoked', 'expired')),
    created_at         timestamptz NOT NULL,
    accepted_at        timestamptz,
    ended_at           timestamptz,
    end_reason         text, -- as whoever declined or revoked it gave it
    version            bigint      NOT NULL,
    CONSTRAINT delegations_pkey PRIMARY KEY (tenant_id, id)
);
CREATE INDEX delegations_grantor ON delegations (tenant_id, grantor_user_id, id);
CREATE INDEX delegations_delegate ON delegations (tenant_id, delegate_user_id, id);
CREATE INDEX delegations_parent ON delegations (tenant_id, parent_id) WHERE parent_id IS NOT NULL;
-- Across tenants: what is over and not yet said to be, in order (internal/due).
CREATE INDEX delegations_due ON delegations (ends_at, tenant_id, id) WHERE status IN ('offered', 'accepted');
CALL core.tenant_scoped('delegations');
