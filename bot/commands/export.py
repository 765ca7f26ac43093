"""`laocert export`: certificates, lists and progress as files."""

import os
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import click
from telegram.error import TelegramError

from bot.commands.common import now, province_option, with_database
from bot.papers import certificate as certificate_page
from bot.papers import picture
from bot.papers import province_list as province_sheet
from bot.papers.spreadsheet import Column, Value, Workbook
from bot.papers.thai import NO_NAME, STATUSES, short_moment
from bot.runtime.settings import load_settings
from bot.service.opening import Use
from bot.telegram import api
from handlers.chat.commands import link_to
from handlers.province.export import CertificatePage
from models.audit import event_chain
from models.base.errors import DomainError
from models.base.thai import arabic_digits
from models.certification.words import Words
from models.database.engine import Database
from models.province.export import (
    ExportedCertification,
    certificate_of_code,
    exported_certifications,
    province_list,
)
from models.province.progress import require_province
from models.province.statistics import province_progress

file_argument = click.argument("file", type=click.Path(path_type=Path))
required_province_option = click.option(
    "--province", required=True, metavar="CODE", help="The province with this two-digit code."
)


def _word(get: Callable[[Words], str]) -> Callable[[ExportedCertification], Value]:
    """A column's value from the names on a certificate; empty for one without them."""
    return lambda row: None if row.certification.words is None else get(row.certification.words)


def _source_of_words(row: ExportedCertification) -> Value:
    """Where the certificate's names come from: issued with it, added later, or none."""
    certificate = row.certification
    if certificate.words is None:
        return NO_NAME
    return "หลักฐาน" if certificate.words_kept_at is None else f"เก็บเมื่อ {short_moment(certificate.words_kept_at)}"


COLUMNS: tuple[Column[ExportedCertification], ...] = (
    Column("ปีงบประมาณ", 12, lambda row: row.fiscal_year),
    Column("รหัสจังหวัด", 11, _word(lambda words: words.province_code)),
    Column("จังหวัด", 18, _word(lambda words: words.province_th)),
    Column("รหัส อปท.", 12, lambda row: row.certification.organization_code),
    Column("ชื่อ อปท.", 34, _word(lambda words: words.organization_name)),
    Column("อำเภอ", 20, _word(lambda words: words.district_th)),
    Column("ระดับการรับรอง", 20, lambda row: STATUSES[row.certification.status]),
    Column("ผู้รับรอง", 28, lambda row: row.certification.officer_name),
    Column("ตำแหน่ง", 28, lambda row: row.certification.officer_position),
    Column("วันเวลาที่รับรอง (พ.ศ.)", 20, lambda row: short_moment(row.certification.certified_at)),
    Column("หลังกำหนด", 11, lambda row: "หลังกำหนด" if row.certification.is_late else ""),
    Column("ข้าราชการ", 11, lambda row: row.certification.officials),
    Column("ลูกจ้างประจำ", 12, lambda row: row.certification.permanent_employees),
    Column("พนักงานจ้าง", 12, lambda row: row.certification.contract_employees),
    Column("รวม", 8, lambda row: row.certification.headcount.total),
    Column("ระเบียนที่ยังบันทึกเมนูไม่ครบ", 18, lambda row: row.certification.with_empty_menus),
    Column("ไฟล์ข้อมูล", 24, lambda row: row.certification.roster_file),
    Column("ข้อมูล ณ วันที่", 18, lambda row: short_moment(row.certification.roster_imported_at)),
    Column("รหัสตรวจสอบ", 14, lambda row: row.certification.code),
    # At the end: whoever reads the table by column numbers is not disturbed by columns added later.
    Column("ที่มาของชื่อ", 24, _source_of_words),
)


class ExportRefused(DomainError):
    """The file cannot be written; the message says why and how to fix it."""


@click.group(epilog="Example: laocert export certifications certifications.xlsx")
def export() -> None:
    """Write what was certified to a file."""


