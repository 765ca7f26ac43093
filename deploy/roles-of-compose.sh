#!/bin/sh
# Once, when the database's volume is new: the roles, each with its password from secrets/.
set -eu
psql --no-psqlrc --quiet --username "$POSTGRES_USER" --dbname "$POSTGRES_DB" <<'SQL'
\i /laocert/roles.sql
\set password `cat /run/secrets/owner_password`
ALTER ROLE laocert_owner PASSWORD :'password';
\set password `cat /run/secrets/operator_password`
ALTER ROLE laocert_operator PASSWORD :'password';
\set password `cat /run/secrets/application_password`
ALTER ROLE laocert_application PASSWORD :'password';
SQL
