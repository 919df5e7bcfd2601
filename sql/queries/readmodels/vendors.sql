-- name: Vendors :many
-- The platform's, for everybody; why one was dismissed is for the platform and the vendor.
SELECT tenant_id, id, status,
    CASE WHEN @tenant_id IN (tenant_id, id) THEN reason ELSE '' END::text AS reason, created_at, updated_at, version
FROM vendors
WHERE tenant_id = ANY (ARRAY[@tenant_id, '00000000-0000-0000-0000-000000000001'::uuid]) AND id > @after
  AND (sqlc.narg('id')::uuid IS NULL OR id = sqlc.narg('id'))
  AND (sqlc.narg('status')::text IS NULL OR status = sqlc.narg('status'))
ORDER BY id
LIMIT @row_limit;
