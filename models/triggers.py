"""Rules that the database itself keeps, against raw SQL too: the lock, certificates that only get inserted, and
spot-checks that are drawn once and end when they are handed in.

Locked is a register whose organization was certified by the LAO in the newest round. On SQLite the BEFORE
triggers look for colliding rows as well, because a REPLACE removes them without firing their DELETE trigger on a
connection that has not set recursive_triggers. On PostgreSQL a trigger looks once a statement, at all rows that
it changed, and first waits for their organizations' rows, so that a change that races the certification is refused
once that has committed. (A look at each row made the import of the nation three times as slow.)

A change here needs a migration with the new text: Alembic does not see triggers; `laocert db check` and a test
compare them.
"""

from typing import Any

from sqlalchemy import Connection, text

_LIVE = """NOT EXISTS (
        SELECT 1 FROM reopening
        WHERE reopening.organization_code = certification.organization_code
          AND reopening.round_id = certification.round_id AND reopening.revision = certification.revision)"""

_LOCKED = f"""EXISTS (
    SELECT 1 FROM certification
    WHERE certification.organization_code = {{organization}} AND level = 'lao'
      AND certification.round_id = (SELECT max(id) FROM round) AND {_LIVE})"""  # noqa: S608 - no input in it


def _sqlite_roster_triggers(table: str, collides: str) -> dict[str, str]:
    new, old = (
        _LOCKED.format(organization="NEW.organization_code"),
        _LOCKED.format(organization="OLD.organization_code"),
    )
    collides_locked = _LOCKED.format(organization="other.organization_code")
    collision = f"EXISTS (SELECT 1 FROM {table} AS other WHERE ({collides}) AND {collides_locked})"  # noqa: S608
    refuse = "BEGIN SELECT RAISE(ABORT, 'the roster is certified and locked'); END"
    return {
        f"{table}_locked_insert": f"BEFORE INSERT ON {table} WHEN {new} OR {collision} {refuse}",
        f"{table}_locked_update": f"BEFORE UPDATE ON {table} WHEN {old} OR {new} OR {collision} {refuse}",
        f"{table}_locked_delete": f"BEFORE DELETE ON {table} WHEN {old} {refuse}",
    }


# Tables whose rows are only ever inserted, each with what makes a row collide with another.
INSERT_ONLY = {
    "certification": (
        "other.id = NEW.id OR other.code = NEW.code"
        " OR (other.organization_code = NEW.organization_code AND other.round_id = NEW.round_id"
        " AND other.revision = NEW.revision AND other.level = NEW.level)"
    ),
    "reopening": (
        "other.id = NEW.id OR (other.organization_code = NEW.organization_code"
        " AND other.round_id = NEW.round_id AND other.revision = NEW.revision)"
    ),
    "remark": "other.id = NEW.id OR other.answers_id = NEW.answers_id",
    "audit_event": "other.id = NEW.id OR (other.chain = NEW.chain AND other.number = NEW.number)",
}


_KEEP_ROUND = "BEGIN SELECT RAISE(ABORT, 'a round is never renumbered or removed'); END"


def _sqlite_insert_only(table: str, collides: str) -> dict[str, str]:
    refuse = f"BEGIN SELECT RAISE(ABORT, 'a row of {table} is never changed'); END"
    collision = f"EXISTS (SELECT 1 FROM {table} AS other WHERE {collides})"  # noqa: S608 - no input in it
    return {
        f"{table}_no_replace": f"BEFORE INSERT ON {table} WHEN {collision} {refuse}",
        f"{table}_no_update": f"BEFORE UPDATE ON {table} {refuse}",
        f"{table}_no_delete": f"BEFORE DELETE ON {table} {refuse}",
    }


# A draw is never made again, and what was handed in is never touched: whoever could do either could choose.
_KEEP_DRAW = "BEGIN SELECT RAISE(ABORT, 'a spot-check is drawn once and handed in once'); END"
_OTHER_DRAW = " OR ".join(
    f"NEW.{column} <> OLD.{column}"
    for column in ("id", "organization_code", "round_id", "revision", "officer_id", "seed", "drawn_at")
)
_OTHER_ITEM = " OR ".join(f"NEW.{column} <> OLD.{column}" for column in ("spot_check_id", "place", "record_no"))
_UNFINISHED = """(NOT EXISTS (SELECT 1 FROM spot_check_item WHERE spot_check_id = NEW.id)
    OR EXISTS (SELECT 1 FROM spot_check_item WHERE spot_check_id = NEW.id AND mark IS NULL))"""
_HANDED_IN = "EXISTS (SELECT 1 FROM spot_check WHERE id = {check} AND handed_in_at IS NOT NULL)"

