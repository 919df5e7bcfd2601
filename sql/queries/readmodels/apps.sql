-- name: Apps :many
-- All of them are the platform's. A version that is withdrawn is not the latest, and a prerelease is the latest of its own kind only.
SELECT a.tenant_id, a.id, a.name, a.vendor, a.title, a.description,
  latest.app_version AS latest_version, preview.app_version AS latest_prerelease, latest.manifest_hash,
  a.created_at, a.updated_at, a.version
FROM apps a
LEFT JOIN app_versions latest ON latest.tenant_id = a.tenant_id AND latest.id = (
  SELECT v.id FROM app_versions v WHERE v.tenant_id = a.tenant_id AND v.app_id = a.id AND NOT v.prerelease AND v.status <> 'yanked'
  ORDER BY v.precedence DESC LIMIT 1)
LEFT JOIN app_versions preview ON preview.tenant_id = a.tenant_id AND preview.id = (
  SELECT v.id FROM app_versions v WHERE v.tenant_id = a.tenant_id AND v.app_id = a.id AND v.prerelease AND v.status <> 'yanked'
  ORDER BY v.precedence DESC LIMIT 1)
WHERE a.tenant_id = ANY (ARRAY[@tenant_id, '00000000-0000-0000-0000-000000000001'::uuid]) AND a.id > @after
  AND (sqlc.narg('id')::uuid IS NULL OR a.id = sqlc.narg('id'))
  AND (sqlc.narg('name')::text IS NULL OR a.name = sqlc.narg('name'))
  AND (sqlc.narg('vendor')::uuid IS NULL OR a.vendor = sqlc.narg('vendor'))
ORDER BY a.id
LIMIT @row_limit;
