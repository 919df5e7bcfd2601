-- name: Seats :many
SELECT tenant_id, id, license_id, app, seating, user_id, holder, status, created_at, taken_at, expires_at, ended_at, end_reason, updated_at, version
FROM license_seats
WHERE tenant_id = @tenant_id AND id > @after
  AND (sqlc.narg('id')::uuid IS NULL OR id = sqlc.narg('id'))
  AND (sqlc.narg('license_id')::uuid IS NULL OR license_id = sqlc.narg('license_id'))
  AND (sqlc.narg('user_id')::uuid IS NULL OR user_id = sqlc.narg('user_id'))
  AND (sqlc.narg('app')::text IS NULL OR app = sqlc.narg('app'))
  AND (sqlc.narg('holder')::text IS NULL OR holder = sqlc.narg('holder'))
  AND (sqlc.narg('seating')::text IS NULL OR seating = sqlc.narg('seating'))
  AND (sqlc.narg('status')::text IS NULL OR status = sqlc.narg('status'))
ORDER BY id
LIMIT @row_limit;

-- name: StandingSeats :many
-- Those of a user, or of a licence. For the projectors' role, as all of cascades.sql.
SELECT id
FROM license_seats
WHERE tenant_id = @tenant_id AND status = 'taken' AND taken_at <= @at AND id > @after
  AND (sqlc.narg('user_id')::uuid IS NULL OR user_id = sqlc.narg('user_id'))
  AND (sqlc.narg('license_id')::uuid IS NULL OR license_id = sqlc.narg('license_id'))
ORDER BY id
LIMIT @row_limit;
