-- The versions of apps, with their manifests; derived from core.events like all tables of 00010 to 00023. They are the platform's,
-- and everybody may read them.
-- Locks: a new table only, nobody waits.

-- +goose Up
CREATE TABLE app_versions (
    tenant_id        uuid        NOT NULL,
    id               uuid        NOT NULL, -- made of the app's name and the number
    app_id           uuid        NOT NULL,
    app              text        COLLATE "C" NOT NULL,
    app_version      text        COLLATE "C" NOT NULL, -- its number
    precedence       text        COLLATE "C" NOT NULL, -- sorts as versions do (Semantic Versioning 2.0.0, section 11)
    prerelease       boolean     NOT NULL,
    manifest_json    json        NOT NULL, -- json, not jsonb: the text whose hash it is is the text that is stored
    manifest_hash    text        NOT NULL,
    core_range       text,       -- of Chancery; NULL: every version
    requires         json        NOT NULL, -- the other apps that it needs, each with a range
    license_required boolean     NOT NULL,
    grows            boolean     NOT NULL, -- it brings privileges that the version before did not, and is no new major version
    status           text        NOT NULL CONSTRAINT app_versions_status_known CHECK (status IN ('published', 'deprecated', 'yanked')),
    message          text        NOT NULL, -- of the deprecation, or why it was withdrawn
    published_at     timestamptz NOT NULL,
    updated_at       timestamptz NOT NULL,
    version          bigint      NOT NULL,
    CONSTRAINT app_versions_pkey PRIMARY KEY (tenant_id, id)
);
CREATE INDEX app_versions_latest ON app_versions (tenant_id, app_id, prerelease, precedence) WHERE status <> 'yanked';
CREATE INDEX app_versions_app ON app_versions (tenant_id, app);
CALL core.tenant_scoped('app_versions', true);
