"""PostgreSQL's triggers and trigger functions.

A register's trigger runs once for each statement, on all rows that it changed. (A row trigger made the import of
the whole country three times as slow.) It first locks the rows of the changed organizations, so that a change that
races a certification is refused once the certification has committed.

A session's own objects and settings cannot influence the triggers:

- Each function has a fixed search_path, in which only pg_catalog provides operators, functions and types, and
  qualifies its tables. Otherwise a session's temporary tables would come first (PostgreSQL, "Writing SECURITY
  DEFINER Functions Safely"), and another schema could provide an operator that fits a column's type better.
- Each trigger is ENABLE ALWAYS, so that it also fires with session_replication_role = replica, unlike
  PostgreSQL's own triggers of foreign keys.
- Each function is VOLATILE, so that it sees what has committed since the statement began, which it waited for.
"""

from typing import NamedTuple

from models.schema.trigger_conditions import (
    CERTIFIED_KEPT,
    DRAW_COLUMNS,
    DRAW_KEPT,
    INSERT_ONLY,
    ITEM_COLUMNS,
    ORGANIZATION_KEPT,
    ROSTER_LOCKED,
    ROUND_KEPT,
    certified,
    locked,
    past,
    unfinished,
)

# At a higher isolation level, the snapshot may be older than a register's lock, even after waiting for it.
_READ_COMMITTED = """IF current_setting('transaction_isolation') IN ('repeatable read', 'serializable') THEN
        RAISE EXCEPTION '{what} is changed at READ COMMITTED only, where it shows whether it is locked'
            USING ERRCODE = 'restrict_violation';
    END IF;"""
_ROSTER_READ_COMMITTED = _READ_COMMITTED.format(what="a roster")
_DRAW_READ_COMMITTED = _READ_COMMITTED.format(what="a spot-check")


def _refuse(message: str) -> str:
    return f"RAISE EXCEPTION '{message}' USING ERRCODE = 'restrict_violation';"


def _other(*columns: str) -> str:
    return " OR ".join(f"NEW.{column} IS DISTINCT FROM OLD.{column}" for column in columns)


def _keeps_key(message: str, *key: str) -> str:
    return f"""
BEGIN
    IF TG_OP = 'UPDATE' THEN
        IF NOT ({_other(*key)}) THEN
            RETURN NEW;
        END IF;
    END IF;
    {_refuse(message)}
END
"""


def bodies(schema: str) -> dict[str, str]:
    """Return the bodies of the functions by name. `schema`: the schema of tables and functions, quoted if
    necessary.
    """
    at = f"{schema}."
    return {
        "refuse_locked_roster": f"""
DECLARE
    touched text[];
BEGIN
    {_ROSTER_READ_COMMITTED}
    IF TG_OP = 'INSERT' THEN
        touched := ARRAY(SELECT DISTINCT organization_code FROM new_rows);
    ELSIF TG_OP = 'DELETE' THEN
        touched := ARRAY(SELECT DISTINCT organization_code FROM old_rows);
    ELSE
        touched := ARRAY(SELECT organization_code FROM old_rows UNION SELECT organization_code FROM new_rows);
    END IF;
    PERFORM 1 FROM {at}organization WHERE dla_code = ANY (touched) ORDER BY dla_code FOR SHARE;
    IF {locked("ANY (touched)", at)} THEN
        {_refuse(ROSTER_LOCKED)}
    END IF;
    RETURN NULL;
END
""",  # noqa: S608 - no input in it
        "refuse_roster_truncate": f"""
BEGIN
    {_ROSTER_READ_COMMITTED}
    IF EXISTS (
    SELECT 1 {certified(at)}) OR EXISTS (SELECT 1 FROM {at}organization_end) THEN
        {_refuse(ROSTER_LOCKED)}
    END IF;
    RETURN NULL;
END
""",  # noqa: S608 - no input in it
        # Certifying uses the open round, locking the newest one: they must be the same.
        "keep_round": f"""
BEGIN
    IF TG_OP = 'INSERT' OR TG_OP = 'UPDATE' THEN
        IF NEW.state = 'open' AND EXISTS (SELECT 1 FROM {at}round WHERE id > NEW.id) THEN
            {_refuse(ROUND_KEPT)}
        END IF;
    END IF;
    IF TG_OP = 'INSERT' THEN
        IF NEW.state = 'open' THEN
            RETURN NEW;
        END IF;
    ELSIF TG_OP = 'UPDATE' THEN
        IF NOT ({_other("id", "fiscal_year")}) THEN
            RETURN NEW;
        END IF;
    END IF;
    {_refuse(ROUND_KEPT)}
END
""",  # noqa: S608 - no input in it
        "keep_organization": _keeps_key(ORGANIZATION_KEPT, "dla_code"),
        "keep_spot_check": f"""
BEGIN
    {_DRAW_READ_COMMITTED}
    IF (CASE TG_OP
        WHEN 'INSERT' THEN NEW.handed_in_at IS NOT NULL OR NEW.basis IS NULL
        WHEN 'DELETE' THEN true
        ELSE OLD.handed_in_at IS NOT NULL OR {_other(*DRAW_COLUMNS)}
            OR (NEW.handed_in_at IS NOT NULL AND {unfinished(at)}) END)
    THEN
        {_refuse(DRAW_KEPT)}
    END IF;
    RETURN NEW;
END
""",
        "keep_spot_check_item": f"""
BEGIN
    {_DRAW_READ_COMMITTED}
    PERFORM 1 FROM {at}spot_check WHERE id = NEW.spot_check_id AND handed_in_at IS NULL FOR SHARE;
    IF NOT FOUND OR TG_OP = 'DELETE' OR (TG_OP = 'UPDATE' AND ({_other(*ITEM_COLUMNS)})) THEN
        {_refuse(DRAW_KEPT)}
    END IF;
    RETURN NEW;
END
""",
        # Its foreign key requires an existing reopening.
        "keep_certified_register": f"""
BEGIN
    IF TG_OP = 'DELETE' THEN
        IF {past("OLD.reopening_id", at)} THEN
            RETURN OLD;
        END IF;
    END IF;
    {_refuse(CERTIFIED_KEPT)}
END
""",
        # Whoever takes a head waits for all that are appending (models/audit/event_chain.py, take_head).
        "share_appending": """
BEGIN
    PERFORM pg_advisory_xact_lock_shared(hashtextextended('laocert events', 0));
    RETURN NULL;
END
""",
        "refuse_change": """
BEGIN
    RAISE EXCEPTION 'a row of % is never changed', TG_TABLE_NAME USING ERRCODE = 'restrict_violation';
END
""",
    }


