-- name: PublishRoute :exec
INSERT INTO app_routes (tenant_id, id, app_id, app, app_version_id, app_version, host, path_prefix, methods, privilege, public, api_version, created_at, updated_at, version)
VALUES (@tenant_id, @id, @app_id, @app, @app_version_id, @app_version, @host, @path_prefix, @methods, @privilege, @public, @api_version, @at, @at, @version)
ON CONFLICT (tenant_id, id) DO NOTHING;

-- name: DeployVersion :exec
INSERT INTO app_deployments AS d (tenant_id, id, app_id, upstreams, created_at, updated_at, version)
VALUES (@tenant_id, @id, @app_id, @upstreams, @at, @at, @version)
ON CONFLICT (tenant_id, id) DO UPDATE SET upstreams = excluded.upstreams, updated_at = excluded.updated_at, version = excluded.version
WHERE d.version < excluded.version;

-- name: ReleaseRoute :exec
INSERT INTO app_route_releases AS r (tenant_id, app_id, host, path_prefix, created_at, updated_at, version)
VALUES (@tenant_id, @app_id, @host, @path_prefix, @at, @at, @version)
ON CONFLICT (tenant_id, app_id, host, path_prefix) DO UPDATE SET updated_at = excluded.updated_at, version = excluded.version
WHERE r.version < excluded.version;
