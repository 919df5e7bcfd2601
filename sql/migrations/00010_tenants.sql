-- The tenants, and what holds for every table of the projections (00010 to 00023).
--
-- They are derived from core.events, can be rebuilt at any time, and are written by projectors alone. Hence:
--   * No foreign keys. One projector writes all core tables in the order of the log, so a child never comes before its parent;
--     and a rebuild fills the tables of another schema one by one, where a foreign key would point back at this one.
--   * Few unique constraints. What is unique is claimed in the log. Those here are a second line, and only where a replayed page
--     cannot trip over them: on rows that are never deleted, so that replaying changes nothing at all.
--   * The tenant leads every key, so that a table can be split by it (or by range) without another key.
--   * version is the position of the last event that changed the row. created_at and updated_at are when it happened.
--   * What ended stays as a row with a status; links between two things (memberships, privileges and parents of roles) go.
--   * Names are unqualified: the search path is core when migrating, and another schema when rebuilding.
-- Locks: new tables only, nobody waits.

-- +goose Up
CREATE TABLE tenants (
    id         uuid        NOT NULL CONSTRAINT tenants_pkey PRIMARY KEY,
    name       text        NOT NULL,
    slug       text        COLLATE "C" NOT NULL, -- a closed tenant's last one stays here, though it is free
    status     text        NOT NULL CONSTRAINT tenants_status_known CHECK (status IN ('active', 'suspended', 'closed')),
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL,
    version    bigint      NOT NULL
);
CREATE UNIQUE INDEX tenants_slug_key ON tenants (slug) WHERE status <> 'closed';

-- A tenant sees itself; the platform's own tenant sees all.
ALTER TABLE tenants ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
CREATE POLICY owner_all ON tenants TO chancery_owner USING (true);
CREATE POLICY project_all ON tenants TO chancery_project USING (true);
CREATE POLICY query_tenant ON tenants FOR SELECT TO chancery_query USING (
    id = (SELECT core.current_tenant())
    OR (SELECT core.current_tenant()) = '00000000-0000-0000-0000-000000000001'::uuid);
GRANT SELECT, INSERT, UPDATE, DELETE ON tenants TO chancery_project;
GRANT SELECT ON tenants TO chancery_query;
