-- +goose Up
-- Under which key-encryption key a data key lies, and which of those keys are gone. Takes a short lock on core.subject_keys for
-- the triggers; instant.

-- The id is in the wrapped key itself, so that nothing else has to be kept in step with it: a field of bytes (protobuf), which
-- begins with a byte 1 and four of id (Tink). NULL for anything else, such as the blank key of an erased subject.
-- +goose StatementBegin
CREATE FUNCTION core.kek_of(wrapped bytea) RETURNS bigint LANGUAGE sql IMMUTABLE PARALLEL SAFE RETURN
    CASE WHEN length(wrapped) < 8 OR get_byte(wrapped, 0) <> 18 THEN NULL
         WHEN get_byte(wrapped, 1) < 128 AND get_byte(wrapped, 2) = 1 THEN ('x' || encode(substring(wrapped FROM 4 FOR 4), 'hex'))::bit(32)::bigint
         WHEN get_byte(wrapped, 1) >= 128 AND get_byte(wrapped, 2) < 128 AND get_byte(wrapped, 3) = 1
              THEN ('x' || encode(substring(wrapped FROM 5 FOR 4), 'hex'))::bit(32)::bigint
    END;
-- +goose StatementEnd
GRANT EXECUTE ON FUNCTION core.kek_of TO chancery_append;

-- Keys that are dropped from the keyring, or about to be. Nothing may be wrapped under them any more: a process that has not
-- heard of it would store what nobody can open.
CREATE TABLE core.retired_keks (
    kek        bigint      NOT NULL CONSTRAINT retired_keks_pkey PRIMARY KEY,
    retired_at timestamptz NOT NULL DEFAULT now()
);
GRANT SELECT ON core.retired_keks TO chancery_append;

-- +goose StatementBegin
CREATE FUNCTION core.refuse_retired_kek() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF EXISTS (SELECT 1 FROM changed c JOIN core.retired_keks r ON r.kek = core.kek_of(c.wrapped)) THEN
        RAISE EXCEPTION 'a data key lies under a key-encryption key that is retired'
            USING ERRCODE = 'restrict_violation', SCHEMA = 'core', TABLE = 'subject_keys', CONSTRAINT = 'subject_keys_kek_not_retired';
    END IF;
    RETURN NULL;
END $$;
-- +goose StatementEnd
CREATE TRIGGER subject_keys_insert_kek AFTER INSERT ON core.subject_keys REFERENCING NEW TABLE AS changed
    FOR EACH STATEMENT EXECUTE FUNCTION core.refuse_retired_kek();
CREATE TRIGGER subject_keys_update_kek AFTER UPDATE ON core.subject_keys REFERENCING NEW TABLE AS changed
    FOR EACH STATEMENT EXECUTE FUNCTION core.refuse_retired_kek();

-- A guard rail: who is erased never has a key again.
-- +goose StatementBegin
CREATE FUNCTION core.refuse_revival() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'the data key of an erased subject stays destroyed' USING ERRCODE = 'restrict_violation';
END $$;
-- +goose StatementEnd
CREATE TRIGGER subject_keys_stay_erased BEFORE UPDATE ON core.subject_keys FOR EACH ROW
    WHEN (OLD.wrapped = ''::bytea AND NEW.wrapped <> ''::bytea) EXECUTE FUNCTION core.refuse_revival();