@export.command(epilog="Example: laocert export certifications certifications.xlsx --province 11")
@file_argument
@province_option
def certifications(file: Path, province: str | None) -> None:
    """Who certified what and when, all rounds, newest first. A file that exists is not overwritten."""
    _require_new(file, ".xlsx")

    async def write(database: Database) -> int:
        async with database.read() as session:
            code = None if province is None else (await require_province(session, arabic_digits(province))).code
            with (
                _renamed_when_done(file) as unfinished,
                Workbook(unfinished, "การรับรองข้อมูล", COLUMNS) as workbook,
            ):
                async for row in exported_certifications(session, code):
                    workbook.append(row)
        await _record(database, event_chain.SYSTEM, file=file.name, province=code, certificates=workbook.rows)
        return workbook.rows

    click.echo(f"{with_database(write, Use.RECORDS)} certificates written to {file.name}")


@export.command(epilog="Example: laocert export organizations korat.xlsx --province 30")
@file_argument
@required_province_option
def organizations(file: Path, province: str) -> None:
    """A province's organizations with status, numbers and certificates. A file that exists is not overwritten."""
    _require_new(file, ".xlsx")

    async def write(database: Database) -> int:
        async with database.read() as session:
            organization_list = await province_list(session, arabic_digits(province), now())
        with _renamed_when_done(file) as unfinished:
            province_sheet.write(organization_list, unfinished)
        details = {"what": "organizations", "file": file.name, "organizations": len(organization_list.rows)}
        await _record(database, organization_list.province_code, **details)
        return len(organization_list.rows)

    click.echo(f"{with_database(write, Use.RECORDS)} organizations written to {file.name}")


@export.command(epilog="Example: laocert export certificate ABCDE-FGHJK certificate.pdf")
@click.argument("code")
@file_argument
def certificate(code: str, file: Path) -> None:
    """One certificate as a page of A4, by its verification code. A file that exists is not overwritten.

    Its QR code opens the certificate in the chat; without LAOCERT_BOT_TOKEN, or when the Bot API does not answer,
    it holds the verification code alone.
    """
    _require_new(file, ".pdf")

    async def write(database: Database) -> str:
        async with database.read() as session:
            issued = await certificate_of_code(session, code, now())
        link = link_to(await _bot_username(), issued.certificate.code)
        with _renamed_when_done(file) as unfinished:
            unfinished.write_bytes(certificate_page.pdf(CertificatePage(issued, link)))
        details = {"what": "certificate", "file": file.name, "certificate": issued.certificate.code}
        await _record(database, issued.certificate.organization_code, **details)
        return link

    link = with_database(write, Use.RECORDS)
    click.echo(f"certificate {code} written to {file.name}")
    click.echo(f"its QR code opens {link}" if link else "its QR code holds the verification code alone")


@export.command(epilog="Example: laocert export progress korat.png --province 30")
@file_argument
@required_province_option
def progress(file: Path, province: str) -> None:
    """A province's progress as a picture, by type and by day. A file that exists is not overwritten."""
    _require_new(file, ".png")

    async def write(database: Database) -> None:
        async with database.read() as session:
            province_counts = await province_progress(session, arabic_digits(province), now())
        with _renamed_when_done(file) as unfinished:
            unfinished.write_bytes(picture.png(province_counts))
        await _record(database, province_counts.province_code, what="progress", file=file.name)

    with_database(write, Use.RECORDS)
    click.echo(f"the progress of province {arabic_digits(province)} drawn in {file.name}")


def _require_new(file: Path, suffix: str) -> None:
    """Raises ExportRefused for a file name with another suffix, or a file that exists."""
    if file.suffix.lower() != suffix:
        raise ExportRefused(f"{file.name} does not end with {suffix}; give it that name")
    if file.exists():
        raise ExportRefused(f"{file.name} exists; give another name or remove it first")


async def _record(database: Database, chain: str, **details: object) -> None:
    async with database.write() as session:
        await event_chain.record(session, event_chain.Event.EXPORTED, chain, now(), **details)


async def _bot_username() -> str:
    """The bot's username; empty without a token, or when the Bot API does not answer."""
    settings = load_settings()
    if settings.bot_token is None:
        return ""
    try:
        return await api.username(settings.bot_token.get_secret_value(), settings.api_url)
    except TelegramError:
        return ""


@contextmanager
def _renamed_when_done(file: Path) -> Iterator[Path]:
    """A temporary file beside `file` to write to, renamed to it after the block: an incomplete file never has that
    name. Raises ExportRefused when it cannot be written.
    """
    try:
        handle, name = tempfile.mkstemp(prefix=".", suffix=file.suffix, dir=file.parent)
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
