-- The key under which a version of an endpoint's keys is sealed is destroyed as those of 00030 are. Forward only, like all of core.events.
-- Locks: core.events against writes for a moment, while the trigger is replaced.

-- +goose Up
CREATE OR REPLACE TRIGGER events_erase AFTER INSERT ON core.events FOR EACH ROW
    WHEN (NEW.type IN ('user.erased', 'secret.version-destroyed', 'endpoint.secret-destroyed') AND NEW.source_app_id = 'core')
    EXECUTE FUNCTION core.erase_subject();
