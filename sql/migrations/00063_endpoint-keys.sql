-- More than one version of an endpoint's keys may sign beside the newest: whoever delivers asks the log for them, and the row says only
-- until when the one before the newest does.
-- Locks: endpoints for a moment, exclusively.

-- +goose Up
ALTER TABLE endpoints DROP COLUMN previous_secret_sealed, DROP COLUMN previous_private_sealed;
