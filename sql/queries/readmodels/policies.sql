-- name: Policies :many
-- The settings that were ever changed; all others have their defaults.
SELECT id, key, value, revision, status, created_at, updated_at, version
FROM tenant_policies
WHERE tenant_id = @tenant_id
ORDER BY id;