_SQLITE_SPOT_CHECKS = {
    "spot_check_insert": f"""BEFORE INSERT ON spot_check WHEN NEW.handed_in_at IS NOT NULL OR EXISTS (
    SELECT 1 FROM spot_check AS other
    WHERE other.id = NEW.id OR (other.organization_code = NEW.organization_code
      AND other.round_id = NEW.round_id AND other.revision = NEW.revision)) {_KEEP_DRAW}""",  # noqa: S608
    "spot_check_update": f"""BEFORE UPDATE ON spot_check WHEN OLD.handed_in_at IS NOT NULL OR {_OTHER_DRAW}
    OR (NEW.handed_in_at IS NOT NULL AND {_UNFINISHED}) {_KEEP_DRAW}""",
    "spot_check_delete": f"BEFORE DELETE ON spot_check {_KEEP_DRAW}",
    "spot_check_item_insert": f"""BEFORE INSERT ON spot_check_item
    WHEN {_HANDED_IN.format(check="NEW.spot_check_id")} OR EXISTS (
    SELECT 1 FROM spot_check_item AS other WHERE other.spot_check_id = NEW.spot_check_id
      AND (other.place = NEW.place OR other.record_no = NEW.record_no)) {_KEEP_DRAW}""",  # noqa: S608
    "spot_check_item_update": f"""BEFORE UPDATE ON spot_check_item
    WHEN {_HANDED_IN.format(check="OLD.spot_check_id")} OR {_OTHER_ITEM} {_KEEP_DRAW}""",
    "spot_check_item_delete": f"BEFORE DELETE ON spot_check_item {_KEEP_DRAW}",
}

SQLITE: dict[str, str] = {
    **_sqlite_roster_triggers(
        "personnel_record",
        "other.id = NEW.id"
        " OR (other.organization_code = NEW.organization_code AND other.record_no = NEW.record_no)",
    ),
    **_sqlite_roster_triggers("roster", "other.organization_code = NEW.organization_code"),
    **{
        name: definition
        for table, collides in INSERT_ONLY.items()
        for name, definition in _sqlite_insert_only(table, collides).items()
    },
    # The newest round's id decides what is locked; foreign keys hold only where a connection has asked for them.
    "round_no_replace": f"""BEFORE INSERT ON round WHEN EXISTS (
    SELECT 1 FROM round AS other
    WHERE other.id = NEW.id OR other.fiscal_year = NEW.fiscal_year) {_KEEP_ROUND}""",  # noqa: S608 - no input
    "round_no_renumber": f"BEFORE UPDATE OF id, fiscal_year ON round {_KEEP_ROUND}",
    "round_no_delete": f"BEFORE DELETE ON round {_KEEP_ROUND}",
    **_SQLITE_SPOT_CHECKS,
}

# Whoever reads an older snapshot would not see a lock that has come since, nor after waiting for it.
_READ_COMMITTED = """IF current_setting('transaction_isolation') IN ('repeatable read', 'serializable') THEN
        RAISE EXCEPTION 'a roster is changed at READ COMMITTED only, where it shows whether it is locked'
            USING ERRCODE = 'restrict_violation';
    END IF;"""

POSTGRESQL_FUNCTIONS: dict[str, str] = {
    "refuse_locked_roster": f"""
DECLARE
    touched text[];
BEGIN
    {_READ_COMMITTED}
    IF TG_OP = 'INSERT' THEN
        touched := ARRAY(SELECT DISTINCT organization_code FROM new_rows);
    ELSIF TG_OP = 'DELETE' THEN
        touched := ARRAY(SELECT DISTINCT organization_code FROM old_rows);
    ELSE
        touched := ARRAY(SELECT organization_code FROM old_rows UNION SELECT organization_code FROM new_rows);
    END IF;
    PERFORM 1 FROM organization WHERE dla_code = ANY (touched) ORDER BY dla_code FOR SHARE;
    IF {_LOCKED.format(organization="ANY (touched)")} THEN
        RAISE EXCEPTION 'the roster is certified and locked' USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN NULL;
END
""",  # noqa: S608 - no input in it
    "refuse_roster_truncate": f"""
BEGIN
    {_READ_COMMITTED}
    IF EXISTS (
        SELECT 1 FROM certification
        WHERE level = 'lao' AND round_id = (SELECT max(id) FROM round) AND {_LIVE}
    ) THEN
        RAISE EXCEPTION 'the roster is certified and locked' USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN NULL;
END
""",  # noqa: S608 - no input in it
    "keep_round": """
BEGIN
    RAISE EXCEPTION 'a round is never renumbered or removed' USING ERRCODE = 'restrict_violation';
END
""",
    "keep_spot_check": f"""
BEGIN
    IF (CASE TG_OP
        WHEN 'INSERT' THEN NEW.handed_in_at IS NOT NULL
        WHEN 'DELETE' THEN true
        ELSE OLD.handed_in_at IS NOT NULL OR {_OTHER_DRAW}
            OR (NEW.handed_in_at IS NOT NULL AND {_UNFINISHED}) END)
    THEN
        RAISE EXCEPTION 'a spot-check is drawn once and handed in once' USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN NEW;
END
""",
    "keep_spot_check_item": f"""
BEGIN
    PERFORM 1 FROM spot_check WHERE id = NEW.spot_check_id AND handed_in_at IS NULL FOR SHARE;
    IF NOT FOUND OR TG_OP = 'DELETE' OR (TG_OP = 'UPDATE' AND ({_OTHER_ITEM})) THEN
        RAISE EXCEPTION 'a spot-check is drawn once and handed in once' USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN NEW;
END
""",
    "refuse_change": """
BEGIN
    RAISE EXCEPTION 'a row of % is never changed', TG_TABLE_NAME USING ERRCODE = 'restrict_violation';
END
""",
}

