"""What the imports share: their result, their progress, and the lock on many organizations."""

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

# Called with the step ("reading", "comparing", "hashing", "writing"), how much of it is done, and how much it is
# in all (0 when that is unknown). The units are the step's own.
Progress = Callable[[str, int, int], None]

# Rows of one statement; also below what SQLite and PostgreSQL take as parameters of one IN.
CHUNK = 5000

_T = TypeVar("_T")


@dataclass(frozen=True)
class ImportResult:
    """What an import wrote, or would have written (`dry_run`).

    `rows` are the file's; `added`, `updated` and `unchanged` count organizations or accounts, for personnel the
    rosters (`added`: first import; `unchanged`: the same records, whose file and date are new all the same).
    `notes` say what was read and is not seen in the file, such as hidden rows.
    """

    file_name: str
    dry_run: bool
    rows: int
    added: int
    updated: int
    unchanged: int = 0
    notes: tuple[str, ...] = ()


def no_progress(_step: str, _done: int, _total: int) -> None:
    """The progress of an import that nobody watches."""


def chunks(items: Sequence[_T], size: int = CHUNK) -> Iterator[Sequence[_T]]:
    """The items, some at a time."""
    for start in range(0, len(items), size):
        yield items[start : start + size]


async def read_rows(table: Table, progress: Progress) -> AsyncIterator[list[Row]]:
    """A table's rows, some at a time; the event loop gets its turn between them."""
    for batch in table.batches():
        progress("reading", *table.position())
        yield batch
        await asyncio.sleep(0)


async def organization_names(session: AsyncSession) -> dict[str, str]:
    """The full names of all organizations by code."""
    columns = Organization.dla_code, Organization.type_code, Organization.type_th, Organization.name_th
    rows = await session.execute(select(*columns))
    return {code: full_name(type_code, type_th, name_th) for code, type_code, type_th, name_th in rows}


async def lock_organizations(session: AsyncSession, codes: list[str]) -> None:
    """models.organizations.organization.lock_organization for many, always in the same order, so that no two wait
    crosswise.

    The keys stay as they are, so rows that only point to the organizations can be inserted meanwhile.
    """
    for some in chunks(sorted(codes)):
        await session.execute(
            select(Organization.dla_code)
            .where(Organization.dla_code.in_(some))
            .order_by(Organization.dla_code)
            .with_for_update(key_share=True)
        )


async def refuse_locked(
    session: AsyncSession, names: dict[str, str], lines: dict[str, int], column: str, problems: Problems
) -> None:
    """Note each organization of `lines` (code: first line) whose roster is certified (procedure, LAO step 2), or
    that has ended.
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
