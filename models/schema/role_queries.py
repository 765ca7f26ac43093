"""Queries of PostgreSQL's catalogs for roles and rights, used by models/schema/roles.py.

`:schema` is the program's schema, `:owner` the name of the owner role, `:roles` the names of the other roles, and
`:program` the program's tables. The search path is only pg_catalog, so that table names come with their schema.
"""

# Every privilege of every role, including the owner, with one row for each column privilege.
RIGHTS = """
SELECT kind, object, coalesce(quote_ident(rolname), 'PUBLIC'), privilege, is_grantable, grantee = owner
FROM (
    SELECT 'database' AS kind, quote_ident(datname) AS object, datdba AS owner,
        (aclexplode(coalesce(datacl, acldefault('d', datdba)))).*, NULL AS attname
    FROM pg_database WHERE datname = current_database()
    UNION ALL
    SELECT 'schema', quote_ident(nspname), nspowner,
        (aclexplode(coalesce(nspacl, acldefault('n', nspowner)))).*, NULL
    FROM pg_namespace WHERE oid = CAST(:schema AS regnamespace)
    UNION ALL
    SELECT CASE relkind WHEN 'S' THEN 'sequence' ELSE 'table' END, CAST(CAST(oid AS regclass) AS text), relowner,
        (aclexplode(coalesce(relacl, acldefault('r', relowner)))).*, NULL
    FROM pg_class WHERE relkind IN ('r', 'p', 'v', 'm', 'f', 'S') AND relnamespace = CAST(:schema AS regnamespace)
    UNION ALL
    SELECT 'table', CAST(CAST(pg_class.oid AS regclass) AS text), relowner, (aclexplode(attacl)).*, attname
    FROM pg_attribute JOIN pg_class ON pg_class.oid = attrelid
    WHERE NOT attisdropped AND relnamespace = CAST(:schema AS regnamespace)
) AS acl
CROSS JOIN LATERAL (
    SELECT privilege_type || coalesce(' (' || quote_ident(attname) || ')', '') AS privilege
) AS said
LEFT JOIN pg_roles ON pg_roles.oid = grantee
ORDER BY 1, 2, 3, 4
"""
# Each sequence with the table that owns it.
SEQUENCES = """
SELECT quote_ident(sequence.relname), owning.relname
FROM pg_depend JOIN pg_class AS sequence ON sequence.oid = objid JOIN pg_class AS owning ON owning.oid = refobjid
WHERE sequence.relkind = 'S' AND deptype IN ('a', 'i') AND classid = CAST('pg_class' AS regclass)
    AND refclassid = CAST('pg_class' AS regclass) AND sequence.relnamespace = CAST(:schema AS regnamespace)
"""
THERE = "SELECT relname FROM pg_class WHERE relkind = 'r' AND relnamespace = CAST(:schema AS regnamespace)"
# What exempts a role from privileges. A member of another role has all rights of that role.
ABOVE_RIGHTS = """
SELECT line FROM (
    SELECT 1 AS place, format('role %I does not exist', name) AS line
    FROM unnest(CAST(:roles AS text[])) AS name
    WHERE NOT EXISTS (SELECT 1 FROM pg_roles WHERE rolname = name)
    UNION ALL
    SELECT 2, format('%I %s', rolname, attribute) FROM pg_roles CROSS JOIN LATERAL (VALUES
        (rolsuper, 'is a superuser'), (rolbypassrls, 'bypasses row security'), (rolcreaterole, 'may create roles'),
        (rolcreatedb, 'may create databases'), (rolreplication, 'may replicate')) AS may (has_it, attribute)
    WHERE has_it AND rolname = ANY (CAST(:roles AS text[]))
    UNION ALL
    SELECT 3, format('%I is a member of %I', member.rolname, above.rolname)
    FROM pg_auth_members AS held
    JOIN pg_roles AS member ON member.oid = held.member JOIN pg_roles AS above ON above.oid = held.roleid
    WHERE member.rolname = ANY (CAST(:roles AS text[]))
    UNION ALL
    SELECT 4, format('%I owns %s', rolname, pg_describe_object(classid, objid, objsubid))
    FROM pg_shdepend JOIN pg_roles ON pg_roles.oid = refobjid
    WHERE refclassid = CAST('pg_authid' AS regclass) AND deptype = 'o' AND rolname = ANY (CAST(:roles AS text[]))
        AND (dbid = (SELECT oid FROM pg_database WHERE datname = current_database())
            OR classid = CAST('pg_database' AS regclass)
                AND objid = (SELECT oid FROM pg_database WHERE datname = current_database()))
    UNION ALL
    SELECT 5, format('new objects of %I get rights by themselves (ALTER DEFAULT PRIVILEGES)', rolname)
    FROM pg_default_acl JOIN pg_roles ON pg_roles.oid = defaclrole
    WHERE defaclnamespace = 0 OR defaclnamespace = CAST(:schema AS regnamespace)
) AS lines ORDER BY place, line
"""
# Wrong owners of the program's objects. models/schema/definitions.py reports foreign tables.
OWNERS = """
SELECT format('%s belongs to %I, not to %I', described, rolname, CAST(:owner AS text)) FROM (
    SELECT 'table ' || relname AS described, relowner AS owner FROM pg_class
    WHERE relkind = 'r' AND relname = ANY (CAST(:program AS text[]))
        AND relnamespace = CAST(:schema AS regnamespace)
    UNION ALL
    SELECT 'function ' || proname, proowner FROM pg_proc
    WHERE prorettype = CAST('trigger' AS regtype) AND pronamespace = CAST(:schema AS regnamespace)
    UNION ALL
    SELECT 'the schema', nspowner FROM pg_namespace WHERE oid = CAST(:schema AS regnamespace)
    UNION ALL
    SELECT 'the database', datdba FROM pg_database WHERE datname = current_database()
) AS owned JOIN pg_roles ON pg_roles.oid = owner
WHERE rolname <> :owner AND rolname <> ALL (CAST(:roles AS text[]))
    -- The owner of the database is a member of this role (PostgreSQL 14 and newer).
    AND NOT (described = 'the schema' AND rolname = 'pg_database_owner')
ORDER BY 1
"""
# Parameters that a role may set. Setting session_replication_role disables foreign keys. PostgreSQL 15 and newer.
PARAMETERS = """
SELECT format('%I has %s on parameter %s', rolname, privilege_type, parname)
FROM pg_parameter_acl CROSS JOIN LATERAL aclexplode(paracl) JOIN pg_roles ON pg_roles.oid = grantee
WHERE rolname = ANY (CAST(:roles AS text[]))
ORDER BY 1
"""
OF_THIS_SESSION = """
SELECT current_user, rolsuper OR rolbypassrls, pg_has_role(relowner, 'MEMBER'),
    has_table_privilege(pg_class.oid, 'INSERT')
FROM pg_class, pg_roles WHERE pg_class.oid = CAST('round' AS regclass) AND rolname = current_user
"""
