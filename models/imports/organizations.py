"""Import of organizations and their provinces: added or updated by dla_code, never removed."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from sqlalchemy import insert, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from models.audit import event_chain
from models.audit.reading import described_chains
from models.audit.row_seal import sealed_values, update_sealed
from models.database.engine import Database
from models.imports.common import (
    ImportResult,
    Progress,
    chunks,
    lock_organizations,
    no_progress,
    read_rows,
)
from models.imports.tabular import BadCell, Column, ImportRefused, Layout, Problems, english, open_table, shown
from models.imports.tabular.cells import printed_name
from models.notices import card_marks
from models.organizations.organization import (
    Organization,
    Province,
    description,
    ends_among,
    full_name,
    has_ended,
    how_it_ended,
    sort_key,
)
from models.province.progress import locked_organizations
from models.succession.renaming import changed_words
from models.succession.word_keeping import require_words_kept

_CODE = re.compile("[0-9A-Za-z]+")
_PROVINCE_CODE = re.compile("[0-9]{2}")
_TYPE_CODE = re.compile("[a-z_]+")


def organization_code(text: str) -> str:
    """The text itself, if it can be the code of an organization. Raises BadCell."""
    if not _CODE.fullmatch(text):
        raise BadCell(
            english("{text} is no organization's code", text=shown(text)), "write digits, for example 2110101"
        )
    return text


def province_code(text: str) -> str:
    """The text itself, if it can be the code of a province. Raises BadCell."""
    if not _PROVINCE_CODE.fullmatch(text):
        raise BadCell(
            english("{text} is no province's code", text=shown(text)), "write two digits, for example 11"
        )
    return text


def _type_code(text: str) -> str:
    if not _TYPE_CODE.fullmatch(text):
        raise BadCell(
            english("{text} is no type's code", text=shown(text)), "write it like subdistrict_municipality"
        )
    return text


LAYOUT = Layout(
    (
        Column("dla_code", "รหัส อปท.", 20, organization_code, is_code=True),
        Column("type_th", "ประเภท อปท.", 60, printed_name),
        Column("type_code", "รหัสประเภท", 40, _type_code),
        Column("name_th", "ชื่อ อปท.", 200, printed_name),
        Column("province_code", "รหัสจังหวัด", 2, province_code, is_code=True),
        Column("province_th", "จังหวัด", 100, printed_name),
        Column("province_en", "จังหวัด (อังกฤษ)", 100, printed_name),
        Column("district_th", "อำเภอ", 100, printed_name),
    ),
    kind="organizations",
)


@dataclass(frozen=True)
class Missing:
    """An organization that a file lacks, with its full name."""

    dla_code: str
    name: str


@dataclass(frozen=True)
class OrganizationsResult(ImportResult):
    """`missing`: the organizations that go on and that the file lacks; None where it need not have all of them."""

    missing: tuple[Missing, ...] | None = None


@dataclass
class _File:
    """What a file says: organizations and provinces by code, ready to be written, and each one's line."""

    organizations: dict[str, dict[str, str]]
    provinces: dict[str, dict[str, str]]
    lines: dict[str, int]
    code_column: str = ""
    province_column: str = ""
    notes: tuple[str, ...] = ()


async def _read(path: Path, problems: Problems, progress: Progress) -> _File:
    file = _File({}, {}, {})
    province_lines: dict[str, int] = {}
    with open_table(path, LAYOUT, problems) as table:
        file.code_column, *_, file.province_column, province_column, _english, _district = table.headers
        async for batch in read_rows(table, progress):
            for line, cells in batch:
                code, type_th, type_code, name, province_code, province_th, province_en, district = cells
                first = file.lines.setdefault(code, line)
                if first != line:
                    problems.add(
                        line,
                        file.code_column,
                        english("{code} is on line {first} already", code=shown(code), first=first),
                        "keep one of the two",
                    )
                province = {"code": province_code, "name_th": province_th, "name_en": province_en}
                known = file.provinces.setdefault(province_code, province)
                first = province_lines.setdefault(province_code, line)
                if known != province:
                    what = f"province {province_code} has other names here than on line {first}"
                    problems.add(line, province_column, what, "write the same Thai and English names everywhere")
                file.organizations[code] = {
                    "dla_code": code,
                    "type_th": type_th,
                    "type_code": type_code,
                    "name_th": name,
                    "district_th": district,
                    "province_code": province_code,
                    "sort_key": sort_key(type_th, name, district, code),
                }
        file.notes = tuple(table.notes())
    return file


