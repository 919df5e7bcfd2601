-- name: Entitlements :many
-- A row of an earlier revision than its licence's is of something that the licence allows no more.
SELECT e.tenant_id, e.id, e.license_id, e.app, e.name, e.kind, e.allowance, e.period, e.soft, e.used, e.used_period, e.starts_at, e.ends_at,
    e.revision, l.status AS license_status, e.created_at,
    greatest(e.updated_at, l.updated_at)::timestamptz AS updated_at, greatest(e.version, l.version)::bigint AS version
FROM license_entitlements e
JOIN licenses l ON l.tenant_id = e.tenant_id AND l.id = e.license_id AND l.revision = e.revision
WHERE e.tenant_id = @tenant_id AND e.id > @after
  AND (sqlc.narg('id')::uuid IS NULL OR e.id = sqlc.narg('id'))
  AND (sqlc.narg('license_id')::uuid IS NULL OR e.license_id = sqlc.narg('license_id'))
  AND (sqlc.narg('app')::text IS NULL OR e.app = sqlc.narg('app'))
  AND (sqlc.narg('name')::text IS NULL OR e.name = sqlc.narg('name'))
  AND (sqlc.narg('kind')::text IS NULL OR e.kind = sqlc.narg('kind'))
ORDER BY e.id
LIMIT @row_limit;

-- name: Usage :many
SELECT tenant_id, id, license_id, app, name, amount, period, total, over, note, status, reverse_reason, created_at, reversed_at, version
FROM license_usage
WHERE tenant_id = @tenant_id AND id > @after
  AND (sqlc.narg('id')::uuid IS NULL OR id = sqlc.narg('id'))
  AND (sqlc.narg('license_id')::uuid IS NULL OR license_id = sqlc.narg('license_id'))
  AND (sqlc.narg('app')::text IS NULL OR app = sqlc.narg('app'))
  AND (sqlc.narg('name')::text IS NULL OR name = sqlc.narg('name'))
  AND (sqlc.narg('period')::text IS NULL OR period = sqlc.narg('period'))
  AND (sqlc.narg('status')::text IS NULL OR status = sqlc.narg('status'))
ORDER BY id
LIMIT @row_limit;
