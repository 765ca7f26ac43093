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
from models.base import thai
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
from models.imports.tabular.cells import refuse_link
from models.notices import card_marks
from models.organizations.organization import Organization, Province, full_name
from models.province.progress import locked_organizations

_CODE = re.compile("[0-9A-Za-z]+")
_PROVINCE_CODE = re.compile("[0-9]{2}")
_TYPE_CODE = re.compile("[a-z_]+")


def _code(text: str) -> str:
    if not _CODE.fullmatch(text):
        raise BadCell(
            english("{text} is no organization's code", text=shown(text)), "write digits, for example 2110101"
        )
    return text


def _province_code(text: str) -> str:
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
        Column("dla_code", "รหัส อปท.", 20, _code, is_code=True),
        Column("type_th", "ประเภท อปท.", 60, refuse_link),
        Column("type_code", "รหัสประเภท", 40, _type_code),
        Column("name_th", "ชื่อ อปท.", 200, refuse_link),
        Column("province_code", "รหัสจังหวัด", 2, _province_code, is_code=True),
        Column("province_th", "จังหวัด", 100, refuse_link),
        Column("province_en", "จังหวัด (อังกฤษ)", 100, refuse_link),
        Column("district_th", "อำเภอ", 100, refuse_link),
    ),
    kind="organizations",
)


def sort_key(type_th: str, name_th: str, district_th: str, dla_code: str) -> str:
    """Thai dictionary order by name, then type and district; the code makes it total whatever the data."""
    return "\x01".join((thai.sort_key(name_th), thai.sort_key(type_th), thai.sort_key(district_th), dla_code))


@dataclass
class _File:
    """What a file says: organizations and provinces by code, ready to be written, and each one's line."""

    organizations: dict[str, dict[str, str]]
    provinces: dict[str, dict[str, str]]
    lines: dict[str, int]
    province_column: str = ""
    notes: tuple[str, ...] = ()


async def _read(path: Path, problems: Problems, progress: Progress) -> _File:
    file = _File({}, {}, {})
    province_lines: dict[str, int] = {}
    with open_table(path, LAYOUT, problems) as table:
        code_column, *_, file.province_column, province_column, _english, _district = table.headers
        async for batch in read_rows(table, progress):
            for line, cells in batch:
                code, type_th, type_code, name, province_code, province_th, province_en, district = cells
                first = file.lines.setdefault(code, line)
                if first != line:
                    problems.add(
                        line,
                        code_column,
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


async def _refuse_moves(
    session: AsyncSession, file: _File, existing: dict[str, dict[str, Any]], problems: Problems
) -> None:
    """Note each organization that would change its province while it is certified: its certificate names it."""
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


async def _write(session: AsyncSession, file: _File, existing: dict[str, dict[str, Any]]) -> None:
    provinces = {row["code"]: dict(row) for row in (await session.execute(_ALL_PROVINCES)).mappings()}
    for code, province in file.provinces.items():
        if code not in provinces:
            await session.execute(insert(Province), [province])
        elif provinces[code] != province:
            await session.execute(update(Province).where(Province.code == code).values(**province))
    new = [row for code, row in file.organizations.items() if code not in existing]
    for some in chunks(new):
        await session.execute(insert(Organization), some)
    changed = [row for code, row in file.organizations.items() if code in existing and existing[code] != row]
    for some in chunks(changed):
        await session.execute(update(Organization), some)


_ALL_PROVINCES = select(Province.__table__)


async def import_organizations(
    database: Database, path: Path, now: datetime, *, dry_run: bool = False, progress: Progress = no_progress
) -> ImportResult:
    """Add or update the organizations of a CSV or XLSX file, all or none.

    Raises ImportRefused with every problem: of the file, and an organization that would change its province while
    it is certified in the newest round.
    """
    problems = Problems()
    file = await _read(path, problems, progress)
    codes = sorted(file.organizations)
    async with database.read() as session:
        existing = await _existing(session, codes)
        await _refuse_moves(session, file, existing, problems)
    problems.require_none()
    if not dry_run:
        async with database.write() as session:
            await lock_organizations(session, codes)
            # Once more: it may have been certified since.
            existing = await _existing(session, codes)
            await _refuse_moves(session, file, existing, problems)
            problems.require_none()
            progress("writing", 0, len(codes))
            await _write(session, file, existing)
            told = {"what": "organizations", "file": path.name, "rows": len(file.organizations)}
            await event_chain.record(session, event_chain.Event.IMPORTED, event_chain.SYSTEM, now, **told)
            # Names and totals.
            await card_marks.touch_all(session, now)
        progress("writing", len(codes), len(codes))
    unchanged = sum(existing.get(code) == row for code, row in file.organizations.items())
    updated = len(existing) - unchanged
    return ImportResult(path.name, dry_run, len(codes), len(codes) - len(existing), updated, unchanged, file.notes)


__all__ = ["LAYOUT", "ImportRefused", "import_organizations", "sort_key"]
