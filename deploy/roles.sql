-- The three roles of a PostgreSQL database of laocert (docs/operations.md, Roles), by a superuser, on a new database
-- or on one that a single role has owned so far. Safe to repeat. The roles get no password here.
--   psql --dbname laocert --file deploy/roles.sql
-- Other names: --set=owner=… --set=operator=… --set=application=…
\set ON_ERROR_STOP on
\if :{?owner} \else \set owner laocert_owner
\endif
\if :{?operator} \else \set operator laocert_operator
\endif
\if :{?application} \else \set application laocert_application
\endif
BEGIN;
SELECT format('CREATE ROLE %I LOGIN', name) FROM unnest(ARRAY[:'owner', :'operator', :'application']) AS name
WHERE NOT EXISTS (SELECT 1 FROM pg_roles WHERE rolname = name)
\gexec
-- The database, its schema where that does not go with it (before PostgreSQL 15), and what the program made in it.
SELECT format('ALTER DATABASE %I OWNER TO %I', current_database(), :'owner')
\gexec
SELECT format('ALTER SCHEMA %I OWNER TO %I', nspname, :'owner')
FROM pg_namespace JOIN pg_roles ON pg_roles.oid = nspowner
WHERE nspname = current_schema() AND rolname <> 'pg_database_owner'
\gexec
SELECT format('ALTER TABLE %s OWNER TO %I', CAST(pg_class.oid AS regclass), :'owner')
FROM pg_class JOIN pg_namespace ON pg_namespace.oid = relnamespace
WHERE relkind = 'r' AND nspname = current_schema()
\gexec
SELECT format('ALTER FUNCTION %s OWNER TO %I', CAST(pg_proc.oid AS regprocedure), :'owner')
FROM pg_proc JOIN pg_namespace ON pg_namespace.oid = pronamespace
WHERE prorettype = CAST('trigger' AS regtype) AND nspname = current_schema()
\gexec
COMMIT;
