-- name: TenantApps :many
SELECT tenant_id, id, app_id, app, enabled, app_version, previous_version, version_pinned, config, license_required, resumes,
  disabled_reason, created_at, enabled_at, changed_at, disabled_at, configured_at, updated_at, version
FROM tenant_apps
WHERE tenant_id = @tenant_id AND id > @after
  AND (sqlc.narg('id')::uuid IS NULL OR id = sqlc.narg('id'))
  AND (sqlc.narg('app_id')::uuid IS NULL OR app_id = sqlc.narg('app_id'))
  AND (sqlc.narg('app')::text IS NULL OR app = sqlc.narg('app'))
  AND (sqlc.narg('enabled')::boolean IS NULL OR enabled = sqlc.narg('enabled'))
ORDER BY id
LIMIT @row_limit;
