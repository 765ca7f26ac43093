"""Checks the file that an organization's officer sends into the chat.

The rules are those of the import of personnel, restricted to one organization. The check needs no database, so
that it can run in a separate process.
"""

from collections.abc import Callable
from io import BytesIO
from pathlib import Path
from typing import NoReturn

import orjson

from models.imports.personnel import Checks, layout, shown_name
from models.imports.tabular import BadCell, ImportRefused, Problem, Problems, english, read_table, refuse, shown
from models.imports.tabular.package import Limits
from models.imports.tabular.problems import packed, unpacked
from models.imports.tabular.table import Bounds, require_suffix
from models.register.draft import SentRoster, record

# A file of 5,000 records with 40 menus has about 1 MB.
MAX_BYTES = 5 << 20
# The largest registers of one organization have about 1,200 records.
MAX_RECORDS = 5000
# 5,000 rows with 200 menus have a million cells and a sheet of 50 to 90 MB, and take less than 2 s to parse. About
# as many XML tags of another kind take as long (tests/models/imports/costly.py).
_WORKBOOK = Limits(
    unpacked=100 << 20,
    strings=12 << 20,
    pieces=1_150_000,
    distinct=150_000,
    parts=200,
    macros=False,
)
# The chat shows ten kinds of problems, so that more need not be collected.
_MOST_PROBLEMS = 1_000
_BOUNDS = Bounds(_WORKBOOK, lines=100_000)


def require_file(name: str, size: int) -> None:
    """Check a file's name and size (bytes) before it is downloaded. Raises ImportRefused."""
    require_suffix(name)
    shown_name(Path(name))
    if size > MAX_BYTES:
        what = english("the file has more than {count} MB", count=MAX_BYTES >> 20)
        raise refuse(what, english("save only its rows, as a new XLSX or as CSV"))


def check_file(name: str, content: bytes, organization: str) -> SentRoster:
    """Parse a file whose rows must all belong to the organization with this code. Uses no database.

    Raises ImportRefused with all problems, or for more than MAX_RECORDS records.
    """
    require_file(name, len(content))
    problems, file = Problems(_MOST_PROBLEMS), BytesIO(content)
    records: list[tuple[str, ...]] = []
    with read_table(file, name, layout(_own(organization)), problems, _BOUNDS) as table:
        checks = Checks(table, problems)
        for batch in table.batches():
            records += (row[1:] for row in checks.records(batch))
            if len(records) > MAX_RECORDS:
                _too_many()
        checks.end()
        notes = tuple(map(packed, table.notes()))
    problems.require_none()
    return SentRoster(shown_name(Path(name)), tuple(checks.menu_names), tuple(map(record, records)), notes)


def _own(organization: str) -> Callable[[str], str]:
    def own_code(text: str) -> str:
        if text != organization:
            what = english("{code} is not the code of your organization", code=shown(text))
            raise BadCell(what, english("write {code}, or leave the row out", code=organization))
        return text

    return own_code


def _too_many() -> NoReturn:
    what = english("the file has more than {count:,} rows", count=MAX_RECORDS)
    raise refuse(what, english("send the rows of your organization only"))


# --- from the process that checks to the bot ------------------------------------------------------------------


def packed_check(name: str, content: bytes, organization: str) -> bytes:
    """Run `check_file`, and serialize its result or its problems for another process."""
    try:
        sent = check_file(name, content, organization)
    except ImportRefused as refused:
        return orjson.dumps({"problems": [_packed(problem) for problem in refused.problems]})
    return orjson.dumps(
        {
            "name": sent.file_name,
            "menus": sent.menu_names,
            "records": list(map(tuple, sent.records)),
            "notes": sent.notes,
        }
    )


def unpacked_check(packed_bytes: bytes) -> SentRoster:
    """Deserialize the result of `packed_check`. Raises ImportRefused if the check did."""
    result = orjson.loads(packed_bytes)
    if "problems" in result:
        raise ImportRefused([Problem(line, *map(unpacked, texts)) for line, *texts in result["problems"]])
    records = tuple(map(record, result["records"]))
    return SentRoster(result["name"], tuple(result["menus"]), records, tuple(result["notes"]))


def _packed(problem: Problem) -> list[object]:
    return [problem.line, *(packed(text) for text in (problem.column, problem.what, problem.mend))]
