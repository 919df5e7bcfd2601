-- The event log: events, their tags, the memory of requests, data keys, and the guards around them.
-- Runs as chancery_owner (internal/ledger creates the roles first). Takes no lock on anything that existed.

-- +goose Up
CREATE SCHEMA IF NOT EXISTS core;
GRANT USAGE ON SCHEMA core TO chancery_append, chancery_project, chancery_query;

CREATE TABLE core.events (
    position      bigint      NOT NULL CONSTRAINT events_pkey PRIMARY KEY CONSTRAINT events_position_positive CHECK (position > 0),
    id            uuid        NOT NULL CONSTRAINT events_id_key UNIQUE,
    tenant_id     uuid        NOT NULL,
    tenant_seq    bigint      NOT NULL,
    source_app_id text        NOT NULL DEFAULT 'core',
    type          text        COLLATE "C" NOT NULL,
    payload       json        NOT NULL, -- json, not jsonb: the text that was hashed is the text that is stored
    metadata      json        NOT NULL,
    tags          text[]      NOT NULL,
    request_id    uuid        NOT NULL,
    occurred_at   timestamptz NOT NULL, -- business time; never goes back within a tenant
    created_at    timestamptz NOT NULL, -- one per batch; never goes back
    CONSTRAINT events_tenant_seq_key UNIQUE (tenant_id, tenant_seq)
);

-- One row per tag of an event. A probe by types and tag is one index range per type, so hot tags stay cheap.
-- Hashes are the first eight (four) bytes of SHA-256; readers recheck the event, and a collision in a condition costs a retry.
CREATE TABLE core.event_tags (
    tag_hash  bigint  NOT NULL,
    type_hash integer NOT NULL,
    position  bigint  NOT NULL,
    CONSTRAINT event_tags_pkey PRIMARY KEY (tag_hash, type_hash, position)
);

-- One row per idempotent unit. A unit without events has last_position = first_position - 1.
CREATE TABLE core.append_requests (
    request_id     uuid        NOT NULL CONSTRAINT append_requests_pkey PRIMARY KEY,
    fingerprint    bytea       NOT NULL,
    first_position bigint      NOT NULL,
    last_position  bigint      NOT NULL,
    created_at     timestamptz NOT NULL
);

-- Wrapped data keys, one per person. Erasing a person deletes the row.
CREATE TABLE core.subject_keys (
    tenant_id  uuid        NOT NULL,
    subject_id uuid        NOT NULL,
    wrapped    bytea       NOT NULL,
    created_at timestamptz NOT NULL,
    CONSTRAINT subject_keys_pkey PRIMARY KEY (tenant_id, subject_id)
);

CREATE TABLE core.projection_offsets (
    projection text        NOT NULL CONSTRAINT projection_offsets_pkey PRIMARY KEY,
    position   bigint      NOT NULL DEFAULT 0,
    updated_at timestamptz NOT NULL DEFAULT now()
);

-- Append-only tables gather no dead rows: vacuum them for the visibility map and for freezing, early and in small steps.
ALTER TABLE core.events SET (autovacuum_vacuum_insert_scale_factor = 0.02, autovacuum_vacuum_insert_threshold = 20000,
    autovacuum_analyze_scale_factor = 0.05, autovacuum_freeze_min_age = 1000000);
ALTER TABLE core.event_tags SET (autovacuum_vacuum_insert_scale_factor = 0.02, autovacuum_vacuum_insert_threshold = 50000,
    autovacuum_analyze_scale_factor = 0.05, autovacuum_freeze_min_age = 1000000);
ALTER TABLE core.append_requests SET (autovacuum_vacuum_insert_scale_factor = 0.02, autovacuum_vacuum_insert_threshold = 20000,
    autovacuum_analyze_scale_factor = 0.05, autovacuum_freeze_min_age = 1000000);
ALTER TABLE core.projection_offsets SET (fillfactor = 50);

-- A guard rail against mistakes, not a proof: the evidence log is the proof.
-- +goose StatementBegin
CREATE FUNCTION core.refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'core.% is append-only: % refused', TG_TABLE_NAME, TG_OP USING ERRCODE = 'restrict_violation';
END $$;
-- +goose StatementEnd
CREATE TRIGGER events_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON core.events
    FOR EACH STATEMENT EXECUTE FUNCTION core.refuse_change();
