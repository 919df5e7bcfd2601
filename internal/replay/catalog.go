package replay

// The catalog queries behind shadow. Those that yield statements take the live schema as $1, the
// shadow's as $2, the table names as $3.

const liveTables = `FROM pg_class c WHERE c.relnamespace = $1::text::regnamespace AND c.relname = ANY ($3) AND c.relkind = 'r'`

const storageStatements = `SELECT format('ALTER TABLE %I.%I SET (%s)', $2::text, c.relname, array_to_string(c.reloptions, ', '))
` + liveTables + ` AND c.reloptions IS NOT NULL ORDER BY c.relname`

const keyStatements = `SELECT format('ALTER TABLE %I.%I ADD CONSTRAINT %I %s', $2::text, c.relname, k.conname, pg_get_constraintdef(k.oid))
FROM pg_constraint k JOIN pg_class c ON c.oid = k.conrelid
WHERE c.relnamespace = $1::text::regnamespace AND c.relname = ANY ($3) AND k.contype IN ('p', 'u', 'x')
ORDER BY c.relname, k.contype, k.conname`

const indexStatements = `SELECT replace(pg_get_indexdef(i.indexrelid), format(' ON %I.%I USING ', $1::text, c.relname), format(' ON %I.%I USING ', $2::text, c.relname))
FROM pg_index i JOIN pg_class c ON c.oid = i.indrelid JOIN pg_class x ON x.oid = i.indexrelid
WHERE c.relnamespace = $1::text::regnamespace AND c.relname = ANY ($3)
	AND NOT EXISTS (SELECT 1 FROM pg_constraint k WHERE k.conindid = i.indexrelid AND k.contype IN ('p', 'u', 'x'))
ORDER BY c.relname, x.relname`

// A reference to a table that has no copy stays with the live one.
const foreignStatements = `SELECT format('ALTER TABLE %I.%I ADD CONSTRAINT %I %s', $2::text, c.relname, k.conname,
	CASE WHEN f.relnamespace = $1::text::regnamespace AND f.relname = ANY ($3)
	THEN replace(pg_get_constraintdef(k.oid), format(' REFERENCES %I.%I(', $1::text, f.relname), format(' REFERENCES %I.%I(', $2::text, f.relname))
	ELSE pg_get_constraintdef(k.oid) END)
FROM pg_constraint k JOIN pg_class c ON c.oid = k.conrelid JOIN pg_class f ON f.oid = k.confrelid
WHERE c.relnamespace = $1::text::regnamespace AND c.relname = ANY ($3) AND k.contype = 'f'
ORDER BY c.relname, k.conname`

const securityStatements = `SELECT sql FROM (
	SELECT c.relname, 1 AS step, p.policyname AS name, format('CREATE POLICY %I ON %I.%I AS %s FOR %s TO %s%s%s', p.policyname, $2::text, c.relname, p.permissive, p.cmd,
		(SELECT string_agg(CASE r WHEN 'public' THEN 'PUBLIC' ELSE quote_ident(r) END, ', ' ORDER BY r) FROM unnest(p.roles) r),
		' USING (' || p.qual || ')', ' WITH CHECK (' || p.with_check || ')') AS sql
	FROM pg_policies p JOIN pg_class c ON c.relname = p.tablename AND c.relnamespace = $1::text::regnamespace
	WHERE p.schemaname = $1::text AND c.relname = ANY ($3)
	UNION ALL
	SELECT c.relname, 2, '', format('ALTER TABLE %I.%I ENABLE ROW LEVEL SECURITY', $2::text, c.relname) ` + liveTables + ` AND c.relrowsecurity
	UNION ALL
	SELECT c.relname, 3, '', format('ALTER TABLE %I.%I FORCE ROW LEVEL SECURITY', $2::text, c.relname) ` + liveTables + ` AND c.relforcerowsecurity
) s ORDER BY relname, step, name`

const grantStatements = `SELECT sql FROM (
	SELECT c.relname AS name, g.privilege_type, format('GRANT %s ON %I.%I TO %s%s', g.privilege_type, $2::text, c.relname,
		CASE g.grantee WHEN 0 THEN 'PUBLIC' ELSE quote_ident(pg_get_userbyid(g.grantee)) END, CASE WHEN g.is_grantable THEN ' WITH GRANT OPTION' END) AS sql
	FROM pg_class c CROSS JOIN LATERAL aclexplode(c.relacl) g
	WHERE c.relnamespace = $1::text::regnamespace AND c.relname = ANY ($3) AND g.grantee <> c.relowner
	UNION ALL
	SELECT '', '', format('GRANT %s ON SCHEMA %I TO %s', g.privilege_type, $2::text,
		CASE g.grantee WHEN 0 THEN 'PUBLIC' ELSE quote_ident(pg_get_userbyid(g.grantee)) END)
	FROM pg_namespace n CROSS JOIN LATERAL aclexplode(n.nspacl) g
	WHERE n.nspname = $1::text AND g.grantee <> n.nspowner AND g.privilege_type = 'USAGE'
) s ORDER BY name, privilege_type, sql`

// obstacles lists what would be lost with the live tables. $1 schema, $2 tables.
const obstacles = `WITH t AS (SELECT c.oid, c.relname FROM pg_class c WHERE c.relnamespace = $1::text::regnamespace AND c.relname = ANY ($2))
SELECT format('trigger %s on %s', g.tgname, t.relname) FROM pg_trigger g JOIN t ON t.oid = g.tgrelid WHERE NOT g.tgisinternal
UNION ALL
SELECT format('foreign key %s of %s to %s', k.conname, k.conrelid::regclass, t.relname) FROM pg_constraint k JOIN t ON t.oid = k.confrelid
WHERE k.contype = 'f' AND k.conrelid NOT IN (SELECT oid FROM t)
UNION ALL
SELECT DISTINCT format('view %s on %s', r.ev_class::regclass, t.relname) FROM pg_depend d JOIN t ON t.oid = d.refobjid
JOIN pg_rewrite r ON r.oid = d.objid WHERE d.classid = 'pg_rewrite'::regclass AND d.refclassid = 'pg_class'::regclass
UNION ALL
SELECT format('column privileges on %s.%s', t.relname, a.attname) FROM pg_attribute a JOIN t ON t.oid = a.attrelid WHERE a.attacl IS NOT NULL
ORDER BY 1`
