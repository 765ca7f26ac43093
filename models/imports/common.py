"""Shared by the imports: their result, the progress callback, and the lock on many organizations."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TypeVar

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from models.imports.tabular import Problems, Table
from models.imports.tabular.table import Row
from models.organizations.organization import Organization, ends_among, full_name, how_it_ended
from models.province.progress import locked_organizations

# Callback with the step ("reading", "comparing", "hashing", "writing"), how much of it is done, and its total (0
# if unknown). The unit depends on the step.
Progress = Callable[[str, int, int], None]

# Rows of one statement, and parameters of one IN: below the limits of SQLite and PostgreSQL.
CHUNK = 5000

_T = TypeVar("_T")


@dataclass(frozen=True)
class ImportResult:
    """What an import wrote, or would have written (`dry_run`).

    `rows` counts the file's rows. `added`, `updated` and `unchanged` count organizations, accounts or, for
    personnel, rosters (`added`: first import; `unchanged`: the same records, although file name and date are
    updated). `notes` mention content that a reader of the file does not see, such as hidden rows.
    """

    file_name: str
    dry_run: bool
    rows: int
    added: int
    updated: int
    unchanged: int = 0
    notes: tuple[str, ...] = ()


def no_progress(_step: str, _done: int, _total: int) -> None:
    """A progress callback that does nothing."""


def chunks(items: Sequence[_T], size: int = CHUNK) -> Iterator[Sequence[_T]]:
    """Yield slices of at most `size` items."""
    for start in range(0, len(items), size):
        yield items[start : start + size]


async def read_rows(table: Table, progress: Progress) -> AsyncIterator[list[Row]]:
    """Yield a table's rows in batches, report progress, and yield to the event loop after each batch."""
    for batch in table.batches():
        progress("reading", *table.position())
        yield batch
        await asyncio.sleep(0)


async def organization_names(session: AsyncSession) -> dict[str, str]:
    """Return the full names of all organizations by dla_code."""
    columns = Organization.dla_code, Organization.type_code, Organization.type_th, Organization.name_th
    rows = await session.execute(select(*columns))
    return {code: full_name(type_code, type_th, name_th) for code, type_code, type_th, name_th in rows}


async def lock_organizations(session: AsyncSession, codes: list[str]) -> None:
    """Lock the rows of many organizations, in order of their codes, so that two transactions cannot deadlock.

    FOR NO KEY UPDATE: rows that refer to the organizations can still be inserted. Unknown codes are ignored.
    """
    for chunk in chunks(sorted(codes)):
        await session.execute(
            select(Organization.dla_code)
            .where(Organization.dla_code.in_(chunk))
            .order_by(Organization.dla_code)
            .with_for_update(key_share=True)
        )


async def refuse_locked(
    session: AsyncSession, names: dict[str, str], lines: dict[str, int], column: str, problems: Problems
) -> None:
    """Add a problem for each organization that has ended or whose roster is certified (procedure, LAO step 2).

    `lines` maps each organization's code to its first line, `names` to its full name. `column` is the header that
    the problems name.
    """
    locked = await locked_organizations(session, set(lines))
    ends = await ends_among(session, locked)
    for code in sorted(locked):
        if code in ends:
            problems.add(
                lines[code],
                column,
                f"{how_it_ended(ends[code])}; its roster is locked for good",
                "leave its rows out, or write the code of its successor",
            )
            continue
        problems.add(
            lines[code],
            column,
            f"the roster of {code} {names.get(code, '')} is certified and locked",
            "leave its rows out, or add --skip-locked; it can change again when the next round opens",
        )
