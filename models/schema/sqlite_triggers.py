"""SQLite's triggers: before each row, because SQLite knows no triggers of statements.

A REPLACE removes the rows that collide with the new one, by any unique key, without firing their DELETE trigger on
a connection that has not set recursive_triggers. So every trigger looks for colliding rows as well. The rowid is
such a key too: it is the column `id` where a table has one, and else a number that any statement may set.
"""

from models.schema.trigger_conditions import (
    DRAW_COLUMNS,
    DRAW_KEPT,
    INSERT_ONLY,
    ITEM_COLUMNS,
    ORGANIZATION_KEPT,
    ROSTER_LOCKED,
    ROUND_KEPT,
    locked,
    unfinished,
)

# By which keys a row collides with another one of its table: all of its unique keys.
COLLIDES = {
    "round": (
        "other.id = NEW.id OR other.fiscal_year = NEW.fiscal_year OR (other.state = 'open' AND NEW.state = 'open')"
    ),
    "organization": "other.rowid = NEW.rowid OR other.dla_code = NEW.dla_code",
    "roster": "other.rowid = NEW.rowid OR other.organization_code = NEW.organization_code",
    "personnel_record": (
        "other.id = NEW.id"
        " OR (other.organization_code = NEW.organization_code AND other.record_no = NEW.record_no)"
    ),
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
    "spot_check": (
        "other.id = NEW.id OR (other.organization_code = NEW.organization_code"
        " AND other.round_id = NEW.round_id AND other.revision = NEW.revision)"
    ),
    "spot_check_item": (
        "other.rowid = NEW.rowid OR (other.spot_check_id = NEW.spot_check_id"
        " AND (other.place = NEW.place OR other.record_no = NEW.record_no))"
    ),
}


def _refuse(message: str) -> str:
    return f"BEGIN SELECT RAISE(ABORT, '{message}'); END"


def _colliding(table: str, condition: str = "") -> str:
    return f"""EXISTS (
    SELECT 1 FROM {table} AS other
    WHERE ({COLLIDES[table]}){condition})"""  # noqa: S608 - no input in it


def _other(*columns: str) -> str:
    return " OR ".join(f"NEW.{column} IS NOT OLD.{column}" for column in columns)


def _of_register(table: str) -> dict[str, str]:
    """A register's tables, closed to all changes while it is locked."""
    new, old = locked("NEW.organization_code"), locked("OLD.organization_code")
    collision = _colliding(table, f" AND {locked('other.organization_code')}")
    refuse = _refuse(ROSTER_LOCKED)
    return {
        f"{table}_locked_insert": f"BEFORE INSERT ON {table} WHEN {new} OR {collision} {refuse}",
        f"{table}_locked_update": f"BEFORE UPDATE ON {table} WHEN {old} OR {new} OR {collision} {refuse}",
        f"{table}_locked_delete": f"BEFORE DELETE ON {table} WHEN {old} {refuse}",
    }


def _insert_only(table: str) -> dict[str, str]:
    refuse = _refuse(f"a row of {table} is never changed")
    return {
        f"{table}_no_replace": f"BEFORE INSERT ON {table} WHEN {_colliding(table)} {refuse}",
        f"{table}_no_update": f"BEFORE UPDATE ON {table} {refuse}",
        f"{table}_no_delete": f"BEFORE DELETE ON {table} {refuse}",
    }


def _keyed(table: str, rekeys: str, message: str) -> dict[str, str]:
    """A table whose rows can be changed, but not removed, nor their keys changed."""
    refuse = _refuse(message)
    return {
        f"{table}_no_replace": f"BEFORE INSERT ON {table} WHEN {_colliding(table)} {refuse}",
        f"{table}_no_rekeying": f"BEFORE UPDATE ON {table} WHEN {rekeys} {refuse}",
        f"{table}_no_delete": f"BEFORE DELETE ON {table} {refuse}",
    }


def _spot_checks() -> dict[str, str]:
    refuse = _refuse(DRAW_KEPT)
    handed_in = "EXISTS (SELECT 1 FROM spot_check WHERE id = {check} AND handed_in_at IS NOT NULL)"
    return {
        "spot_check_insert": f"""BEFORE INSERT ON spot_check
    WHEN NEW.handed_in_at IS NOT NULL OR {_colliding("spot_check")} {refuse}""",
        "spot_check_update": f"""BEFORE UPDATE ON spot_check
    WHEN OLD.handed_in_at IS NOT NULL OR {_other(*DRAW_COLUMNS)}
    OR (NEW.handed_in_at IS NOT NULL AND {unfinished()}) {refuse}""",
        "spot_check_delete": f"BEFORE DELETE ON spot_check {refuse}",
        "spot_check_item_insert": f"""BEFORE INSERT ON spot_check_item
    WHEN {handed_in.format(check="NEW.spot_check_id")} OR {_colliding("spot_check_item")} {refuse}""",
        "spot_check_item_update": f"""BEFORE UPDATE ON spot_check_item
    WHEN {handed_in.format(check="OLD.spot_check_id")} OR {_other("rowid", *ITEM_COLUMNS)} {refuse}""",
        "spot_check_item_delete": f"BEFORE DELETE ON spot_check_item {refuse}",
    }


# Foreign keys hold only where a connection has asked for them: a key that others refer to is kept here as well.
SQLITE: dict[str, str] = {
    **_of_register("personnel_record"),
    **_of_register("roster"),
    **{name: definition for table in INSERT_ONLY for name, definition in _insert_only(table).items()},
    # The newest round's id decides what is locked; one round is open at a time.
    **_keyed(
        "round",
        f"""{_other("id", "fiscal_year")}
    OR (NEW.state = 'open' AND EXISTS (SELECT 1 FROM round WHERE id <> OLD.id AND state = 'open'))""",  # noqa: S608
        ROUND_KEPT,
    ),
    **_keyed("organization", _other("rowid", "dla_code"), ORGANIZATION_KEPT),
    **_spot_checks(),
}


def definitions() -> dict[str, str]:
    """The DDL that makes each trigger."""
    return {name: f"CREATE TRIGGER {name} {definition}" for name, definition in SQLITE.items()}
