-- +goose Up
-- Who has signed in. A session that is over by its time stays active here: no event ends it. New table: locks nothing that exists; instant.
CREATE TABLE sessions (
    tenant_id        uuid        NOT NULL,
    id               uuid        NOT NULL,
    user_id          uuid        NOT NULL,
    status           text        NOT NULL CONSTRAINT sessions_status_known CHECK (status IN ('active', 'ended')),
    methods          text[]      NOT NULL, -- how it was started
    last_proof       text[]      NOT NULL, -- how its user has proven who they are since
    issuer_id        uuid,                 -- the OpenID provider that vouched for the user
    scopes           text[],               -- the most that it may do; NULL: no bound
    ip               text,                 -- sealed
    user_agent       text,                 -- sealed
    idle_seconds     integer     NOT NULL,
    started_at       timestamptz NOT NULL,
    authenticated_at timestamptz NOT NULL, -- the last proof
    last_seen_at     timestamptz NOT NULL, -- as recorded: a few times per idle span
    expires_at       timestamptz NOT NULL,
    ended_at         timestamptz,
    end_reason       text,
    version          bigint      NOT NULL,
    CONSTRAINT sessions_pkey PRIMARY KEY (tenant_id, id)
);
CREATE INDEX sessions_user ON sessions (tenant_id, user_id);
CALL core.tenant_scoped('sessions');