CREATE TRIGGER event_tags_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON core.event_tags
    FOR EACH STATEMENT EXECUTE FUNCTION core.refuse_change();
CREATE TRIGGER append_requests_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON core.append_requests
    FOR EACH STATEMENT EXECUTE FUNCTION core.refuse_change();

-- The tenant of the transaction, or NULL: the only thing that policies ask.
CREATE FUNCTION core.current_tenant() RETURNS uuid LANGUAGE sql STABLE
    AS $$ SELECT nullif(current_setting('app.tenant_id', true), '')::uuid $$;

ALTER TABLE core.events ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
CREATE POLICY owner_all ON core.events TO chancery_owner USING (true);
CREATE POLICY append_all ON core.events TO chancery_append USING (true);
CREATE POLICY project_all ON core.events FOR SELECT TO chancery_project USING (true);
CREATE POLICY query_tenant ON core.events FOR SELECT TO chancery_query USING (tenant_id = (SELECT core.current_tenant()));
GRANT SELECT, INSERT ON core.events TO chancery_append;
GRANT SELECT ON core.events TO chancery_project, chancery_query;

ALTER TABLE core.event_tags ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
CREATE POLICY owner_all ON core.event_tags TO chancery_owner USING (true);
CREATE POLICY append_all ON core.event_tags TO chancery_append USING (true);
CREATE POLICY project_all ON core.event_tags FOR SELECT TO chancery_project USING (true);
CREATE POLICY query_all ON core.event_tags FOR SELECT TO chancery_query USING (true); -- hashes and positions only
GRANT SELECT, INSERT ON core.event_tags TO chancery_append;
GRANT SELECT ON core.event_tags TO chancery_project, chancery_query;

ALTER TABLE core.append_requests ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
CREATE POLICY owner_all ON core.append_requests TO chancery_owner USING (true);
CREATE POLICY append_all ON core.append_requests TO chancery_append USING (true);
GRANT SELECT, INSERT ON core.append_requests TO chancery_append;

ALTER TABLE core.subject_keys ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
CREATE POLICY owner_all ON core.subject_keys TO chancery_owner USING (true);
CREATE POLICY append_all ON core.subject_keys TO chancery_append USING (true);
CREATE POLICY query_tenant ON core.subject_keys FOR SELECT TO chancery_query USING (tenant_id = (SELECT core.current_tenant()));
GRANT SELECT, INSERT, DELETE ON core.subject_keys TO chancery_append; -- DELETE is erasure
GRANT SELECT ON core.subject_keys TO chancery_query;

ALTER TABLE core.projection_offsets ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
CREATE POLICY owner_all ON core.projection_offsets TO chancery_owner USING (true);
CREATE POLICY project_all ON core.projection_offsets TO chancery_project USING (true);
CREATE POLICY query_all ON core.projection_offsets FOR SELECT TO chancery_query USING (true);
GRANT SELECT, INSERT, UPDATE ON core.projection_offsets TO chancery_project;
GRANT SELECT ON core.projection_offsets TO chancery_query;

-- Puts a table with a tenant_id column under the tenancy rules: the owner and the projectors see and write all of it, the
-- query role sees the rows of the transaction's tenant. With shared, everybody may also read the rows of the root tenant.
-- +goose StatementBegin
CREATE PROCEDURE core.tenant_scoped(scoped regclass, shared boolean DEFAULT false) LANGUAGE plpgsql AS $$
DECLARE
    visible text := 'tenant_id = (SELECT core.current_tenant())';
BEGIN
    IF shared THEN
        visible := 'tenant_id = ANY (ARRAY[(SELECT core.current_tenant()), ''00000000-0000-0000-0000-000000000001''::uuid])';
    END IF;
    EXECUTE format('ALTER TABLE %s ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY', scoped);
    EXECUTE format('CREATE POLICY owner_all ON %s TO chancery_owner USING (true)', scoped);
    EXECUTE format('CREATE POLICY project_all ON %s TO chancery_project USING (true)', scoped);
    EXECUTE format('CREATE POLICY query_tenant ON %s FOR SELECT TO chancery_query USING (%s)', scoped, visible);
    EXECUTE format('GRANT SELECT, INSERT, UPDATE, DELETE ON %s TO chancery_project', scoped);
    EXECUTE format('GRANT SELECT ON %s TO chancery_query', scoped);
