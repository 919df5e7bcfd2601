-- name: StartReview :exec
INSERT INTO reviews (tenant_id, id, name, role_id, group_id, status, on_silence, due_at, items, decided, created_by, created_at,
    closed_at, close_reason, version)
VALUES (@tenant_id, @id, @name, @role_id, @group_id, 'open', @on_silence, @due_at, @items, 0, @created_by, @at, NULL, '', @version)
ON CONFLICT (tenant_id, id) DO NOTHING;

-- name: AddReviewItem :exec
INSERT INTO review_items (tenant_id, id, review_id, item_id, user_id, department_id, group_id, role_id, status, already,
    decided_by, decided_at, reason, version)
VALUES (@tenant_id, @id, @review_id, @item_id, @user_id, @department_id, @group_id, @role_id, 'undecided', FALSE, NULL, NULL, '', @version)
ON CONFLICT (tenant_id, id) DO NOTHING;

-- name: DecideReviewItem :exec
UPDATE review_items SET status = @status, already = @already, decided_by = @decided_by, decided_at = @at, reason = @reason, version = @version
WHERE tenant_id = @tenant_id AND id = @id AND version < @version;

-- name: CountReviewItem :exec
UPDATE reviews SET decided = @decided, version = @version
WHERE tenant_id = @tenant_id AND id = @id AND version < @version;

-- name: CloseReview :exec
UPDATE reviews SET status = 'closed', closed_at = @at, close_reason = @reason, version = @version
WHERE tenant_id = @tenant_id AND id = @id AND version < @version;
