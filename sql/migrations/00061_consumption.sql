-- What apps say that they have handled; derived from core.events like all tables of 00010 to 00023.
-- Locks: new tables only, nobody waits.

-- +goose Up
CREATE TABLE event_consumption (
    tenant_id       uuid        NOT NULL,
    id              uuid        NOT NULL, -- made of the app and the event; of a checkpoint, the endpoint's
    consumer_app_id text        NOT NULL,
    event_id        uuid,        -- one of the two
    checkpoint      bigint,      -- tenant_seq up to which a pull endpoint has handled what it means
    endpoint_id     uuid,        -- of a checkpoint
    processed_at    timestamptz NOT NULL,
    version         bigint      NOT NULL,
    CONSTRAINT event_consumption_pkey PRIMARY KEY (tenant_id, id)
);
CREATE INDEX event_consumption_app ON event_consumption (tenant_id, consumer_app_id, id);
CREATE INDEX event_consumption_event ON event_consumption (tenant_id, event_id, id) WHERE event_id IS NOT NULL;
CALL core.tenant_scoped('event_consumption');