async def _existing(session: AsyncSession, codes: Sequence[str]) -> dict[str, dict[str, Any]]:
    found: dict[str, dict[str, Any]] = {}
    for some in chunks(codes):
        rows = await session.execute(select(Organization.__table__).where(Organization.dla_code.in_(some)))
        found |= {row["dla_code"]: dict(row) for row in rows.mappings()}
    return found


async def _refuse_changes(
    session: AsyncSession, file: _File, existing: dict[str, dict[str, Any]], problems: Problems
) -> None:
    """Note each organization that would change its province while it is certified: its certificate names it. And
    each that would change anything after its end.
    """
    changed = {code for code, before in existing.items() if before != file.organizations[code]}
    for code, end in sorted((await ends_among(session, changed)).items()):
        mend = "leave the line out, or write it as it was"
        problems.add(file.lines[code], file.code_column, how_it_ended(end), mend)
    moved = {
        code
        for code, before in existing.items()
        if before["province_code"] != file.organizations[code]["province_code"]
    }
    if not moved:
        return
    for code in sorted(await locked_organizations(session, moved)):
        before = existing[code]
        name = full_name(before["type_code"], before["type_th"], before["name_th"])
        problems.add(
            file.lines[code],
            file.province_column,
            f"{code} {name} is certified in province {before['province_code']}",
            "leave its province as it is until the next round opens",
        )


async def _require_words_kept(session: AsyncSession, file: _File, existing: dict[str, dict[str, Any]]) -> None:
    """What is renamed or moved is called so in older certificates too. Raises WordsNotKept."""
    changed = [code for code, before in existing.items() if before != file.organizations[code]]
    provinces = await _existing_provinces(session)
    renamed = [code for code, province in file.provinces.items() if provinces.get(code, province) != province]
    await require_words_kept(session, changed, renamed)


async def _existing_provinces(session: AsyncSession) -> dict[str, dict[str, Any]]:
    rows = await session.execute(select(Province.__table__))
    return {row["code"]: dict(row) for row in rows.mappings()}


async def _write(
    session: AsyncSession, file: _File, existing: dict[str, dict[str, Any]], file_name: str, now: datetime
) -> None:
    provinces = await _existing_provinces(session)
    for code, province in file.provinces.items():
        if code not in provinces:
            await session.execute(insert(Province), [province])
        elif provinces[code] != province:
            await session.execute(update(Province).where(Province.code == code).values(**province))
    seals: dict[str, str] = {}
    new = [row for code, row in file.organizations.items() if code not in existing]
    for some in chunks(new):
        sealed = [sealed_values(session, Organization, row) for row in some]
        await session.execute(insert(Organization), sealed)
        seals |= {f"organization:{row['dla_code']}": row["seal"] for row in sealed}
    changed = [row for code, row in file.organizations.items() if code in existing and existing[code] != row]
    for some in chunks(changed):
        seals |= await update_sealed(session, Organization, some)
    await _record_descriptions(session, file, existing, provinces, seals, file_name, now)


