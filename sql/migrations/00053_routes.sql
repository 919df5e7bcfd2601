-- The parts of the platform's address space that apps serve; derived from core.events like all tables of 00010 to 00023. All of it is
-- the platform's. A route never changes: whether its version is withdrawn app_versions knows, where that runs app_deployments, and what
-- was given up app_route_releases. (A projector writes one row at a time.)
-- Locks: new tables only, nobody waits.

-- +goose Up
CREATE TABLE app_routes (
    tenant_id      uuid        NOT NULL,
    id             uuid        NOT NULL, -- made of the version and the route
    app_id         uuid        NOT NULL,
    app            text        COLLATE "C" NOT NULL,
    app_version_id uuid        NOT NULL,
    app_version    text        COLLATE "C" NOT NULL,
    host           text        COLLATE "C" NOT NULL, -- empty: every host
    path_prefix    text        COLLATE "C" NOT NULL,
    methods        text[]      NOT NULL, -- none: all of them
    privilege      text        COLLATE "C", -- that a caller needs; null: being signed in is enough
    public         boolean     NOT NULL, -- nobody is asked who they are
    api_version    text,
    created_at     timestamptz NOT NULL,
    updated_at     timestamptz NOT NULL,
    version        bigint      NOT NULL,
    CONSTRAINT app_routes_pkey PRIMARY KEY (tenant_id, id)
);
CALL core.tenant_scoped('app_routes', true);

-- Where versions run. That is for the platform alone.
CREATE TABLE app_deployments (
    tenant_id  uuid        NOT NULL,
    id         uuid        NOT NULL, -- the version's
    app_id     uuid        NOT NULL,
    upstreams  text[]      NOT NULL, -- none: nowhere any more
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL,
    version    bigint      NOT NULL,
    CONSTRAINT app_deployments_pkey PRIMARY KEY (tenant_id, id)
);
CALL core.tenant_scoped('app_deployments');

-- What an app gave up last of a prefix: the routes of versions that were published before.
CREATE TABLE app_route_releases (
    tenant_id   uuid        NOT NULL,
    app_id      uuid        NOT NULL,
    host        text        COLLATE "C" NOT NULL,
    path_prefix text        COLLATE "C" NOT NULL,
    created_at  timestamptz NOT NULL,
    updated_at  timestamptz NOT NULL,
    version     bigint      NOT NULL,
    CONSTRAINT app_route_releases_pkey PRIMARY KEY (tenant_id, app_id, host, path_prefix)
);
CALL core.tenant_scoped('app_route_releases', true);