END $$;
-- +goose StatementEnd

-- Commits a batch of requests. Every array belongs to one of the groups below; numbers that point into a group count from 1.
-- The caller MUST have removed requests that interfere with an earlier one of the same batch: here all of them are judged
-- against the log as it stood before the batch.
--
-- Lock: one advisory lock per database, held to the end of the transaction; it makes positions gapless and conditions safe.
-- It is taken by a statement of its own, so that the following statements' snapshots are younger than the lock.
--
-- Plans: each probe is a LATERAL with a LIMIT, which the planner cannot turn round. The session MUST have enable_seqscan, enable_hashjoin, enable_mergejoin, enable_bitmapscan and jit off and
-- plan_cache_mode = force_generic_plan. Then arrays of every length share one plan of index probes, right on an empty and
-- on a full log. (As SET clauses of the function they were measured at 33 µs a call, a third of the whole.)
--
-- If nothing is rejected, st stays NULL and the n-th event of the batch stands at base + n.
-- +goose StatementBegin
CREATE FUNCTION core.append_batch(
    now_at    timestamptz,                                                        -- the caller's clock
    requests  integer,                                                            -- how many
    p_req     integer[], p_id uuid[], p_print bytea[], p_first integer[], p_last integer[],  -- parts; first and last event of each
    a_req     integer[], a_after bigint[], a_tag bigint[], a_type integer[],      -- conditions on one type and one tag
    b_req     integer[], b_after bigint[], b_tag bigint[], b_type integer[], b_rest text[],  -- any other: type or NULL, more tags as '{…}'
    d_req     integer[], d_after bigint[], d_tag bigint[],                        -- conditions on one tag, of whatever type
    t_id      uuid[],                                                             -- tenants of the events
    e_req     integer[], e_part integer[], e_tenant integer[], e_seq integer[], e_id uuid[], e_app text[], e_type text[],
    e_payload json[], e_metadata json[], e_tags text[],                           -- events; seq counts within tenant; tags joined by U+001F
    e_at      timestamptz[],                                                      -- when it happened, NULL: now; NULL instead of the array: all now
    g_event   integer[], g_tag bigint[], g_type integer[],                        -- tags of the events
    k_req     integer[], k_tenant uuid[], k_subject uuid[], k_wrapped bytea[],    -- data keys
    OUT base  bigint, OUT at timestamptz, OUT seqs bigint[],                      -- head before; created_at; newest tenant_seq before, by tenant
    OUT st    smallint[], OUT part integer[], OUT f bigint[], OUT l bigint[], OUT known_at timestamptz[])  -- rejected: status, part, positions
LANGUAGE plpgsql VOLATILE AS $$
#variable_conflict use_variable
DECLARE
    shift integer[];
    news  timestamptz[];
    gone  integer := 0;
    x     record;
