#!/bin/sh
# Once, when the database's volume is new: the roles, each with its password from secrets/.
set -eu
export PGUSER="$POSTGRES_USER" PGDATABASE="$POSTGRES_DB"
psql --no-psqlrc --quiet --set=owner=laocert_owner --set=operator=laocert_operator \
    --set=application=laocert_application --file=/laocert/roles.sql
for role in owner operator application; do
    # By the environment: a command line can be read by others.
    password=$(cat "/run/secrets/${role}_password")
    export password
    psql --no-psqlrc --quiet --set=ON_ERROR_STOP=on --set=role="laocert_$role" <<'SQL'
\getenv password password
ALTER ROLE :"role" PASSWORD :'password';
SQL
done
