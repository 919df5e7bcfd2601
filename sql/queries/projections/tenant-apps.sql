-- name: EnableApp :exec
INSERT INTO tenant_apps (tenant_id, id, app_id, app, enabled, app_version, previous_version, config, license_required, resumes,
    created_at, enabled_at, changed_at, updated_at, version)
VALUES (@tenant_id, @id, @app_id, @app, TRUE, @app_version, @previous_version, '{}', @license_required, @resumes,
    @at, @at, @at, @at, @version)
ON CONFLICT (tenant_id, id) DO UPDATE SET enabled = TRUE, app_version = EXCLUDED.app_version, previous_version = EXCLUDED.previous_version,
    license_required = EXCLUDED.license_required, resumes = EXCLUDED.resumes, disabled_reason = NULL, enabled_at = EXCLUDED.enabled_at,
    changed_at = EXCLUDED.changed_at, disabled_at = NULL, updated_at = EXCLUDED.updated_at, version = EXCLUDED.version
WHERE tenant_apps.version < EXCLUDED.version;

-- name: ChangeAppVersion :exec
UPDATE tenant_apps SET app_version = @app_version, previous_version = @previous_version, license_required = @license_required,
    changed_at = @at, updated_at = @at, version = @version
WHERE tenant_id = @tenant_id AND id = @id AND version < @version;

-- name: DisableApp :exec
UPDATE tenant_apps SET enabled = FALSE, disabled_reason = @reason, disabled_at = @at, updated_at = @at, version = @version
WHERE tenant_id = @tenant_id AND id = @id AND version < @version;

-- name: PinApp :exec
UPDATE tenant_apps SET version_pinned = @version_pinned, updated_at = @at, version = @version
WHERE tenant_id = @tenant_id AND id = @id AND version < @version;

-- name: ConfigureApp :exec
UPDATE tenant_apps SET config = @config, configured_at = @at, updated_at = @at, version = @version
WHERE tenant_id = @tenant_id AND id = @id AND version < @version;
