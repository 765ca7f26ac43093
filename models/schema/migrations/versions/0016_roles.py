"""What a role without the right to change a row locks it by; how a head of the record waits for what is appended."""

import sqlalchemy as sa
from alembic import op

revision = "0016"
down_revision = "0015"

# Tables whose rows the chat locks and never changes.
LOCKED = ("account", "organization", "province", "round")
# Names and texts of models/schema/postgresql_triggers.py as they were at this revision.
POSTGRESQL_STATEMENTS = (
    """CREATE OR REPLACE FUNCTION {schema}.share_appending() RETURNS trigger LANGUAGE plpgsql SET search_path TO 'pg_catalog', 'pg_temp' AS $function$
BEGIN
    PERFORM pg_advisory_xact_lock_shared(hashtextextended('laocert events', 0));
    RETURN NULL;
END
$function$""",
    """CREATE TRIGGER audit_event_appending BEFORE INSERT ON {schema}.audit_event FOR EACH STATEMENT EXECUTE FUNCTION {schema}.share_appending()""",
    """ALTER TABLE {schema}.audit_event ENABLE ALWAYS TRIGGER audit_event_appending""",
)


def upgrade() -> None:
    for table in LOCKED:
        # Said as both databases understand it: Alembic would leave the condition out on SQLite.
        op.execute(
            f"ALTER TABLE {table} ADD COLUMN row_lock BOOLEAN"
            f" CONSTRAINT ck_{table}_row_lock CHECK (row_lock IS NULL)"
        )
    if op.get_bind().dialect.name == "sqlite":
        return
    schema = op.get_bind().scalar(sa.text("SELECT quote_ident(current_schema())"))
    for statement in POSTGRESQL_STATEMENTS:
        op.execute(statement.replace("{schema}", schema))
