-- name: AddIssuer :exec
INSERT INTO issuers (tenant_id, id, name, url, client_id, client_secret, scopes, audiences, provisioning, groups_claim, group_map, status, created_at, updated_at, version)
VALUES (@tenant_id, @id, @name, @url, @client_id, @client_secret, @scopes, @audiences, @provisioning, @groups_claim, @group_map, @status, @at, @at, @version)
ON CONFLICT (tenant_id, id) DO NOTHING;

-- name: ChangeIssuer :exec
UPDATE issuers SET name = @name, client_id = @client_id, client_secret = @client_secret, scopes = @scopes, audiences = @audiences,
    provisioning = @provisioning, groups_claim = @groups_claim, group_map = @group_map, status = @status, updated_at = @at, version = @version
WHERE tenant_id = @tenant_id AND id = @id AND version < @version;

-- name: RemoveIssuer :exec
UPDATE issuers SET status = 'removed', updated_at = @at, version = @version
WHERE tenant_id = @tenant_id AND id = @id AND version < @version;
