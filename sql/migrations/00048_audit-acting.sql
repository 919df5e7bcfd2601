-- What was done under a delegation, or in an impersonation. The indexes hold the rows of acting for somebody else alone. Building them
-- reads the audit log twice, while it goes on being written; a run that was cut off may be repeated.

-- +goose NO TRANSACTION
-- +goose Up
DROP INDEX CONCURRENTLY IF EXISTS audit_log_impersonation;
CREATE INDEX CONCURRENTLY audit_log_impersonation ON audit_log (tenant_id, impersonation_id, position) WHERE impersonation_id IS NOT NULL;
DROP INDEX CONCURRENTLY IF EXISTS audit_log_delegation;
CREATE INDEX CONCURRENTLY audit_log_delegation ON audit_log (tenant_id, delegation_id, position) WHERE delegation_id IS NOT NULL;
