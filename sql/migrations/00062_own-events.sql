-- Chancery's own events among those of apps: what starts up, and what follows the log, reads them alone. The predicate must stay, word
-- for word, what internal/eventlog asks for.
--
-- Locks: built concurrently, nobody waits; a minute for some tens of millions of events. A run that was cut off may be repeated.

-- +goose NO TRANSACTION
-- +goose Up
DROP INDEX CONCURRENTLY IF EXISTS core.events_own;
CREATE INDEX CONCURRENTLY events_own ON core.events (position) WHERE source_app_id = 'core';
