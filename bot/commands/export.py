"""`laocert export`: what was certified, as XLSX."""

import os
import tempfile
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import click
from openpyxl import Workbook
from openpyxl.cell import WriteOnlyCell
from openpyxl.cell.cell import ILLEGAL_CHARACTERS_RE
from openpyxl.styles import Font

from bot.commands.common import now, province_option, require_key, thai_time, with_database
from models import audit
from models.base import DomainError
from models.certification import Level
from models.database import Database
from models.export import ExportedCertification, exported_certifications
from models.progress import require_province
from models.thai import arabic_digits

LEVELS = {Level.LAO: "รับรองระดับ อปท.", Level.PROVINCE: "รับรองระดับจังหวัด"}

# Header, width in characters, and what stands in the column. Numbers stay numbers, all else is text.
COLUMNS: tuple[tuple[str, int, Callable[[ExportedCertification], str | int]], ...] = (
    ("ปีงบประมาณ", 12, lambda row: row.fiscal_year),
    ("รหัสจังหวัด", 11, lambda row: row.province.code),
    ("จังหวัด", 18, lambda row: row.province.name_th),
    ("รหัส อปท.", 12, lambda row: row.organization.dla_code),
    ("ชื่อ อปท.", 34, lambda row: row.organization.full_name),
    ("อำเภอ", 20, lambda row: row.organization.district_th),
    ("ระดับการรับรอง", 20, lambda row: LEVELS[row.certification.level]),
    ("ผู้รับรอง", 28, lambda row: row.certification.officer_name),
    ("ตำแหน่ง", 28, lambda row: row.certification.officer_position),
    ("วันเวลาที่รับรอง (พ.ศ.)", 20, lambda row: thai_time(row.certification.certified_at)),
    ("หลังกำหนด", 11, lambda row: "หลังกำหนด" if row.certification.is_late else ""),
    ("ข้าราชการ", 11, lambda row: row.certification.officials),
    ("ลูกจ้างประจำ", 12, lambda row: row.certification.permanent_employees),
    ("พนักงานจ้าง", 12, lambda row: row.certification.contract_employees),
    ("รวม", 8, lambda row: row.certification.headcount.total),
    ("ระเบียนที่มีเมนูว่าง", 18, lambda row: row.certification.with_empty_menus),
    ("ไฟล์ข้อมูล", 24, lambda row: row.certification.roster_file),
    ("ข้อมูล ณ วันที่", 18, lambda row: thai_time(row.certification.roster_imported_at)),
    ("รหัสตรวจสอบ", 14, lambda row: row.certification.code),
)


class ExportRefused(DomainError):
    """The file cannot be written; the message says why and how to mend it."""


@click.group(epilog="Example: laocert export certifications certifications.xlsx")
def export() -> None:
    """Write what was certified to a file."""


@export.command(epilog="Example: laocert export certifications certifications.xlsx --province 11")
@click.argument("file", type=click.Path(path_type=Path))
@province_option
def certifications(file: Path, province: str | None) -> None:
    """Who certified what and when, all rounds, newest first. A file that exists is not overwritten."""
    if file.suffix.lower() != ".xlsx":
        raise ExportRefused(f"{file.name} does not end with .xlsx; give it that name")
    if file.exists():
        raise ExportRefused(f"{file.name} exists; give another name or remove it first")

    require_key()

    async def write(database: Database) -> int:
        async with database.read() as session:
            code = None if province is None else (await require_province(session, arabic_digits(province))).code
            with _renamed_when_done(file) as unfinished:
                count = await _write_workbook(unfinished, exported_certifications(session, code))
        async with database.write() as session:
            told = {"file": file.name, "province": code, "certificates": count}
            await audit.record(session, audit.Event.EXPORTED, audit.SYSTEM, now(), **told)
        return count

    click.echo(f"{with_database(write)} certificates written to {file.name}")


@contextmanager
def _renamed_when_done(file: Path) -> Iterator[Path]:
    """A name beside the file to write under, so that no half a file is ever seen. Raises ExportRefused."""
    try:
        handle, name = tempfile.mkstemp(prefix=".", suffix=".xlsx", dir=file.parent)
        os.close(handle)
        try:
            yield Path(name)
            os.replace(name, file)
        finally:
            with suppress(FileNotFoundError):
                os.unlink(name)
    except OSError as error:
        mend = "check the directory, its space and your rights"
        raise ExportRefused(f"{file} cannot be written: {error.strerror}; {mend}") from None


async def _write_workbook(file: Path, rows: AsyncIterator[ExportedCertification]) -> int:
    """One line for each certificate below the headers; the number of certificates."""
    workbook = Workbook(write_only=True)
    sheet: Any = workbook.create_sheet("การรับรองข้อมูล")
    sheet.freeze_panes = "A2"
    for index, (_name, width, _value) in enumerate(COLUMNS):
        sheet.column_dimensions[chr(ord("A") + index)].width = width
    header = [_cell(sheet, name) for name, _width, _value in COLUMNS]
    for cell in header:
        cell.font = Font(bold=True)
    sheet.append(header)
    count = 0
    async for row in rows:
        sheet.append([_cell(sheet, value(row)) for _name, _width, value in COLUMNS])
        count += 1
    workbook.save(file)
    return count


def _cell(sheet: Any, value: str | int) -> Any:
    """A cell that is what it says: text never becomes a formula, codes keep their zeros."""
    if isinstance(value, int):
        return WriteOnlyCell(sheet, value)
    cell = WriteOnlyCell(sheet, ILLEGAL_CHARACTERS_RE.sub("", value))
    cell.data_type = "s"
    cell.number_format = "@"
    # Stays text also when somebody edits the cell.
    cell.quotePrefix = value.startswith(("=", "+", "-", "@"))
    return cell
