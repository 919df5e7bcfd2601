-- +goose Up
-- An event of ours that erases destroys the data key of the subject that its payload names, in the very transaction that records it.
-- The row stays, empty: nobody makes a new key for the same subject, and what was sealed reads as erased. A row is made
-- where there was none.
-- +goose StatementBegin
CREATE FUNCTION core.erase_subject() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO core.subject_keys (tenant_id, subject_id, wrapped, created_at)
    VALUES (NEW.tenant_id, (NEW.payload->>'erases')::uuid, ''::bytea, NEW.created_at)
    ON CONFLICT (tenant_id, subject_id) DO UPDATE SET wrapped = ''::bytea;
    RETURN NULL;
END $$;
-- +goose StatementEnd
CREATE TRIGGER events_erase AFTER INSERT ON core.events FOR EACH ROW
    WHEN (NEW.type IN ('user.erased', 'secret.version-destroyed') AND NEW.source_app_id = 'core') EXECUTE FUNCTION core.erase_subject();
GRANT UPDATE ON core.subject_keys TO chancery_append;
REVOKE DELETE ON core.subject_keys FROM chancery_append;
