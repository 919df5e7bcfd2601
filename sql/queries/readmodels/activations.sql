-- name: Activations :many
SELECT tenant_id, id, license_id, app, label, fingerprint_hash, status, checked_out_until, created_at, ended_at, end_reason, version
FROM license_activations
WHERE tenant_id = @tenant_id AND id > @after
  AND (sqlc.narg('id')::uuid IS NULL OR id = sqlc.narg('id'))
  AND (sqlc.narg('license_id')::uuid IS NULL OR license_id = sqlc.narg('license_id'))
  AND (sqlc.narg('app')::text IS NULL OR app = sqlc.narg('app'))
  AND (sqlc.narg('status')::text IS NULL OR status = sqlc.narg('status'))
ORDER BY id
LIMIT @row_limit;
