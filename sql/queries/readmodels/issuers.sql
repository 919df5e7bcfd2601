-- name: Issuers :many
SELECT tenant_id, id, name, url, client_id, client_secret, scopes, audiences, provisioning, groups_claim, group_map, status, created_at, updated_at, version
FROM issuers
WHERE tenant_id = @tenant_id AND id > @after
  AND (sqlc.narg('id')::uuid IS NULL OR id = sqlc.narg('id'))
  AND (sqlc.narg('url')::text IS NULL OR url = sqlc.narg('url'))
  AND (sqlc.narg('status')::text IS NULL OR status = sqlc.narg('status'))
ORDER BY id
LIMIT @row_limit;
