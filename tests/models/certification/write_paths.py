"""Every way in which a statement can change or remove a row of a table that a lock rests on."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import ColumnCollection, Table, UniqueConstraint

from models.base.tables import Base
from models.schema.sqlite_triggers import COLLIDES
from tests.support import ORGANIZATIONS

# The rows of each table.
Rows = dict[str, list[dict[str, Any]]]

LOCKED, OPEN, REOPENED, ENDED, SMALL = (code for code, *_ in ORGANIZATIONS)


@dataclass(frozen=True)
class Change:
    """What nobody may change: a column of the rows that `where` names."""

    table: str
    column: str
    value: str
    where: str

    @property
    def setting(self) -> str:
        return f"{self.column} = {self.value}"

    @property
    def key(self) -> str:
        return ", ".join(column.name for column in Base.metadata.tables[self.table].primary_key)


_OF_LOCKED = f"organization_code = '{LOCKED}'"
_OF_ENDED = f"organization_code = '{ENDED}'"
CHANGES = [
    Change("personnel_record", "full_name", "'x'", _OF_LOCKED),
    # Neither collides with a record that is there.
    Change("personnel_record", "organization_code", f"'{SMALL}'", f"{_OF_LOCKED} AND record_no = '0020'"),
    Change("personnel_record", "record_no", "'x'", f"{_OF_LOCKED} AND record_no = '0001'"),
    Change("roster", "file_name", "'x'", _OF_LOCKED),
    Change("roster", "organization_code", "'x'", _OF_LOCKED),
    # Never certified, and locked for ever.
    Change("personnel_record", "full_name", "'x'", _OF_ENDED),
    Change("roster", "file_name", "'x'", _OF_ENDED),
    Change("organization_end", "reason", "'other words'", "id > 0"),
    Change("organization_end", "organization_code", f"'{OPEN}'", "id > 0"),
    Change("certification", "officials", "99", _OF_LOCKED),
    Change("certification", "revision", "99", _OF_LOCKED),
    Change("certificate_words", "organization_name", "'x'", "id > 0"),
    Change("certificate_words", "certification_id", "99", "id > 0"),
    Change("reopening", "revision", "99", "id > 0"),
    Change("remark", "body", "'other words'", "id > 0"),
    Change("audit_event", "details", "'{}'", "id > 0"),
    # The newest round before an older one, and the other way round.
    Change("round", "id", "-5", "fiscal_year = 2571"),
    Change("round", "id", "99", "fiscal_year = 2570"),
    Change("round", "fiscal_year", "2599", "fiscal_year = 2571"),
    Change("organization", "dla_code", "'x'", f"dla_code = '{LOCKED}'"),
    Change("organization", "dla_code", "'y'", f"dla_code = '{OPEN}'"),
    Change("spot_check", "handed_in_at", "NULL", _OF_LOCKED),
    Change("spot_check", "seed", "'x'", _OF_LOCKED),
    Change("spot_check", "revision", "99", _OF_LOCKED),
    Change("spot_check", "basis", "'{}'", _OF_LOCKED),
    Change("spot_check_item", "mark", "'incorrect'", "place = 1"),
    Change("spot_check_item", "mark", "NULL", "place = 1"),
    Change("spot_check_item", "record_no", "'x'", "place = 1"),
    Change("certified_register", "sealed", "'x'", "id > 0"),
    Change("certified_register", "reopening_id", "99", "id > 0"),
    Change("certified_register", "by_province", "true", "id > 0"),
]
TABLES = sorted({change.table for change in CHANGES})
# A new record in a locked register, and in a sample that was handed in.
ADDED = {
    "personnel_record": (
        "organization_code, record_no, full_name, category, position, level, menus",
        (LOCKED, "new", "x", "official", "x", "x", "r"),
    ),
    "spot_check_item": ("spot_check_id, place, record_no", (1, 9, "0009")),
}


def _insert(table: str, at: str) -> str:
    columns, values = ADDED[table]
    return f"INSERT INTO {at}{table} ({columns}) VALUES ({', '.join(map(repr, values))})"


@dataclass
class Paths:
    """Statements by what they are called; `at` is what stands before the names of tables, with its dot."""

    at: str
    by_name: dict[str, str] = field(default_factory=dict)

    def add(self, form: str, change: Change | str, statement: str) -> None:
        what = change if isinstance(change, str) else f"{change.table}.{change.column} = {change.value}"
        self.by_name[f"{form}: {what}"] = statement


def common(at: str) -> Paths:
    """What both databases understand."""
    paths = Paths(at)
    for change in CHANGES:
        table = at + change.table
        paths.add("update", change, f"UPDATE {table} SET {change.setting} WHERE {change.where}")
        copy = f"SELECT * FROM {table} WHERE {change.where}"
        paths.add(
            "upsert",
            change,
            f"INSERT INTO {table} {copy} ON CONFLICT ({change.key}) DO UPDATE SET {change.setting}",
        )
        paths.add(
            "update from",
            change,
            f"UPDATE {table} SET {change.setting} FROM (SELECT 1 AS one) AS other WHERE {change.where}",
        )
        paths.add("delete", change.table, f"DELETE FROM {table} WHERE {change.where}")
        paths.add("delete all", change.table, f"DELETE FROM {table}")
        paths.add(
            "with delete",
            change.table,
            f"WITH picked AS (SELECT 1) DELETE FROM {table} WHERE {change.where} AND 1 IN (SELECT * FROM picked)",
        )
    for added in ADDED:
        paths.add("insert", added, _insert(added, at))
    return paths


def postgresql(at: str = "public.") -> Paths:
    """What only PostgreSQL understands, and `common`."""
    paths = common(at)
    for change in CHANGES:
        table, view = at + change.table, f"seen_{change.table}"
        update = f"UPDATE {table} SET {change.setting} WHERE {change.where}"
        delete = f"DELETE FROM {table} WHERE {change.where}"
        for form, statement in (("update", update), ("delete", delete)):
            paths.add(
                f"CTE that writes, {form}",
                change,
                f"WITH changed AS ({statement} RETURNING 1) SELECT count(*) FROM changed",
            )
            # Nobody sees an error here.
            paths.add(
                f"caught, {form}",
                change,
                f"DO $$ BEGIN {statement}; EXCEPTION WHEN OTHERS THEN RAISE NOTICE 'caught'; END $$",
            )
        for form, action in (("update", f"UPDATE SET {change.setting}"), ("delete", "DELETE")):
            paths.add(
                f"merge, {form}",
                change,
                f"MERGE INTO {table} USING (SELECT 1) AS source ON {change.where} WHEN MATCHED THEN {action}",
            )
        paths.add(
            "cursor",
            change,
            f"DO $$ DECLARE at CURSOR FOR SELECT * FROM {table} WHERE {change.where} FOR UPDATE; one record;"
            f" BEGIN OPEN at; FETCH at INTO one; UPDATE {table} SET {change.setting} WHERE CURRENT OF at; END $$",
        )
        paths.add("view, update", change, f"UPDATE {view} SET {change.setting} WHERE {change.where}")
        paths.add("view, delete", change, f"DELETE FROM {view} WHERE {change.where}")
    for added, (columns, values) in ADDED.items():
        paths.add(
            "merge, insert",
            added,
            f"MERGE INTO {at}{added} USING (SELECT 1) AS source ON false WHEN NOT MATCHED THEN"
            f" INSERT ({columns}) VALUES ({', '.join(map(repr, values))})",
        )
        paths.add("CTE that writes, insert", added, f"WITH new AS ({_insert(added, at)} RETURNING 1) SELECT 1")
    paths.add(
        "two registers at once",
        "personnel_record",
        f"WITH a AS (DELETE FROM {at}personnel_record WHERE organization_code = '{OPEN}'),"
        f" b AS (DELETE FROM {at}personnel_record WHERE organization_code = '{LOCKED}') SELECT 1",
    )
    paths.add(
        "another organization under the same code",
        "organization",
        f"WITH gone AS (UPDATE {at}organization SET dla_code = 'x' WHERE dla_code = '{LOCKED}' RETURNING *)"
        f" INSERT INTO {at}organization SELECT '{LOCKED}', type_th, type_code, name_th, district_th,"
        " province_code, sort_key FROM gone",
    )
    return paths


def sqlite(at: str = "main.") -> Paths:
    """What only SQLite understands, and `common`."""
    paths = common(at)
    for change in CHANGES:
        table = at + change.table
        for policy in ("REPLACE", "IGNORE", "FAIL", "ROLLBACK"):
            setting = f"SET {change.setting} WHERE {change.where}"
            paths.add(f"update or {policy}", change, f"UPDATE OR {policy} {table} {setting}")
        for rowid in ("rowid", "_rowid_", "oid"):
            paths.add(rowid, change, f"UPDATE {table} SET {rowid} = {rowid} + 1000 WHERE {change.where}")
            paths.add(f"negative {rowid}", change, f"UPDATE {table} SET {rowid} = -{rowid} WHERE {change.where}")
    return paths


def _keys(table: Table) -> Iterator[tuple[str, ...]]:
    """The columns of every unique key, partial ones included, and the rowid of a table whose key it is not."""
    keys: list[ColumnCollection[Any, Any]] = [table.primary_key.columns]
    keys += [item.columns for item in table.constraints if isinstance(item, UniqueConstraint)]
    keys += [index.columns for index in table.indexes if index.unique]
    for columns in keys:
        yield tuple(column.name for column in columns)
    if "id" not in table.c:
        yield ("rowid",)


def sqlite_replaces(
    rows: dict[str, list[dict[str, Any]]], at: str = "main."
) -> Iterator[tuple[str, str, list[Any]]]:
    """For each row that must stay and each unique key of its table, another row that shares this key alone, to be
    put in its place; and another row of the table that gets this key. With foreign keys off only triggers refuse.

    `rows` have a `rowid` each. Yields a name, the statement and its parameters.
    """
    for name in COLLIDES:
        for row in rows[name]:
            if name in ("personnel_record", "roster") and row["organization_code"] not in (LOCKED, ENDED):
                continue
            for key in _keys(Base.metadata.tables[name]):
                # No other row collides with these: the index leaves them out.
                if any(row[column] in (None, "closed") for column in key):
                    continue
                other = _beside(row, key, Base.metadata.tables[name])
                marks = ", ".join("?" * len(other))
                yield (
                    f"replace {name} by {', '.join(key)}",
                    f"INSERT OR REPLACE INTO {at}{name} ({', '.join(other)}) VALUES ({marks})",
                    list(other.values()),
                )
                setting = ", ".join(f"{column} = ?" for column in key)
                yield (
                    f"update or replace {name} by {', '.join(key)}",
                    f"UPDATE OR REPLACE {at}{name} SET {setting} WHERE rowid ="
                    f" (SELECT rowid FROM {at}{name} WHERE rowid <> ? ORDER BY rowid DESC LIMIT 1)",
                    [*(row[column] for column in key), row["rowid"]],
                )


def sqlite_seen_twice(
    rows: dict[str, list[dict[str, Any]]], at: str = "main."
) -> Iterator[tuple[str, str, list[Any]]]:
    """For each row that must stay, another one under a number that SQLite evaluates twice: the trigger sees one
    that is free, the row gets the other. `by_turns` is the test's own function; `random()` does it now and then.
    """
    for name in COLLIDES:
        table = Base.metadata.tables[name]
        number = "id" if "id" in table.c else "rowid"
        for row in rows[name]:
            if name in ("personnel_record", "roster") and row["organization_code"] not in (LOCKED, ENDED):
                continue
            other = {column: value for column, value in _beside(row, (number,), table).items() if column != number}
            if "state" in other:
                # A round begins open, and only one is.
                other["state"] = "open"
            if name == "certification":
                other["level"] = "province"
            columns = ", ".join([number, *other])
            marks = ", ".join("?" * len(other))
            for free in (-99_999, None, 10**9):
                yield (
                    f"replace {name} by a number seen as {free}",
                    f"INSERT OR REPLACE INTO {at}{name} ({columns}) VALUES (by_turns(?, ?), {marks})",
                    [free, row[number], *other.values()],
                )


# The note of each table's highest row (models/schema/sqlite_triggers.py) is kept as it is.
SQLITE_NOTES = {
    "lower": "UPDATE main.last_row SET highest = 0",
    "higher": "UPDATE main.last_row SET highest = highest + 1000",
    "of another table": "UPDATE main.last_row SET table_name = 'x' WHERE table_name = 'certification'",
    "in place of another": "UPDATE OR REPLACE main.last_row SET table_name = 'roster'"
    " WHERE table_name = 'certification'",
    "away": "DELETE FROM main.last_row",
    "replaced": "REPLACE INTO main.last_row VALUES ('certification', 0)",
    "new": "INSERT INTO main.last_row VALUES ('x', 0)",
}


def _beside(row: dict[str, Any], key: tuple[str, ...], table: Table) -> dict[str, Any]:
    """A row that shares `key` with another and nothing else that is unique."""
    unique = {column for columns in _keys(table) for column in columns}
    other = {}
    for column, value in row.items():
        if column == "rowid" and ("rowid",) not in set(_keys(table)):
            continue
        if column in key or column not in unique:
            other[column] = value
        elif column == "state":
            other[column] = "closed"
        else:
            other[column] = value + 1000 if isinstance(value, int) else "other"
    return other
