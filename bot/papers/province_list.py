"""The XLSX list of a province's organizations and their certificates."""

import io
from collections.abc import Callable
from pathlib import Path
from typing import IO

from bot.papers.spreadsheet import Column, Value, Workbook
from bot.papers.thai import NO_NAME, STATUSES, short_moment
from models.certification.certificate import written_code
from models.province.export import ExportedOrganization, ProvinceList, Signed
from models.register.roster import Headcount


def _people(count: Callable[[Headcount], int]) -> Callable[[ExportedOrganization], Value]:
    """A column's value: a number of the row's headcount, empty without one."""
    return lambda row: None if row.headcount is None else count(row.headcount)


def _signed_columns(
    level: str, signed_of: Callable[[ExportedOrganization], Signed | None]
) -> tuple[Column[ExportedOrganization], ...]:
    """The columns of one level's certificate: signer, position, time, lateness and verification code."""

    def column(name: str, width: int, value: Callable[[Signed], Value]) -> Column[ExportedOrganization]:
        def value_or_none(row: ExportedOrganization) -> Value:
            signed = signed_of(row)
            return None if signed is None else value(signed)

        return Column(f"{name} {level}", width + len(level), value_or_none)

    return (
        column("ผู้รับรอง", 28, lambda signed: signed.officer_name),
        column("ตำแหน่ง", 28, lambda signed: signed.officer_position),
        column("วันเวลาที่รับรอง (พ.ศ.)", 20, lambda signed: short_moment(signed.certified_at)),
        column("หลังกำหนด", 13, lambda signed: "หลังกำหนด" if signed.is_late else ""),
        column("รหัสตรวจสอบ", 14, lambda signed: written_code(signed.code)),
    )


def _imported_at(row: ExportedOrganization) -> Value:
    return None if row.roster_imported_at is None else short_moment(row.roster_imported_at)


def _certified_name(signed: Signed | None) -> Value:
    """The organization's name on the certificate, which may differ from its present name; with the time at which
    an older certificate was given it.
    """
    if signed is None:
        return None
    if signed.organization_name is None:
        return NO_NAME
    if signed.words_kept_at is None:
        return signed.organization_name
    return f"{signed.organization_name} (ณ {short_moment(signed.words_kept_at)})"


COLUMNS: tuple[Column[ExportedOrganization], ...] = (
    Column("รหัส อปท.", 12, lambda row: row.dla_code),
    Column("ประเภท", 14, lambda row: row.type_th),
    Column("ชื่อ อปท.", 34, lambda row: row.full_name),
    Column("อำเภอ", 20, lambda row: row.district_th),
    Column("สถานะการรับรองข้อมูล", 22, lambda row: STATUSES[row.status]),
    Column("ครั้งที่", 8, lambda row: row.revision),
    Column("ข้าราชการ", 12, _people(lambda headcount: headcount.officials)),
    Column("ลูกจ้างประจำ", 13, _people(lambda headcount: headcount.permanent_employees)),
    Column("พนักงานจ้าง", 13, _people(lambda headcount: headcount.contract_employees)),
    Column("รวม", 9, _people(lambda headcount: headcount.total)),
    Column("ระเบียนที่ยังบันทึกเมนูไม่ครบ", 18, lambda row: row.with_empty_menus),
    Column("ข้อมูล ณ วันที่", 18, _imported_at),
    Column("ไฟล์ข้อมูล", 24, lambda row: row.roster_file),
    *_signed_columns("(อปท.)", lambda row: row.lao),
    *_signed_columns("(จังหวัด)", lambda row: row.province),
    # At the end: whoever reads the list by column numbers is not disturbed by columns added later.
    Column("รอผู้ดูแลระบบ", 14, lambda row: "⛔ รอผู้ดูแลระบบ" if row.is_blocked else ""),
    Column("ชื่อในหลักฐาน (อปท.)", 34, lambda row: _certified_name(row.lao)),
    Column("ชื่อในหลักฐาน (จังหวัด)", 34, lambda row: _certified_name(row.province)),
)


def write(province_list: ProvinceList, file: str | Path | IO[bytes]) -> None:
    """Write the list as XLSX to a file."""
    title = f"{province_list.province_th} {province_list.fiscal_year or ''}".strip()
    with Workbook(file, title, COLUMNS) as workbook:
        for row in province_list.rows:
            workbook.append(row)


def xlsx(province_list: ProvinceList) -> bytes:
    """The XLSX file's bytes. Takes some 80 ms of processor time: call it off the event loop."""
    file = io.BytesIO()
    write(province_list, file)
    return file.getvalue()