# What a statement's trigger is given, in the order in which PostgreSQL tells it.
_CHANGED_ROWS = {
    "INSERT": "NEW TABLE AS new_rows",
    "UPDATE": "OLD TABLE AS old_rows NEW TABLE AS new_rows",
    "DELETE": "OLD TABLE AS old_rows",
}

POSTGRESQL: dict[str, str] = {
    **{
        name: definition
        for table in ("personnel_record", "roster")
        for name, definition in {
            **{
                f"{table}_locked_{event.lower()}": (
                    f"AFTER {event} ON {table} REFERENCING {rows}"
                    " FOR EACH STATEMENT EXECUTE FUNCTION refuse_locked_roster()"
                )
                for event, rows in _CHANGED_ROWS.items()
            },
            f"{table}_locked_truncate": (
                f"BEFORE TRUNCATE ON {table} FOR EACH STATEMENT EXECUTE FUNCTION refuse_roster_truncate()"
            ),
        }.items()
    },
    **{
        f"{table}_{name}": definition.format(table=table)
        for table in INSERT_ONLY
        for name, definition in {
            "insert_only": "BEFORE UPDATE OR DELETE ON {table} FOR EACH ROW EXECUTE FUNCTION refuse_change()",
            "no_truncate": "BEFORE TRUNCATE ON {table} FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()",
        }.items()
    },
    **{
        f"{table}_{name}": definition.format(table=table)
        for table in ("spot_check", "spot_check_item")
        for name, definition in {
            "kept": ("BEFORE INSERT OR UPDATE OR DELETE ON {table} FOR EACH ROW EXECUTE FUNCTION keep_{table}()"),
            "no_truncate": "BEFORE TRUNCATE ON {table} FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()",
        }.items()
    },
    "round_no_renumber": ("BEFORE UPDATE OF id, fiscal_year ON round FOR EACH ROW EXECUTE FUNCTION keep_round()"),
    "round_no_delete": "BEFORE DELETE ON round FOR EACH ROW EXECUTE FUNCTION keep_round()",
    "round_no_truncate": "BEFORE TRUNCATE ON round FOR EACH STATEMENT EXECUTE FUNCTION keep_round()",
}


def statements(dialect: str) -> list[str]:
    """The DDL that makes all triggers on `sqlite` or `postgresql`."""
    if dialect == "sqlite":
        return [f"CREATE TRIGGER {name} {definition}" for name, definition in SQLITE.items()]
    functions = [
        f"CREATE FUNCTION {name}() RETURNS trigger LANGUAGE plpgsql AS $${body}$$"
        for name, body in POSTGRESQL_FUNCTIONS.items()
    ]
    return functions + [f"CREATE TRIGGER {name} {definition}" for name, definition in POSTGRESQL.items()]


def _squeeze(definition: str) -> str:
    return " ".join(definition.split())


def missing(connection: Connection) -> list[str]:
    """Compare the database's triggers and their functions with the ones here: one line for each difference."""
    if connection.dialect.name == "sqlite":
        found: dict[str, str] = dict(
            tuple(row)
            for row in connection.execute(text("SELECT name, sql FROM sqlite_master WHERE type = 'trigger'"))
        )
        expected = {name: f"CREATE TRIGGER {name} {definition}" for name, definition in SQLITE.items()}
        return _differences("trigger", expected, found)
    bodies = connection.execute(
        text(
            "SELECT proname, prosrc FROM pg_proc WHERE pronamespace = current_schema()::regnamespace"
            " AND prorettype = 'trigger'::regtype"
        )
    )
    triggers = connection.execute(
        text(
            "SELECT tgname, pg_get_triggerdef(t.oid, true), tgenabled FROM pg_trigger t"
            " JOIN pg_class c ON c.oid = tgrelid"
            " WHERE NOT tgisinternal AND relnamespace = current_schema()::regnamespace"
        )
    )
    found_triggers = {
        name: definition if enabled in ("O", b"O") else "disabled" for name, definition, enabled in triggers
    }
    expected_triggers = {
        # pg_get_triggerdef names the events in its own order.
        name: f"CREATE TRIGGER {name} {definition}".replace("UPDATE OR DELETE", "DELETE OR UPDATE")
        for name, definition in POSTGRESQL.items()
    }
    return _differences("function", POSTGRESQL_FUNCTIONS, dict(tuple(row) for row in bodies)) + _differences(
        "trigger", expected_triggers, found_triggers
    )


def _differences(kind: str, expected: dict[str, str], found: dict[str, Any]) -> list[str]:
    lines = []
    for name in sorted(expected.keys() | found.keys()):
        if name not in found:
            lines.append(f"{kind} {name} is missing")
        elif name not in expected:
            lines.append(f"{kind} {name} is not ours")
        elif _squeeze(expected[name]) != _squeeze(found[name]):
            lines.append(f"{kind} {name} differs: {_squeeze(found[name])[:200]}")
    return lines
