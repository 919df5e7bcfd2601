-- name: AppVersions :many
-- All of them are the platform's. A page of manifests would be too much: only one asked for by its id shows it.
SELECT tenant_id, id, app_id, app, app_version, prerelease,
  (CASE WHEN sqlc.narg('id')::uuid IS NULL THEN 'null'::json ELSE manifest_json END)::json AS manifest_json,
  manifest_hash, core_range, requires, license_required, grows, status, message, published_at, updated_at, version
FROM app_versions
WHERE tenant_id = ANY (ARRAY[@tenant_id, '00000000-0000-0000-0000-000000000001'::uuid]) AND id > @after
  AND (sqlc.narg('id')::uuid IS NULL OR id = sqlc.narg('id'))
  AND (sqlc.narg('app_id')::uuid IS NULL OR app_id = sqlc.narg('app_id'))
  AND (sqlc.narg('app')::text IS NULL OR app = sqlc.narg('app'))
  AND (sqlc.narg('app_version')::text IS NULL OR app_version = sqlc.narg('app_version'))
  AND (sqlc.narg('status')::text IS NULL OR status = sqlc.narg('status'))
ORDER BY id
LIMIT @row_limit;
