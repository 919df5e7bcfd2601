-- Every list is one query that serves the single thing too: an absent filter is NULL and costs nothing, because the reader has
-- each statement planned for its very parameters. Lists are walked by keyset, in the order of the primary key.

-- name: Seen :one
-- Up to where a projection had got when this snapshot was taken; 0 before its first page.
SELECT coalesce(max(position), 0)::bigint FROM core.projection_offsets WHERE projection = @projection;

-- name: SeenInLog :one
-- The newest position that this snapshot is known to hold. A tenant sees no event of others, hence the projections' word for them.
SELECT greatest(
    (SELECT coalesce(max(o.position), 0) FROM core.projection_offsets o),
    (SELECT e.position FROM core.events e WHERE e.tenant_id = @tenant_id ORDER BY e.tenant_seq DESC LIMIT 1))::bigint;