class Trigger(NamedTuple):
    """A trigger's definition. `fires`: its events in PostgreSQL's order. `each`: the clauses before the
    function.
    """

    table: str
    fires: str
    each: str
    function: str

    def statement(self, name: str, schema: str) -> str:
        """Return the CREATE TRIGGER statement, exactly as pg_get_triggerdef reports it."""
        return (
            f"CREATE TRIGGER {name} {self.fires} ON {schema}.{self.table} {self.each}"
            f" EXECUTE FUNCTION {schema}.{self.function}()"
        )


_ROW, _STATEMENT = "FOR EACH ROW", "FOR EACH STATEMENT"
# The transition tables of a statement trigger, in PostgreSQL's order.
_CHANGED_ROWS = {
    "INSERT": "REFERENCING NEW TABLE AS new_rows",
    "UPDATE": "REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows",
    "DELETE": "REFERENCING OLD TABLE AS old_rows",
}


def _of_register(table: str) -> dict[str, Trigger]:
    return {
        f"{table}_locked_{event.lower()}": Trigger(
            table, f"AFTER {event}", f"{rows} {_STATEMENT}", "refuse_locked_roster"
        )
        for event, rows in _CHANGED_ROWS.items()
    } | {f"{table}_locked_truncate": Trigger(table, "BEFORE TRUNCATE", _STATEMENT, "refuse_roster_truncate")}


def _kept(table: str, name: str, events: str, function: str, on_truncate: str) -> dict[str, Trigger]:
    return {
        f"{table}_{name}": Trigger(table, f"BEFORE {events}", _ROW, function),
        f"{table}_no_truncate": Trigger(table, "BEFORE TRUNCATE", _STATEMENT, on_truncate),
    }


_ANY_CHANGE, _ANY = "DELETE OR UPDATE", "INSERT OR DELETE OR UPDATE"

POSTGRESQL: dict[str, Trigger] = {
    **_of_register("personnel_record"),
    **_of_register("roster"),
    **{
        name: trigger
        for table in INSERT_ONLY
        for name, trigger in _kept(table, "insert_only", _ANY_CHANGE, "refuse_change", "refuse_change").items()
    },
    "audit_event_appending": Trigger("audit_event", "BEFORE INSERT", _STATEMENT, "share_appending"),
    **_kept("round", "kept", _ANY, "keep_round", "keep_round"),
    **_kept("organization", "kept", _ANY_CHANGE, "keep_organization", "keep_organization"),
    **_kept("spot_check", "kept", _ANY, "keep_spot_check", "refuse_change"),
    **_kept("spot_check_item", "kept", _ANY, "keep_spot_check_item", "refuse_change"),
    **_kept("certified_register", "kept", _ANY_CHANGE, "keep_certified_register", "refuse_change"),
}


def functions(schema: str) -> dict[str, str]:
    """Return the CREATE FUNCTION statement of each function, as pg_get_functiondef reports it."""
    return {
        name: f"CREATE OR REPLACE FUNCTION {schema}.{name}() RETURNS trigger LANGUAGE plpgsql"
        f" SET search_path TO 'pg_catalog', 'pg_temp' AS $function${body}$function$"
        for name, body in bodies(schema).items()
    }


def statements(schema: str) -> list[str]:
    """Return the statements that create all functions and triggers in `schema`. Functions are replaced; a trigger
    that exists is an error.
    """
    ddl = list(functions(schema).values())
    for name, trigger in POSTGRESQL.items():
        ddl.append(trigger.statement(name, schema))
        ddl.append(f"ALTER TABLE {schema}.{trigger.table} ENABLE ALWAYS TRIGGER {name}")
    return ddl
