-- +goose Up
-- How much of each limit is used up. Not derived from events: a rebuild leaves it alone, and losing it would only be generous.
-- Keys are keyed hashes, so that a dump names no account and no address. Locks nothing that exists; instant.
CREATE TABLE core.throttle (
    key bytea  NOT NULL CONSTRAINT throttle_pkey PRIMARY KEY,
    tat bigint NOT NULL -- theoretical arrival time of the generic cell rate algorithm, in microseconds since 1970
) WITH (fillfactor = 50); -- no other index, so that updates stay on their page
GRANT SELECT, INSERT, UPDATE, DELETE ON core.throttle TO chancery_append;

-- Takes one from each bucket, or from none; answers the microseconds until all would admit, 0 if they did. A row that is not
-- there, or whose time has come, is a full bucket. Keys MUST be different.
--
-- Locks: the row of each key in the order of the keys, so that takers of the same ones wait in line; the WHERE makes no new
-- version of it. The statements after it see what earlier holders left, because each has a snapshot of its own.
--
-- The transaction commits without waiting for the disk: a crash of PostgreSQL may forget the last second of takes. Without
-- seqscan, a plan that was made for the empty table is right for a full one, too.
-- +goose StatementBegin
CREATE FUNCTION core.throttle_take(now_at bigint, keys bytea[], bursts bigint[], everies bigint[], OUT wait bigint)
LANGUAGE plpgsql VOLATILE AS $$
BEGIN
    PERFORM set_config('synchronous_commit', 'off', true), set_config('enable_seqscan', 'off', true);
    INSERT INTO core.throttle AS t (key, tat) SELECT k.key, now_at FROM unnest(keys) k(key) ORDER BY k.key
    ON CONFLICT (key) DO UPDATE SET tat = t.tat WHERE false;

    SELECT max(greatest(t.tat - now_at, 0) - (bursts[n.o] - 1) * everies[n.o]) INTO wait
    FROM core.throttle t CROSS JOIN LATERAL (SELECT array_position(keys, t.key) AS o) n WHERE t.key = ANY (keys);
    wait := greatest(wait, 0);
    IF wait = 0 THEN
        UPDATE core.throttle t SET tat = greatest(t.tat, now_at) + everies[array_position(keys, t.key)] WHERE t.key = ANY (keys);
    END IF;
END $$;
-- +goose StatementEnd
REVOKE EXECUTE ON FUNCTION core.throttle_take FROM PUBLIC;
GRANT EXECUTE ON FUNCTION core.throttle_take TO chancery_append;

-- Fills the buckets of the keys: locks their rows in the order in which takers do.
-- +goose StatementBegin
CREATE FUNCTION core.throttle_forget(keys bytea[]) RETURNS void LANGUAGE plpgsql VOLATILE AS $$
BEGIN
    PERFORM set_config('synchronous_commit', 'off', true), set_config('enable_seqscan', 'off', true);
    PERFORM t.key FROM core.throttle t WHERE t.key = ANY (keys) ORDER BY t.key FOR UPDATE;
    DELETE FROM core.throttle t WHERE t.key = ANY (keys);
END $$;
-- +goose StatementEnd
REVOKE EXECUTE ON FUNCTION core.throttle_forget FROM PUBLIC;
GRANT EXECUTE ON FUNCTION core.throttle_forget TO chancery_append;

-- Removes the buckets that are full again. It waits for nobody: a row that is in use stays until the next time.
-- +goose StatementBegin
CREATE FUNCTION core.throttle_sweep(now_at bigint) RETURNS void LANGUAGE plpgsql VOLATILE AS $$
BEGIN
    PERFORM set_config('synchronous_commit', 'off', true);
    DELETE FROM core.throttle WHERE key IN (SELECT t.key FROM core.throttle t WHERE t.tat <= now_at FOR UPDATE SKIP LOCKED);
END $$;
-- +goose StatementEnd
REVOKE EXECUTE ON FUNCTION core.throttle_sweep FROM PUBLIC;
GRANT EXECUTE ON FUNCTION core.throttle_sweep TO chancery_append;
