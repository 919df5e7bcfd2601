-- +goose Up
-- How users can be reached, and where those came from who acted: all of it sealed, as the log has it. Columns without a default:
-- both tables are locked for an instant. The index holds few rows, those of acting for somebody else; building it reads the audit
-- log once, and keeps it from being written meanwhile.
ALTER TABLE users ADD COLUMN phone text, ADD COLUMN address text;
ALTER TABLE audit_log ADD COLUMN ip text, ADD COLUMN user_agent text;
CREATE INDEX audit_log_effective ON audit_log (tenant_id, effective_user_id, position) WHERE effective_user_id IS DISTINCT FROM actor_user_id;
