"""The file that an organization's officer sends into the chat: checked as the import of personnel checks it, but
of one organization and without a database, so that it can be done in a process of its own.
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

# A file of 5,000 records with 40 menus has about 1 MB; files over 5 MB are refused.
MAX_BYTES = 5 << 20
# The largest registers of one organization have about 1,200 records.
MAX_RECORDS = 5000
# 5,000 rows with 200 menus have a million cells and 50 to 90 MB in their sheet, and take less than 2 s; about as
# many tags take the parser as long (tests/models/imports/costly.py).
_WORKBOOK = Limits(
    unpacked=100 << 20,
    strings=12 << 20,
    pieces=1_150_000,
    distinct=150_000,
    parts=200,
    macros=False,
)
# The chat shows ten kinds of them.
_MOST_PROBLEMS = 1_000
_BOUNDS = Bounds(_WORKBOOK, lines=100_000)


def require_file(name: str, size: int) -> None:
    """Refuse a file by what is known before it is fetched. Raises ImportRefused."""
    require_suffix(name)
    shown_name(Path(name))
    if size > MAX_BYTES:
        what = english("the file has more than {count} MB", count=MAX_BYTES >> 20)
        raise refuse(what, english("save only its rows, as a new XLSX or as CSV"))


def check_file(name: str, content: bytes, organization: str) -> SentRoster:
    """All rows of a file that must be of one organization; needs no database. Raises ImportRefused."""
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
    """What came of the check, as bytes for another process."""
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
    """What another process has checked. Raises ImportRefused as it did."""
    found = orjson.loads(packed_bytes)
    if "problems" in found:
        raise ImportRefused([Problem(line, *map(unpacked, texts)) for line, *texts in found["problems"]])
    records = tuple(map(record, found["records"]))
    return SentRoster(found["name"], tuple(found["menus"]), records, tuple(found["notes"]))


def _packed(problem: Problem) -> list[object]:
    return [problem.line, *(packed(text) for text in (problem.column, problem.what, problem.mend))]
