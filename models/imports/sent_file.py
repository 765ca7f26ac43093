"""The file that an organization's officer sends into the chat: checked as the import of personnel checks it, but
of one organization and without a database, so that it can be done in a process of its own.
"""

from collections.abc import Callable
from io import BytesIO
from pathlib import Path
from typing import Any, NoReturn

import orjson

from models.imports.personnel import Checks, layout, shown_name
from models.imports.tabular import BadCell, English, ImportRefused, Problem, Problems, english, read_table, refuse
from models.imports.tabular.table import require_kind
from models.imports.tabular.xlsx_source import Limits, require_workbook
from models.register.draft import SentRoster, record

# A file of 5,000 records with 40 menus has about 1 MB; files over 5 MB are refused.
MAX_BYTES = 5 << 20
# The largest registers of one organization have about 1,200 records.
MAX_RECORDS = 5000
# Unpacked: 5,000 rows of 40 columns have about 15 MB in their sheet.
_LIMITS = Limits(sheets=100 << 20, others=20 << 20, parts=200, macros=False)


def require_file(name: str, size: int) -> None:
    """Refuse a file by what is known before it is fetched. Raises ImportRefused."""
    require_kind(name)
    shown_name(Path(name))
    if size > MAX_BYTES:
        what = english("the file has more than {count} MB", count=MAX_BYTES >> 20)
        raise refuse(what, english("save only its rows, as a new XLSX or as CSV"))


def check_file(name: str, content: bytes, organization: str) -> SentRoster:
    """All rows of a file that must be of one organization; needs no database. Raises ImportRefused."""
    require_file(name, len(content))
    problems, file = Problems(), BytesIO(content)
    if name.lower().endswith(".xlsx"):
        require_workbook(file, _LIMITS)
    records: list[tuple[str, ...]] = []
    with read_table(file, name, layout(_own(organization)), problems) as table:
        checks = Checks(table, problems)
        for batch in table.batches():
            records += (row[1:] for row in checks.records(batch))
            if len(records) > MAX_RECORDS:
                _too_many()
        checks.end()
    problems.require_none()
    return SentRoster(shown_name(Path(name)), tuple(checks.menu_names), tuple(map(record, records)))


def _own(organization: str) -> Callable[[str], str]:
    def own_code(text: str) -> str:
        if text != organization:
            what = english("{code} is not the code of your organization", code=text)
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
        {"name": sent.file_name, "menus": sent.menu_names, "records": list(map(tuple, sent.records))}
    )


def unpacked_check(packed: bytes) -> SentRoster:
    """What another process has checked. Raises ImportRefused as it did."""
    found = orjson.loads(packed)
    if "problems" in found:
        raise ImportRefused([Problem(line, *map(_text, texts)) for line, *texts in found["problems"]])
    return SentRoster(found["name"], tuple(found["menus"]), tuple(map(record, found["records"])))


def _packed(problem: Problem) -> list[object]:
    return [problem.line, *(_parts(text) for text in (problem.column, problem.what, problem.mend))]


def _parts(text: object) -> object:
    if not isinstance(text, English):
        return text if text is None or isinstance(text, int) else str(text)
    return {"template": text.template, "values": {name: _parts(value) for name, value in text.values.items()}}


def _text(parts: object) -> Any:
    if not isinstance(parts, dict):
        return parts
    template, values = parts["template"], parts["values"]
    return english(template, **{name: _text(value) for name, value in values.items()})
