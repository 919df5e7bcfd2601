-- name: PublishAppVersion :exec
INSERT INTO app_versions (tenant_id, id, app_id, app, app_version, precedence, prerelease, manifest_json, manifest_hash, core_range,
  requires, license_required, grows, status, message, published_at, updated_at, version)
VALUES (@tenant_id, @id, @app_id, @app, @app_version, @precedence, @prerelease, '{}', @manifest_hash, NULL,
  '[]', false, @grows, 'published', '', @at, @at, @version)
ON CONFLICT (tenant_id, id) DO NOTHING;

-- name: DescribeAppVersion :exec
UPDATE app_versions SET manifest_json = @manifest_json, core_range = @core_range, requires = @requires, license_required = @license_required,
  updated_at = @at, version = @version
WHERE tenant_id = @tenant_id AND id = @id AND version < @version;

-- name: MarkAppVersion :exec
UPDATE app_versions SET status = @status, message = @message, updated_at = @at, version = @version
WHERE tenant_id = @tenant_id AND id = @id AND version < @version;

-- name: TouchAppVersion :exec
UPDATE app_versions SET updated_at = @at, version = @version
WHERE tenant_id = @tenant_id AND id = @id AND version < @version;
