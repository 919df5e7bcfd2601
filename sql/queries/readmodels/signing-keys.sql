-- name: SigningKeys :many
SELECT tenant_id, id, kid, jwk, origin, status, reason, created_at, retired_at, revoked_at, version
FROM signing_keys
WHERE tenant_id = @tenant_id AND id > @after
  AND (sqlc.narg('id')::uuid IS NULL OR id = sqlc.narg('id'))
  AND (sqlc.narg('kid')::text IS NULL OR kid = sqlc.narg('kid'))
  AND (sqlc.narg('origin')::text IS NULL OR origin = sqlc.narg('origin'))
  AND (sqlc.narg('status')::text IS NULL OR status = sqlc.narg('status'))
ORDER BY id
LIMIT @row_limit;