async def _record_descriptions(
    session: AsyncSession,
    file: _File,
    existing: dict[str, dict[str, Any]],
    provinces: dict[str, dict[str, Any]],
    seals: dict[str, str],
    file_name: str,
    now: datetime,
) -> None:
    """An event for each organization and province that is described otherwise than before, and for each of which
    no event says how it is described: those are from before descriptions were recorded.
    """
    known = await described_chains(session)
    ended = await ends_among(session, existing)
    links = []
    for code, row in sorted(file.organizations.items()):
        before = existing.get(code)
        if (before == row and code in known) or code in ended:
            continue
        name = f"organization:{code}"
        carried = {"seals": {name: seals[name]}} if name in seals else {}
        words = changed_words(before, row) if before is not None else {}
        if words:
            renamed = {
                "before": words["before"],
                "after": words["after"],
                "description": description(row),
                "file": file_name,
                **carried,
            }
            links.append(event_chain.Link(event_chain.Event.RENAMED, code, renamed))
        else:
            added = {"description": description(row), "file": file_name, **carried}
            links.append(event_chain.Link(event_chain.Event.DESCRIBED, code, added))
    for code, row in sorted(file.provinces.items()):
        if provinces.get(code) != row or code not in known:
            details = {"description": description(row), "file": file_name}
            links.append(event_chain.Link(event_chain.Event.DESCRIBED, code, details))
    await event_chain.record_all(session, links, now)


async def count_undescribed(session: AsyncSession) -> int:
    """How many organizations and provinces there are of which no event says how they are described."""
    known = await described_chains(session)
    codes = [*await session.scalars(select(Organization.dla_code)), *await session.scalars(select(Province.code))]
    return sum(code not in known for code in codes)


async def _missing(session: AsyncSession, file: _File) -> tuple[Missing, ...]:
    """The organizations that go on and are not in the file, by code."""
    columns = Organization.dla_code, Organization.type_code, Organization.type_th, Organization.name_th
    rows = await session.execute(
        select(*columns).where(~has_ended(Organization.dla_code)).order_by(Organization.dla_code)
    )
    return tuple(
        Missing(code, full_name(type_code, type_th, name_th))
        for code, type_code, type_th, name_th in rows
        if code not in file.organizations
    )


async def import_organizations(
    database: Database,
    path: Path,
    now: datetime,
    *,
    dry_run: bool = False,
    complete: bool = False,
    progress: Progress = no_progress,
) -> OrganizationsResult:
    """Add or update the organizations of a CSV or XLSX file, all or none.

    `complete`: the file should have all organizations of the country; those that it lacks are in the result.
    Raises ImportRefused with every problem: of the file, an organization that would change its province while it
    is certified in the newest round, and one that has ended and would change. Raises WordsNotKept when names would
    change that older certificates do not keep yet.
    """
    problems = Problems()
    file = await _read(path, problems, progress)
    codes = sorted(file.organizations)
    async with database.read() as session:
        existing = await _existing(session, codes)
        await _refuse_changes(session, file, existing, problems)
        problems.require_none()
        await _require_words_kept(session, file, existing)
        missing = await _missing(session, file) if complete else None
    if not dry_run:
        async with database.write() as session:
            await lock_organizations(session, codes)
            # Once more: it may have been certified since.
            existing = await _existing(session, codes)
            await _refuse_changes(session, file, existing, problems)
            problems.require_none()
            await _require_words_kept(session, file, existing)
            progress("writing", 0, len(codes))
            await _write(session, file, existing, path.name, now)
            told = {"what": "organizations", "file": path.name, "rows": len(file.organizations)}
            # Those that ended before descriptions were recorded, and those that no file has named since.
            left = await count_undescribed(session)
            await event_chain.record(
                session, event_chain.Event.IMPORTED, event_chain.SYSTEM, now, **told, undescribed=left
            )
            # Names and totals.
            await card_marks.touch_all(session, now)
        progress("writing", len(codes), len(codes))
    unchanged = sum(existing.get(code) == row for code, row in file.organizations.items())
    updated = len(existing) - unchanged
    added = len(codes) - len(existing)
    return OrganizationsResult(
        path.name, dry_run, len(codes), added, updated, unchanged, notes=file.notes, missing=missing
    )


__all__ = ["LAYOUT", "ImportRefused", "import_organizations", "sort_key"]
