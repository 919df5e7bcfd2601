-- Deliveries of events to endpoints. No projector keeps these tables: what happened on the way to a receiver is no event, and a rebuild
-- neither knows it nor sends anything again (ADR 0021). They are written as chancery_project by whoever delivers. Their schema is named,
-- so that queries of the past, whose own schema they are not in, find them.
-- Locks: new tables only, nobody waits.

-- +goose Up
-- How far an endpoint has come. All events that it means up to tenant_seq have a row in event_deliveries, or had one; what lies beyond
-- is pending without a row.
CREATE TABLE core.delivery_cursors (
    tenant_id       uuid        NOT NULL,
    endpoint_id     uuid        NOT NULL,
    tenant_seq      bigint      NOT NULL,
    sequence        bigint      NOT NULL DEFAULT 0, -- deliveries so far; the number of the last one
    failing_since   timestamptz, -- the first failure after the last success; NULL: the last attempt succeeded, or there was none
    last_success_at timestamptz,
    last_failure_at timestamptz,
    CONSTRAINT delivery_cursors_pkey PRIMARY KEY (tenant_id, endpoint_id)
);
CALL core.tenant_scoped('core.delivery_cursors');

-- What was attempted, and what waits behind it; one row for each event and endpoint.
CREATE TABLE core.event_deliveries (
    tenant_id        uuid        NOT NULL,
    endpoint_id      uuid        NOT NULL,
    tenant_seq       bigint      NOT NULL, -- of the event
    id               uuid        NOT NULL, -- made of endpoint and event
    event_id         uuid        NOT NULL,
    event_type       text        NOT NULL, -- as apps see it: core.user.registered
    position         bigint      NOT NULL, -- of the event
    consumer_app_id  text        NOT NULL,
    sequence         bigint      NOT NULL, -- of the delivery within the endpoint, from 1 in the order of the log
    ordering_key     text,                 -- of an endpoint that wants order
    status           text        NOT NULL CONSTRAINT event_deliveries_status_known CHECK (status IN ('waiting', 'retrying', 'leased', 'delivered', 'dead')),
    attempt_count    integer     NOT NULL, -- all there ever were
    round            integer     NOT NULL DEFAULT 0, -- attempts before the schedule began anew: at first, or when redelivery was asked for
    first_attempt_at timestamptz,
    last_attempt_at  timestamptz,
    next_attempt_at  timestamptz, -- of retrying: when it is due; of leased: when the lease ends; else NULL
    lease            uuid,        -- of leased: what its receiver shows
    delivered_at     timestamptz,
    response_status  integer,     -- of the last attempt; NULL: there was no answer
    error            text,        -- of the last attempt; NULL: none
    created_at       timestamptz NOT NULL,
    CONSTRAINT event_deliveries_pkey PRIMARY KEY (tenant_id, endpoint_id, tenant_seq)
);
CREATE UNIQUE INDEX event_deliveries_id ON core.event_deliveries (tenant_id, id);
CREATE INDEX event_deliveries_event ON core.event_deliveries (tenant_id, tenant_seq, endpoint_id);
CREATE INDEX event_deliveries_due ON core.event_deliveries (tenant_id, endpoint_id, next_attempt_at, tenant_seq) WHERE next_attempt_at IS NOT NULL;
CREATE INDEX event_deliveries_key ON core.event_deliveries (tenant_id, endpoint_id, ordering_key, tenant_seq) WHERE status IN ('waiting', 'retrying');
CREATE INDEX event_deliveries_dead ON core.event_deliveries (tenant_id, endpoint_id, tenant_seq) WHERE status = 'dead';
CREATE INDEX event_deliveries_old ON core.event_deliveries (last_attempt_at) WHERE status IN ('delivered', 'dead'); -- to be forgotten after a while
CALL core.tenant_scoped('core.event_deliveries');

-- Every attempt, for ever as long as it is kept: nothing of a row ever changes.
CREATE TABLE core.delivery_attempts (
    tenant_id       uuid        NOT NULL,
    endpoint_id     uuid        NOT NULL,
    tenant_seq      bigint      NOT NULL,
    number          integer     NOT NULL, -- of the attempt, from 1
    event_id        uuid        NOT NULL,
    attempted_at    timestamptz NOT NULL,
    latency         interval    NOT NULL,
    log_position    bigint      NOT NULL, -- head of the log when it was recorded: an as_of before it does not show it
    status          text        NOT NULL CONSTRAINT delivery_attempts_status_known CHECK (status IN ('retrying', 'leased', 'delivered', 'dead')), -- of the delivery, after it
    next_attempt_at timestamptz,
    response_status integer,
    response_start  bytea,       -- the beginning of the answer's body
    error           text,
    process         text        NOT NULL, -- which of ours made it
    CONSTRAINT delivery_attempts_pkey PRIMARY KEY (tenant_id, endpoint_id, tenant_seq, number)
);
CREATE INDEX delivery_attempts_time ON core.delivery_attempts (tenant_id, endpoint_id, attempted_at);
CREATE INDEX delivery_attempts_old ON core.delivery_attempts (attempted_at);
CALL core.tenant_scoped('core.delivery_attempts');
