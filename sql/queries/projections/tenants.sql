-- name: CreateTenant :exec
INSERT INTO tenants (id, name, slug, status, created_at, updated_at, version)
VALUES (@id, @name, @slug, 'active', @at, @at, @version)
ON CONFLICT (id) DO NOTHING;

-- name: RenameTenant :exec
UPDATE tenants SET name = @name, updated_at = @at, version = @version
WHERE id = @id AND version < @version;

-- name: SetTenantSlug :exec
UPDATE tenants SET slug = @slug, updated_at = @at, version = @version
WHERE id = @id AND version < @version;

-- name: SetTenantStatus :exec
UPDATE tenants SET status = @status, updated_at = @at, version = @version
WHERE id = @id AND version < @version;
