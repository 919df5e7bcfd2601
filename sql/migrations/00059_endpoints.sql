-- Endpoints: where events go; derived from core.events like all tables of 00010 to 00023.
-- Locks: new tables only, nobody waits.

-- +goose Up
CREATE TABLE endpoints (
    tenant_id        uuid        NOT NULL,
    id               uuid        NOT NULL,
    app_id           text        NOT NULL, -- the consumer, by its short name
    kind             text        NOT NULL CONSTRAINT endpoints_kind_known CHECK (kind IN ('webhook', 'pull')),
    status           text        NOT NULL CONSTRAINT endpoints_status_known CHECK (status IN ('enabled', 'disabled', 'deleted')),
    description      text        NOT NULL,
    types            text[]      NOT NULL, -- as apps see them, with patterns
    filter           text,                 -- CEL
    url              text,
    body             text        NOT NULL CONSTRAINT endpoints_body_known CHECK (body IN ('thin', 'full')),
    order_by         text,
    concurrency      integer     NOT NULL,
    per_second       integer     NOT NULL,
    lease_seconds    integer     NOT NULL,
    max_attempts     integer     NOT NULL,
    starts_after     bigint      NOT NULL, -- tenant_seq of the event that created it
    from_time        timestamptz,          -- events recorded since then are meant too
    skipped_through  bigint      NOT NULL, -- tenant_seq of the event that last enabled it without what came meanwhile; 0: none did
    secret_version   integer     NOT NULL, -- 0: a pull endpoint has none
    public_key       text,                 -- whpk_
    secret_sealed    text,                 -- these are never shown, and sealed under the key of the version
    private_sealed   text,
    previous_secret_sealed  text,
    previous_private_sealed text,
    previous_until   timestamptz,
    secret_rotated_at timestamptz,
    disabled_at      timestamptz,
    disabled_why     text,
    disabled_reason  text,
    failing_since    timestamptz,          -- when Chancery itself disabled it
    enable_not_before timestamptz,
    owner_user_id    uuid,                 -- who created it, and is told when Chancery disables it
    created_at       timestamptz NOT NULL,
    updated_at       timestamptz NOT NULL,
    version          bigint      NOT NULL,
    CONSTRAINT endpoints_pkey PRIMARY KEY (tenant_id, id)
);
CREATE INDEX endpoints_app ON endpoints (tenant_id, app_id, id);
CALL core.tenant_scoped('endpoints');
