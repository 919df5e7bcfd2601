-- name: Licenses :many
SELECT tenant_id, id, app_id, app, holder_tenant_id, vendor_tenant_id, revision, terms, license_blob, signature, kid, file_expires_at,
    imported, issued_at, starts_at, expires_at, grace_until, expired_at, ended_at, status, status_reason, updated_at, version
FROM licenses
WHERE tenant_id = @tenant_id AND id > @after
  AND (sqlc.narg('id')::uuid IS NULL OR id = sqlc.narg('id'))
  AND (sqlc.narg('app_id')::uuid IS NULL OR app_id = sqlc.narg('app_id'))
  AND (sqlc.narg('app')::text IS NULL OR app = sqlc.narg('app'))
  AND (sqlc.narg('holder_tenant_id')::uuid IS NULL OR holder_tenant_id = sqlc.narg('holder_tenant_id'))
  AND (sqlc.narg('vendor_tenant_id')::uuid IS NULL OR vendor_tenant_id = sqlc.narg('vendor_tenant_id'))
  AND (sqlc.narg('status')::text IS NULL OR status = sqlc.narg('status'))
  AND (sqlc.narg('kid')::text IS NULL OR kid = sqlc.narg('kid'))
ORDER BY id
LIMIT @row_limit;

-- name: ImportedLicenses :many
-- Those of a vendor that came in files signed with a key, and are not revoked. For the projectors' role, as all of cascades.sql.
SELECT l.id
FROM licenses l
JOIN signing_keys k ON k.tenant_id = l.tenant_id AND k.kid = l.kid
WHERE l.tenant_id = @tenant_id AND l.vendor_tenant_id = @tenant_id AND k.id = @key AND l.imported AND l.status <> 'revoked' AND l.id > @after
ORDER BY l.id
LIMIT @row_limit;
