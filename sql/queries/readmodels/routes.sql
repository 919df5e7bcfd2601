-- name: Routes :many
-- All of them are the platform's; where a version runs is for the platform alone (app_deployments hides it from others).
SELECT tenant_id, id, app_id, app, app_version_id, app_version, host, path_prefix, methods, privilege, public, api_version, upstreams, status, created_at, updated_at, version
FROM (
  SELECT r.tenant_id, r.id, r.app_id, r.app, r.app_version_id, r.app_version, r.host, r.path_prefix, r.methods, r.privilege, r.public, r.api_version,
    coalesce(d.upstreams, '{}')::text[] AS upstreams,
    CASE WHEN g.version > r.version THEN 'released' WHEN v.status = 'yanked' THEN 'yanked' ELSE 'published' END::text AS status,
    r.created_at,
    greatest(r.updated_at, d.updated_at, g.updated_at, CASE WHEN v.status = 'yanked' THEN v.updated_at END)::timestamptz AS updated_at,
    greatest(r.version, d.version, g.version, CASE WHEN v.status = 'yanked' THEN v.version END)::bigint AS version
  FROM app_routes r
  LEFT JOIN app_versions v ON v.tenant_id = r.tenant_id AND v.id = r.app_version_id
  LEFT JOIN app_deployments d ON d.tenant_id = r.tenant_id AND d.id = r.app_version_id
  LEFT JOIN app_route_releases g ON g.tenant_id = r.tenant_id AND g.app_id = r.app_id AND g.host = r.host AND g.path_prefix = r.path_prefix AND g.version > r.version
  WHERE r.tenant_id = ANY (ARRAY[@tenant_id, '00000000-0000-0000-0000-000000000001'::uuid]) AND r.id > @after
) AS routes
WHERE (sqlc.narg('id')::uuid IS NULL OR id = sqlc.narg('id'))
  AND (sqlc.narg('app_id')::uuid IS NULL OR app_id = sqlc.narg('app_id'))
  AND (sqlc.narg('app')::text IS NULL OR app = sqlc.narg('app'))
  AND (sqlc.narg('app_version')::text IS NULL OR app_version = sqlc.narg('app_version'))
  AND (sqlc.narg('host')::text IS NULL OR host = sqlc.narg('host'))
  AND (sqlc.narg('path_prefix')::text IS NULL OR path_prefix = sqlc.narg('path_prefix'))
  AND (sqlc.narg('status')::text IS NULL OR status = sqlc.narg('status'))
ORDER BY id
LIMIT @row_limit;
