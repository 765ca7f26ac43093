"""SQLite's triggers. They run for each row, because SQLite has no statement triggers.

A REPLACE removes the rows that collide with the new row by any unique key. It does not fire their DELETE triggers
on a connection without recursive_triggers, so every trigger checks for colliding rows too. The rowid is such a
key: it is the column `id` if the table has one, and otherwise a number that any statement may set.

A BEFORE INSERT trigger may see another rowid than the row finally gets: SQLite 3.40 evaluates the expression of
`VALUES` once for the trigger and again for the row. A REPLACE with the id `CASE WHEN random() > 0 THEN 1 ELSE -9
END` removed row 1 of a locked register unnoticed. New rows therefore must get new rowids: before each row, a
trigger stores the highest rowid of its table in `last_row`, which accepts no other number, and after it, the row's
own rowid must be higher. SQLite evaluates other columns once, and in an UPDATE the rowid too.
"""

from models.schema.trigger_conditions import (
    CERTIFIED_KEPT,
    DRAW_COLUMNS,
    DRAW_KEPT,
    INSERT_ONLY,
    ITEM_COLUMNS,
    ORGANIZATION_KEPT,
    ROSTER_LOCKED,
    ROUND_KEPT,
    locked,
    past,
    unfinished,
)

# The condition that a row collides with another row of its table, by any of the unique keys.
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
    "certificate_words": "other.id = NEW.id OR other.certification_id = NEW.certification_id",
    "organization_end": "other.id = NEW.id OR other.organization_code = NEW.organization_code",
    "certified_register": "other.id = NEW.id OR other.reopening_id = NEW.reopening_id",
}


# The highest rowid of each protected table before its last insert. WITHOUT ROWID, so that the name is the only
# key.
LAST_ROW = """CREATE TABLE last_row (
    table_name TEXT NOT NULL PRIMARY KEY,
    highest INTEGER NOT NULL
) WITHOUT ROWID"""


def _refuse(message: str) -> str:
    return f"BEGIN SELECT RAISE(ABORT, '{message}'); END"


def _colliding(table: str, condition: str = "") -> str:
    return f"""EXISTS (
    SELECT 1 FROM {table} AS other
    WHERE ({COLLIDES[table]}){condition})"""  # noqa: S608 - no input in it


def _other(*columns: str) -> str:
    return " OR ".join(f"NEW.{column} IS NOT OLD.{column}" for column in columns)


def _highest(table: str) -> str:
    return f"""(CASE WHEN EXISTS (SELECT 1 FROM {table})
    THEN (SELECT rowid FROM {table} ORDER BY rowid DESC LIMIT 1) ELSE 0 END)"""  # noqa: S608 - no input in it


def _only_new_rows() -> dict[str, str]:
    """Triggers that refuse a new row whose rowid is not above the highest of its table."""
    refuse = _refuse("the highest row of a table is noted as it is")
    is_true = " OR ".join(
        f"(NEW.table_name = '{table}' AND NEW.highest = {_highest(table)})" for table in COLLIDES
    )
    triggers = {
        "last_row_no_insert": f"BEFORE INSERT ON last_row {refuse}",
        "last_row_no_other": f"""BEFORE UPDATE ON last_row
    WHEN {_other("table_name")} OR NOT ({is_true}) {refuse}""",
        "last_row_no_delete": f"BEFORE DELETE ON last_row {refuse}",
    }
    for table in COLLIDES:
        noted = f"FROM last_row WHERE table_name = '{table}'"
        triggers[f"{table}_last_row"] = f"""BEFORE INSERT ON {table}
    WHEN (SELECT highest {noted}) IS NOT {_highest(table)}
    BEGIN UPDATE last_row SET highest = {_highest(table)} WHERE table_name = '{table}'; END"""  # noqa: S608
        triggers[f"{table}_new_row"] = f"""AFTER INSERT ON {table}
    WHEN NOT EXISTS (SELECT 1 {noted} AND highest < NEW.rowid)
    {_refuse(f"a row of {table} is inserted under a new number only")}"""
    return triggers


def _of_register(table: str) -> dict[str, str]:
    """Triggers on a table of registers that refuse all changes of a locked register."""
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
    """Triggers on a table whose rows may be updated, but neither deleted nor given other keys (`rekeys`)."""
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
    WHEN NEW.handed_in_at IS NOT NULL OR NEW.basis IS NULL OR {_colliding("spot_check")} {refuse}""",
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


def _certified_registers() -> dict[str, str]:
    """Triggers on certified registers: inserted for an existing reopening, never updated, and deleted only after a
    later round has opened.
    """
    refuse = _refuse(CERTIFIED_KEPT)
    return {
        "certified_register_insert": f"""BEFORE INSERT ON certified_register
    WHEN NOT EXISTS (SELECT 1 FROM reopening WHERE id = NEW.reopening_id)
    OR {_colliding("certified_register")} {refuse}""",  # noqa: S608 - no input in it
        "certified_register_no_update": f"BEFORE UPDATE ON certified_register {refuse}",
        "certified_register_delete": f"""BEFORE DELETE ON certified_register
    WHEN NOT {past("OLD.reopening_id")} {refuse}""",
    }


# Foreign keys are enforced only on connections that have enabled them. The triggers therefore protect keys that
# other tables refer to as well.
SQLITE: dict[str, str] = {
    **_of_register("personnel_record"),
    **_of_register("roster"),
    **{name: definition for table in INSERT_ONLY for name, definition in _insert_only(table).items()},
    # The newest round's id decides what is locked; one round is open at a time.
    **_keyed(
        "round",
        f"""{_other("id", "fiscal_year")}
    OR (NEW.state = 'open' AND EXISTS (
    SELECT 1 FROM round WHERE id <> OLD.id AND (state = 'open' OR id > OLD.id)))""",  # noqa: S608
        ROUND_KEPT,
    ),
    # Certifying uses the open round, locking the newest one: they must be the same.
    "round_begins_open": f"BEFORE INSERT ON round WHEN NEW.state IS NOT 'open' {_refuse(ROUND_KEPT)}",
    **_keyed("organization", _other("rowid", "dla_code"), ORGANIZATION_KEPT),
    **_spot_checks(),
    **_certified_registers(),
    **_only_new_rows(),
}


def tables() -> list[str]:
    """Return the statements that create and fill the triggers' own table. Run them before `definitions`."""
    fill = ", ".join(f"('{table}', 0)" for table in COLLIDES)
    return [LAST_ROW, f"INSERT INTO last_row (table_name, highest) VALUES {fill}"]  # noqa: S608


def definitions() -> dict[str, str]:
    """Return the CREATE TRIGGER statement of each trigger by name."""
    return {name: f"CREATE TRIGGER {name} {definition}" for name, definition in SQLITE.items()}
