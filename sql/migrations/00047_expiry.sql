-- What is over by its time is said to be so by an event: statuses for it, and indexes by which internal/due finds what has come
-- due, of all tenants, in order. What was over before comes due at the first start.
--
-- Locks: each constraint an instant of ACCESS EXCLUSIVE, and SHARE UPDATE EXCLUSIVE while old rows are checked; the indexes are
-- built concurrently. A run that was cut off may be repeated.

-- +goose NO TRANSACTION
-- +goose Up
ALTER TABLE api_tokens DROP CONSTRAINT IF EXISTS api_tokens_status_known,
    ADD CONSTRAINT api_tokens_status_known CHECK (status IN ('active', 'revoked', 'expired')) NOT VALID;
ALTER TABLE api_tokens VALIDATE CONSTRAINT api_tokens_status_known;
ALTER TABLE assignments DROP CONSTRAINT IF EXISTS assignments_status_known,
    ADD CONSTRAINT assignments_status_known CHECK (status IN ('active', 'ended', 'expired')) NOT VALID;
ALTER TABLE assignments VALIDATE CONSTRAINT assignments_status_known;
ALTER TABLE policy_overrides DROP CONSTRAINT IF EXISTS policy_overrides_status_known,
    ADD CONSTRAINT policy_overrides_status_known CHECK (status IN ('active', 'revoked', 'expired')) NOT VALID;
ALTER TABLE policy_overrides VALIDATE CONSTRAINT policy_overrides_status_known;
ALTER TABLE links DROP CONSTRAINT IF EXISTS links_status_known,
    ADD CONSTRAINT links_status_known CHECK (status IN ('issued', 'mailed', 'undeliverable', 'used', 'revoked', 'expired')) NOT VALID;
ALTER TABLE links VALIDATE CONSTRAINT links_status_known;

DROP INDEX CONCURRENTLY IF EXISTS api_tokens_due;
CREATE INDEX CONCURRENTLY api_tokens_due ON api_tokens (expires_at, tenant_id, id) WHERE status = 'active';
DROP INDEX CONCURRENTLY IF EXISTS assignments_due;
CREATE INDEX CONCURRENTLY assignments_due ON assignments (valid_until, tenant_id, id) WHERE status = 'active' AND valid_until IS NOT NULL;
DROP INDEX CONCURRENTLY IF EXISTS policy_overrides_due;
CREATE INDEX CONCURRENTLY policy_overrides_due ON policy_overrides (expires_at, tenant_id, id) WHERE status = 'active';
DROP INDEX CONCURRENTLY IF EXISTS links_due;
CREATE INDEX CONCURRENTLY links_due ON links (expires_at, tenant_id, id) WHERE status IN ('issued', 'mailed', 'undeliverable');
DROP INDEX CONCURRENTLY IF EXISTS sessions_due;
CREATE INDEX CONCURRENTLY sessions_due ON sessions (expires_at, tenant_id, id) WHERE status = 'active';
-- Assignments that were made for later, by when they begin: few.
DROP INDEX CONCURRENTLY IF EXISTS assignments_begin;
CREATE INDEX CONCURRENTLY assignments_begin ON assignments (valid_from, tenant_id, id) WHERE status = 'active' AND valid_from > created_at;