BEGIN
    PERFORM pg_advisory_xact_lock(4847001, 1);
    IF current_setting('transaction_isolation') <> 'read committed' THEN
        RAISE EXCEPTION 'append_batch needs READ COMMITTED: an older snapshot would not see the lock''s previous holder';
    END IF;

    SELECT v.position, v.created_at INTO base, at FROM core.events v ORDER BY v.position DESC LIMIT 1;
    base := coalesce(base, 0);
    at := greatest(at, now_at);

    -- Known parts. The first one of a request decides.
    FOR x IN SELECT u.o::integer AS o, p_req[u.o] AS req, q.fingerprint = p_print[u.o] AS same, q.first_position, q.last_position, q.created_at
             FROM unnest(p_id) WITH ORDINALITY u(id, o)
             CROSS JOIN LATERAL (SELECT r.fingerprint, r.first_position, r.last_position, r.created_at FROM core.append_requests r WHERE r.request_id = u.id LIMIT 1) q
    LOOP
        IF st IS NULL THEN
            st := array_fill(0::smallint, ARRAY[requests]);
        END IF;
        IF st[x.req] = 0 OR part[x.req] > x.o THEN
            st[x.req] := CASE WHEN x.same THEN 1 ELSE 3 END;
            part[x.req] := x.o; f[x.req] := x.first_position; l[x.req] := x.last_position; known_at[x.req] := x.created_at;
        END IF;
    END LOOP;

    -- Conditions: an index probe each.
    FOR x IN SELECT c.req, h.position
             FROM unnest(a_req, a_after, a_tag, a_type) c(req, after, tag, type)
             CROSS JOIN LATERAL (SELECT t.position FROM core.event_tags t
                 WHERE t.tag_hash = c.tag AND t.type_hash = c.type AND t.position > c.after ORDER BY t.position LIMIT 1) h
    LOOP
        IF st IS NULL THEN
            st := array_fill(0::smallint, ARRAY[requests]);
        END IF;
        IF st[x.req] IN (0, 2) THEN
            st[x.req] := 2; f[x.req] := least(f[x.req], x.position);
        END IF;
    END LOOP;
    IF b_req IS NOT NULL THEN
        FOR x IN SELECT c.req, h.position
                 FROM unnest(b_req, b_after, b_tag, b_type, b_rest) c(req, after, tag, type, rest)
                 CROSS JOIN LATERAL (
                     SELECT typed.position FROM (SELECT t.position FROM core.event_tags t
                         WHERE t.tag_hash = c.tag AND t.type_hash = c.type AND t.position > c.after
                           AND coalesce(cardinality(c.rest::bigint[]), 0) = (SELECT count(*) FROM unnest(c.rest::bigint[]) r(tag)
                               CROSS JOIN LATERAL (SELECT 1 FROM core.event_tags o
                                   WHERE o.tag_hash = r.tag AND o.type_hash = t.type_hash AND o.position = t.position LIMIT 1) hit)
                         ORDER BY t.position LIMIT 1) typed
                     UNION ALL
                     SELECT min(t.position) FROM core.event_tags t
                         WHERE c.type IS NULL AND t.tag_hash = c.tag AND t.position > c.after
                           AND coalesce(cardinality(c.rest::bigint[]), 0) = (SELECT count(*) FROM unnest(c.rest::bigint[]) r(tag)
                               CROSS JOIN LATERAL (SELECT 1 FROM core.event_tags o
                                   WHERE o.tag_hash = r.tag AND o.type_hash = t.type_hash AND o.position = t.position LIMIT 1) hit)
                 ) h
                 WHERE h.position IS NOT NULL
        LOOP
            IF st IS NULL THEN
                st := array_fill(0::smallint, ARRAY[requests]);
            END IF;
            IF st[x.req] IN (0, 2) THEN
                st[x.req] := 2; f[x.req] := least(f[x.req], x.position);
            END IF;
        END LOOP;
    END IF;

    IF d_req IS NOT NULL THEN
        FOR x IN SELECT c.req, h.position
                 FROM unnest(d_req, d_after, d_tag) c(req, after, tag)
                 CROSS JOIN LATERAL (SELECT min(t.position) AS position FROM core.event_tags t
                     WHERE t.tag_hash = c.tag AND t.position > c.after) h
                 WHERE h.position IS NOT NULL
        LOOP
            IF st IS NULL THEN
                st := array_fill(0::smallint, ARRAY[requests]);
            END IF;
            IF st[x.req] IN (0, 2) THEN
                st[x.req] := 2; f[x.req] := least(f[x.req], x.position);
            END IF;
        END LOOP;
    END IF;

    -- A key that somebody else stored first: whatever was sealed with ours would be unreadable. To be decided again.
    IF k_req IS NOT NULL THEN
        FOR x IN SELECT k.req FROM unnest(k_req, k_tenant, k_subject, k_wrapped) k(req, tenant, subject, wrapped)
                 CROSS JOIN LATERAL (SELECT y.wrapped FROM core.subject_keys y
                     WHERE y.tenant_id = k.tenant AND y.subject_id = k.subject LIMIT 1) s
                 WHERE s.wrapped <> k.wrapped
        LOOP
            IF st IS NULL THEN
                st := array_fill(0::smallint, ARRAY[requests]);
            END IF;
            IF st[x.req] = 0 THEN
                st[x.req] := 2;
            END IF;
        END LOOP;
    END IF;

    -- Each tenant's newest event, from the unique index.
    SELECT array_agg(coalesce(n.tenant_seq, 0) ORDER BY t.o), array_agg(n.occurred_at ORDER BY t.o) INTO seqs, news
    FROM unnest(t_id) WITH ORDINALITY t(id, o)
    LEFT JOIN LATERAL (SELECT v.tenant_seq, v.occurred_at FROM core.events v
        WHERE v.tenant_id = t.id ORDER BY v.tenant_seq DESC LIMIT 1) n ON true;

    IF e_at IS NOT NULL THEN
        FOR x IN SELECT e.req FROM unnest(e_req, e_tenant, e_at) e(req, tenant, happened) WHERE e.happened > at OR e.happened < news[e.tenant]
        LOOP
            IF st IS NULL THEN
                st := array_fill(0::smallint, ARRAY[requests]);
            END IF;
            IF st[x.req] = 0 THEN
                st[x.req] := 4;
            END IF;
        END LOOP;
    END IF;

    IF st IS NULL THEN
        INSERT INTO core.events (position, id, tenant_id, tenant_seq, source_app_id, type, payload, metadata, tags, request_id, occurred_at, created_at)
        SELECT base + e.o, e.id, t_id[e.tenant], seqs[e.tenant] + e.seq, e.app, e.type, e.payload, e.metadata,
               string_to_array(e.tags, U&'\001F'), p_id[e.part], coalesce(e.happened, at), at
        FROM unnest(e_part, e_tenant, e_seq, e_id, e_app, e_type, e_payload, e_metadata, e_tags, e_at)
             WITH ORDINALITY e(part, tenant, seq, id, app, type, payload, metadata, tags, happened, o);

        INSERT INTO core.event_tags (tag_hash, type_hash, position)
        SELECT g.tag, g.type, base + g.event FROM unnest(g_event, g_tag, g_type) g(event, tag, type);

        INSERT INTO core.append_requests (request_id, fingerprint, first_position, last_position, created_at)
        SELECT p.id, p.print, base + p.first, base + p.last, at FROM unnest(p_id, p_print, p_first, p_last) p(id, print, first, last);
    ELSE
        -- The same for the accepted ones, moved down by the number of rejected events before them.
        FOR x IN SELECT r.req, count(e.req)::integer AS n FROM generate_series(1, requests) r(req)
                 LEFT JOIN unnest(e_req) e(req) ON e.req = r.req GROUP BY r.req ORDER BY r.req
        LOOP
            shift[x.req] := gone;
            IF st[x.req] <> 0 THEN
                gone := gone + x.n;
            END IF;
        END LOOP;

        INSERT INTO core.events (position, id, tenant_id, tenant_seq, source_app_id, type, payload, metadata, tags, request_id, occurred_at, created_at)
        SELECT base + e.o - shift[e.req], e.id, t_id[e.tenant], seqs[e.tenant] + row_number() OVER (PARTITION BY e.tenant ORDER BY e.o),
               e.app, e.type, e.payload, e.metadata, string_to_array(e.tags, U&'\001F'), p_id[e.part], coalesce(e.happened, at), at
        FROM unnest(e_req, e_part, e_tenant, e_id, e_app, e_type, e_payload, e_metadata, e_tags, e_at)
             WITH ORDINALITY e(req, part, tenant, id, app, type, payload, metadata, tags, happened, o)
        WHERE st[e.req] = 0;

        INSERT INTO core.event_tags (tag_hash, type_hash, position)
        SELECT g.tag, g.type, base + g.event - shift[e_req[g.event]] FROM unnest(g_event, g_tag, g_type) g(event, tag, type)
        WHERE st[e_req[g.event]] = 0;

        INSERT INTO core.append_requests (request_id, fingerprint, first_position, last_position, created_at)
        SELECT p.id, p.print, base + p.first - shift[p.req], base + p.last - shift[p.req], at
        FROM unnest(p_req, p_id, p_print, p_first, p_last) p(req, id, print, first, last)
        WHERE st[p.req] = 0;
    END IF;

    IF k_req IS NOT NULL THEN
        INSERT INTO core.subject_keys (tenant_id, subject_id, wrapped, created_at)
        SELECT k.tenant, k.subject, k.wrapped, at FROM unnest(k_req, k_tenant, k_subject, k_wrapped) k(req, tenant, subject, wrapped)
        WHERE st IS NULL OR st[k.req] = 0
        ON CONFLICT DO NOTHING;
    END IF;
END $$;
-- +goose StatementEnd
REVOKE EXECUTE ON FUNCTION core.append_batch FROM PUBLIC;
GRANT EXECUTE ON FUNCTION core.append_batch TO chancery_append;
