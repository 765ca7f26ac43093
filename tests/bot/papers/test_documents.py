"""The picture, the list and the certificate: their contents, and the commands that write them."""

import asyncio
import io
import json
import struct
import zlib
from collections.abc import Awaitable, Callable
from dataclasses import asdict, replace
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from openpyxl import load_workbook
from sqlalchemy import select

from bot.cli import cli
from bot.papers import certificate, picture, province_list, typesetting
from bot.papers.spreadsheet import Column, Workbook
from demo.botapi import Emulator
from handlers.province.export import CertificatePage
from models.audit.event_chain import AuditEvent, Event
from models.certification.certificate import Certification, Level, Reopening
from models.certification.certify import reopen
from models.certification.words import CertificateWords, Words
from models.database.engine import Database
from models.province.export import ExportedOrganization, IssuedCertificate, ProvinceList, Signed
from models.province.statistics import DayCounts, ProvinceProgress, StatusCounts
from models.register.roster import Headcount
from models.rounds.round import Round
from tests.conftest import NOW
from tests.papers import Paper
from tests.support import ORGANIZATIONS, SECRET_KEY, certify_as

FIRST = ORGANIZATIONS[0][0]
WORDS = Words("เทศบาลตำบลบางปู", "เทศบาลตำบล", "เมืองสมุทรปราการ", "11", "สมุทรปราการ", "Samut Prakan")
LINK = "https://t.me/laocert_bot?start=vABCDEFGHJK"


# --- the certificate ----------------------------------------------------------------------------------------


def issued(level: Level = Level.LAO, **values: Any) -> IssuedCertificate:
    facts: dict[str, Any] = {
        "organization_code": FIRST,
        "revision": 1,
        "level": level,
        "officials": 1212,
        "permanent_employees": 3,
        "contract_employees": 5,
        "with_empty_menus": 7,
        "roster_file": "ทะเบียน.csv",
        "roster_imported_at": NOW - timedelta(days=1),
        "officer_name": "นางสาวทดสอบ ลงนาม",
        "officer_position": "ปลัดเทศบาล",
        "statement": f"{level}/1/th",
        "code": "ABCDEFGHJK",
        "is_late": False,
        "certified_at": NOW,
    }
    certification = Certification(**(facts | asdict(WORDS) | values))
    certification.round = Round(fiscal_year=2570)
    return IssuedCertificate(certification, None, NOW + timedelta(days=14))


def older_words(name: str = WORDS.organization_name) -> dict[str, Any]:
    """Values of an older certificate, to which words were added later."""
    added_words = CertificateWords(
        **asdict(replace(WORDS, organization_name=name)), kept_at=NOW + timedelta(days=7)
    )
    return dict.fromkeys(asdict(WORDS)) | {"kept_words": added_words}


def ended(reason: str) -> Reopening:
    return Reopening(revision=1, by_name="ผู้ดูแลระบบ", reason=reason, reopened_at=NOW + timedelta(days=2))


def test_a_certificate_says_all_that_was_certified() -> None:
    paper = Paper(certificate.pdf(CertificatePage(issued(), LINK)))
    assert paper.pages == 1
    assert [round(side) for side in paper.size] == [595, 842]
    assert paper.codes == [LINK]
    assert paper.says(
        *("หลักฐานการรับรองข้อมูล", "รับรองระดับ อปท.", "มีผลอยู่ ณ วันที่ออกเอกสาร", "ABCDE-FGHJK"),
        *("เทศบาลตำบลบางปู", "อำเภอเมืองสมุทรปราการ จังหวัดสมุทรปราการ", FIRST, "2570", "การรับรองครั้งที่ 1"),
        *("ข้าราชการ 1,212 คน", "ลูกจ้างประจำ 3 คน", "พนักงานจ้าง 5 คน", "รวม 1,220 คน"),
        *("บันทึกเมนูไม่ครบ 7 ราย", "ข้อมูล ณ วันที่ 1 พ.ย. 2569 09.30 น."),
        *("นางสาวทดสอบ ลงนาม", "ปลัดเทศบาล", "2 พ.ย. 2569 09.30 น."),
        "หากรับรองข้อมูลแล้ว อปท. จะไม่สามารถแก้ไขหรือบันทึกข้อมูลใดๆ เพิ่มเติมได้อีก",
        *("@laocert_bot", "เมื่อ 16 พ.ย. 2569 09.30 น."),
    )
    assert not paper.says("หลังกำหนด")
    assert not paper.says("ไม่มีผลแล้ว")
    # A file's name may have letters that the font lacks.
    assert not paper.says("ทะเบียน.csv")


def test_an_older_certificate_says_as_of_when_its_words_are() -> None:
    note = "ชื่อและที่ตั้ง ณ 9 พ.ย. 2569 09.30 น. เพราะหลักฐานนี้ออกก่อนที่ระบบจะเก็บไว้ในหลักฐาน"
    with_added_words = Paper(certificate.pdf(CertificatePage(issued(**older_words()), LINK)))
    assert with_added_words.says("เทศบาลตำบลบางปู", "อำเภอเมืองสมุทรปราการ จังหวัดสมุทรปราการ", note)
    assert not Paper(certificate.pdf(CertificatePage(issued(), LINK))).says("ชื่อและที่ตั้ง ณ")
    none = Paper(certificate.pdf(CertificatePage(issued(**older_words() | {"kept_words": None}), LINK)))
    assert none.says(FIRST, "ยังไม่ได้เก็บชื่อของหน่วยงาน โปรดแจ้งผู้ดูแลระบบ")
    assert not none.says("บางปู")


def test_a_province_certificate_that_is_late_and_has_ended() -> None:
    page = CertificatePage(
        replace(issued(Level.PROVINCE, is_late=True, revision=2), ended=ended("นับซ้ำหนึ่งราย")), ""
    )
    paper = Paper(certificate.pdf(page))
    assert paper.codes == ["ABCDEFGHJK"]
    assert paper.says("รับรองระดับจังหวัด", "การรับรองครั้งที่ 2", "หลังกำหนด", "ไม่มีผลแล้ว")
    assert paper.says("เปิดให้แก้ไขเมื่อ 4 พ.ย. 2569", "โดย ผู้ดูแลระบบ", "เหตุผล นับซ้ำหนึ่งราย")
    assert not paper.says("มีผลอยู่ ณ วันที่ออกเอกสาร")


def checked(count: int) -> str:
    """A spot-check as a certificate stores it (models/certification/spot_check.py)."""
    moment = NOW.isoformat()
    records = [
        {"record_no": f"{number:04}", "mark": "correct", "marked_at": moment} for number in range(1, count + 1)
    ]
    return json.dumps({"seed": "0f" * 32, "size": count, "handed_in_at": moment, "records": records})


def test_a_province_certificate_shows_what_was_drawn() -> None:
    paper = Paper(certificate.pdf(CertificatePage(issued(Level.PROVINCE, spot_check=checked(3)), LINK)))
    assert paper.pages == 1
    assert paper.says("สุ่มตรวจสอบโดยจังหวัด", "ถูกต้องทั้งหมด 3 ราย", "0001, 0002, 0003", "0f" * 32)
    assert not Paper(certificate.pdf(CertificatePage(issued(), LINK))).says("สุ่มตรวจสอบโดยจังหวัด")


def test_after_a_reopening_more_is_drawn_than_the_size_of_the_sample() -> None:
    stored_check = json.loads(checked(7)) | {
        "rule": 2,
        "size": 3,
        "since": [1],
        "incorrect": [],
        "gone": [],
        "changed": [],
    }
    paper = Paper(
        certificate.pdf(CertificatePage(issued(Level.PROVINCE, spot_check=json.dumps(stored_check)), LINK))
    )
    assert paper.says("ถูกต้องทั้งหมด 7 ราย", "0006, 0007")


STRANGE = "#panic() #[*ก*] $x$ `ข` <b> @ค \\u{0e07} // /* \" ' {จ} ]"


def test_a_name_is_never_markup() -> None:
    paper = Paper(certificate.pdf(CertificatePage(issued(officer_name=STRANGE, officer_position="= หัวข้อ"), LINK)))
    assert paper.says(STRANGE, "= หัวข้อ")


@pytest.mark.parametrize(
    "name", ["น้ำปิ๋วกุ้งปู่ฟั่นชื่อผู้ยิ่งใหญ่ " * 4, "น้ำปิ๋วกุ้งปู่ฟั่นชื่อผู้ยิ่งใหญ่" * 4, "M" * 120], ids=["Thai", "unbroken", "wide"]
)
def test_the_longest_names_fit_on_the_page(name: str) -> None:
    name = name[:120].strip()
    longest = issued(
        Level.PROVINCE,
        officer_name=name,
        officer_position=name,
        is_late=True,
        spot_check=checked(20),
        **older_words("เทศบาลตำบลทุ่งกุลาผู้กล้าหนองน้ำปู่ย่าที่ยิ่งใหญ่"),
    )
    paper = Paper(certificate.pdf(CertificatePage(replace(longest, ended=ended("เหตุผลที่ยาว " * 100)), LINK)))
    assert (paper.pages, paper.codes) == (1, [LINK])
    assert paper.is_clean_at_the_edges
    assert paper.says(name, "การตรวจสอบ", "…")


# --- the picture --------------------------------------------------------------------------------------------


def progress(**values: Any) -> ProvinceProgress:
    types = (
        StatusCounts("อบจ.", 0, 1, 0),
        StatusCounts("เทศบาลตำบล", 20, 25, 40),
        StatusCounts("อบต.", 102, 50, 91),
    )
    first = date(2026, 10, 1)
    days = tuple(DayCounts(first + timedelta(days=day), day * 6, day * 4) for day in range(33))
    default = ProvinceProgress("30", "นครราชสีมา", "Nakhon Ratchasima", 2570, date(2026, 12, 1), NOW, types, days)
    return replace(default, **values)


def pixels(png: bytes) -> list[list[tuple[int, ...]]]:
    """The rows of a PNG of four bytes a pixel (PNG specification, 9.2 "Filter types")."""
    assert png[:8] == b"\x89PNG\r\n\x1a\n"
    width, height, depth, kind = struct.unpack(">IIBB", png[16:26])
    assert (depth, kind) == (8, 6)
    at, packed = 8, b""
    while at < len(png):
        size, name = struct.unpack(">I4s", png[at : at + 8])
        packed += png[at + 8 : at + 8 + size] if name == b"IDAT" else b""
        at += size + 12
    raw, above, rows = zlib.decompress(packed), bytes(width * 4), []
    for number in range(height):
        start = number * (width * 4 + 1)
        line = bytearray(raw[start + 1 : start + 1 + width * 4])
        for place in range(width * 4):
            left, corner = (line[place - 4], above[place - 4]) if place >= 4 else (0, 0)
            line[place] = (line[place] + _predicted(raw[start], left, above[place], corner)) % 256
        above = bytes(line)
        rows.append([tuple(line[place : place + 4]) for place in range(0, width * 4, 4)])
    return rows


def _predicted(kind: int, left: int, up: int, corner: int) -> int:
    if kind == 4:
        return min((left, up, corner), key=lambda value: abs(left + up - corner - value))
    return (0, left, up, (left + up) // 2)[kind]


def test_the_picture_fits_a_phone_and_is_opaque() -> None:
    png = picture.png(progress())
    width, height = struct.unpack(">II", png[16:24])
    assert width == 1080
    assert 900 < height < 1600
    # A fifth of the size, to read each pixel.
    rows = pixels(typesetting.png("progress.typ", picture.facts(progress()), picture.PPI / 5))
    seen = {pixel for row in rows for pixel in row}
    assert {pixel[3] for pixel in seen} == {255}
    assert {rows[0][0], rows[0][-1], rows[-1][0], rows[-1][-1]} == {(255, 255, 255, 255)}
    # Blue and orange of Okabe and Ito.
    assert {(0, 114, 178, 255), (230, 159, 0, 255)} <= seen


def test_what_the_picture_draws() -> None:
    facts: Any = picture.facts(progress())
    assert (facts["province"], facts["as_of"]) == ("นครราชสีมา", "2 พ.ย. 2569 09.30 น.")
    assert facts["total"]["counts"] == [122, 76, 131]
    assert [type_counts["name"] for type_counts in facts["types"]] == ["อบจ.", "เทศบาลตำบล", "อบต."]
    chart = facts["chart"]
    assert (chart["days"], chart["today"], chart["top"]) == (61, 32, 329)
    assert chart["deadline"] == {"at": 61, "label": "กำหนด 1 ธ.ค. 2569"}
    assert (chart["lao"][-1], chart["province"][-1]) == ([32, 192], [32, 128])
    assert chart["labels"] == [
        {"at": 0, "text": "1 ต.ค. 2569"},
        {"at": 20, "text": "21 ต.ค. 2569"},
        {"at": 41, "text": "11 พ.ย. 2569"},
        {"at": 61, "text": "1 ธ.ค. 2569"},
    ]


@pytest.mark.parametrize(
    ("total", "expected_levels"), [(0, []), (1, [0]), (4, [0, 1, 2, 3]), (9, [0, 2, 4, 6]), (334, [0, 100, 200])]
)
def test_levels_are_round_and_few(total: int, expected_levels: list[int]) -> None:
    assert picture.levels(total) == expected_levels


@pytest.mark.parametrize(
    "values",
    [
        {"days": (DayCounts(date(2026, 11, 2), 0, 0),), "closes_on": None},
        {"days": (DayCounts(date(2026, 11, 2), 329, 329),)},
        {"closes_on": date(2026, 10, 1)},
        {"types": (StatusCounts("อบต.", 1, 0, 0),)},
        {"types": (), "days": (DayCounts(date(2026, 11, 2), 0, 0),)},
        {"types": tuple(StatusCounts(f"ประเภทที่มีชื่อยาว {number}", 1000, 1000, 1000) for number in range(6))},
    ],
    ids=["first day", "all at once", "deadline passed", "one", "none", "thousands"],
)
def test_pictures_of_all_kinds_of_provinces(values: dict[str, Any]) -> None:
    assert struct.unpack(">I", picture.png(progress(**values))[16:20]) == (1080,)


# --- the list -----------------------------------------------------------------------------------------------


def opened(content: bytes) -> tuple[Any, list[dict[str, Any]]]:
    sheet: Any = load_workbook(io.BytesIO(content)).active
    header, *rows = [[cell.value for cell in row] for row in sheet.iter_rows()]
    return sheet, [dict(zip(header, row, strict=True)) for row in rows]


def test_the_list_as_a_spreadsheet() -> None:
    signed = Signed("=cmd()", "ปลัด", NOW, True, "0123456789", "อบต.ข", None)
    older = replace(signed, words_kept_at=NOW)
    nameless = replace(signed, organization_name=None)
    rows = (
        ExportedOrganization("0110301", "อบต.", "อบต.ก", "บางพลี"),
        ExportedOrganization(
            "5110201", "เทศบาลตำบล", "เทศบาลตำบลข", "เมือง", 2, Headcount(12, 0, 5), 3, "ก.csv", NOW, signed, older
        ),
        ExportedOrganization("6110302", "อบต.", "อบต.ค", "เมือง", 1, lao=nameless, is_blocked=True),
    )
    sheet, sheet_rows = opened(
        province_list.xlsx(ProvinceList("11", "สมุทรปราการ", "Samut Prakan", 2570, NOW, rows))
    )
    assert sheet.title == "สมุทรปราการ 2570"
    assert (sheet.freeze_panes, sheet.auto_filter.ref) == ("A2", "A1:Z4")
    assert sheet_rows[0]["รหัส อปท."] == "0110301"
    assert sheet_rows[0]["สถานะการรับรองข้อมูล"] == "ยังไม่รับรอง"
    assert {name for name, value in sheet_rows[0].items() if value} == {
        *("รหัส อปท.", "ประเภท", "ชื่อ อปท.", "อำเภอ", "สถานะการรับรองข้อมูล"),
    }
    second = sheet_rows[1]
    assert second["สถานะการรับรองข้อมูล"] == "รับรองระดับจังหวัด"
    assert [
        second[name] for name in ("ครั้งที่", "ข้าราชการ", "ลูกจ้างประจำ", "พนักงานจ้าง", "รวม", "ระเบียนที่ยังบันทึกเมนูไม่ครบ")
    ] == [
        *(2, 12, 0, 5, 17, 3),
    ]
    for level in ("(อปท.)", "(จังหวัด)"):
        assert second[f"ผู้รับรอง {level}"] == "=cmd()"
        assert second[f"วันเวลาที่รับรอง (พ.ศ.) {level}"] == "2 พ.ย. 2569 09.30 น."
        assert second[f"หลังกำหนด {level}"] == "หลังกำหนด"
        # As it stands everywhere else.
        assert second[f"รหัสตรวจสอบ {level}"] == "01234-56789"
    assert [row["รอผู้ดูแลระบบ"] for row in sheet_rows] == [None, None, "⛔ รอผู้ดูแลระบบ"]
    assert second["ชื่อ อปท."] == "เทศบาลตำบลข"
    assert [row["ชื่อในหลักฐาน (อปท.)"] for row in sheet_rows] == [None, "อบต.ข", "ยังไม่ได้เก็บชื่อ"]
    assert second["ชื่อในหลักฐาน (จังหวัด)"] == "อบต.ข (ณ 2 พ.ย. 2569 09.30 น.)"
    kinds = {cell.data_type for row in sheet.iter_rows() for cell in row if cell.value is not None}
    assert kinds == {"n", "s"}


def test_text_stays_text_and_rows_have_no_end() -> None:
    columns = [Column[str](f"ช่อง {number}", 10, lambda row: row) for number in range(30)]
    file = io.BytesIO()
    with Workbook(file, "ก/ข:[ค]*?'" + "ง" * 40, columns) as workbook:
        for text in ("-1", "+1", "@a", "=1+1", "0012", "<b>&amp;</b>", " ก\nข ", "ค\x00\x0b\ud800ง", "ป้ำปี่"):
            workbook.append(text)
    sheet, rows = opened(file.getvalue())
    values = [row["ช่อง 0"] for row in rows]
    assert values == ["-1", "+1", "@a", "=1+1", "0012", "<b>&amp;</b>", " ก\nข ", "คง", "ป้ำปี่"]
    assert [sheet.cell(row, 1).quotePrefix for row in range(2, 11)] == [True] * 4 + [False] * 5
    assert {sheet.cell(row, 30).number_format for row in range(2, 11)} == {"@"}
    assert sheet.auto_filter.ref == "A1:AD10"
    assert len(sheet.title) == 31
    assert workbook.rows == 9


# --- the commands -------------------------------------------------------------------------------------------

Run = Callable[..., Awaitable[Result]]


@pytest.fixture
async def settled(country: Database) -> Database:
    """An organization that is certified on both levels."""
    await certify_as(country, f"lao{FIRST}", 501, FIRST, Level.LAO, NOW)
    await certify_as(country, "province11", 502, FIRST, Level.PROVINCE, NOW)
    return country


@pytest.fixture
def laocert(
    settled: Database, database_url: str, emulator: Emulator, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> Run:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("LAOCERT_DATABASE_URL", database_url)
    monkeypatch.setenv("LAOCERT_SECRET_KEY", SECRET_KEY)
    monkeypatch.setenv("LAOCERT_API_URL", emulator.url)
    monkeypatch.setattr("bot.commands.export.now", lambda: NOW)

    async def run(*arguments: str, code: int = 0) -> Result:
        result = await asyncio.to_thread(CliRunner().invoke, cli, ["export", *arguments], prog_name="laocert")
        assert result.exit_code == code, result.output
        if code == 1:
            assert len(result.stderr.splitlines()) == 1
        return result

    return run


async def exported(database: Database) -> list[tuple[str, str]]:
    async with database.read() as session:
        rows = await session.execute(
            select(AuditEvent.chain, AuditEvent.details).where(AuditEvent.kind == Event.EXPORTED)
        )
        return [(row.chain, row.details) for row in rows]


async def code_of(database: Database, level: Level) -> str:
    async with database.read() as session:
        code = await session.scalar(select(Certification.code).where(Certification.level == level))
        assert code is not None
        return code


async def test_export_organizations(laocert: Run, settled: Database, tmp_path: Path) -> None:
    done = await laocert("organizations", "list.xlsx", "--province", "๑๑")
    assert done.stdout == "4 organizations written to list.xlsx\n"
    _, rows = opened((tmp_path / "list.xlsx").read_bytes())
    assert {row["สถานะการรับรองข้อมูล"] for row in rows} == {"ยังไม่รับรอง", "รับรองระดับจังหวัด"}
    assert "อบต.ไทรม้า" not in {row["ชื่อ อปท."] for row in rows}
    ((chain, details),) = await exported(settled)
    assert chain == "11"
    assert '"organizations":4' in details


async def test_export_certificate(
    laocert: Run, settled: Database, tmp_path: Path, emulator: Emulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    code = await code_of(settled, Level.PROVINCE)
    done = await laocert("certificate", f"{code[:5]}-{code[5:]}".lower(), "a.pdf")
    assert done.stdout.splitlines()[1] == "its QR code holds the verification code alone"
    assert Paper((tmp_path / "a.pdf").read_bytes()).codes == [code]
    monkeypatch.setenv("LAOCERT_BOT_TOKEN", emulator.token)
    link = f"https://t.me/laocert_bot?start=v{code}"
    assert (await laocert("certificate", code, "b.pdf")).stdout.splitlines()[1] == f"its QR code opens {link}"
    paper = Paper((tmp_path / "b.pdf").read_bytes())
    assert (paper.codes, paper.pages) == ([link], 1)
    assert paper.says("รับรองระดับจังหวัด", "เทศบาลตำบลบางปู")
    monkeypatch.setenv("LAOCERT_API_URL", "http://127.0.0.1:1")
    await laocert("certificate", code, "c.pdf")
    assert Paper((tmp_path / "c.pdf").read_bytes()).codes == [code]
    assert [chain for chain, _ in await exported(settled)] == [FIRST] * 3


async def test_export_a_certificate_that_has_ended(laocert: Run, settled: Database, tmp_path: Path) -> None:
    async with settled.write() as session:
        await reopen(session, FIRST, "ผู้ดูแลระบบ", "นับซ้ำหนึ่งราย", NOW)
    await laocert("certificate", await code_of(settled, Level.LAO), "a.pdf")
    assert Paper((tmp_path / "a.pdf").read_bytes()).says("ไม่มีผลแล้ว", "เหตุผล นับซ้ำหนึ่งราย")


async def test_export_progress(laocert: Run, settled: Database, tmp_path: Path) -> None:
    done = await laocert("progress", "korat.png", "--province", "11")
    assert done.stdout == "the progress of province 11 drawn in korat.png\n"
    assert (tmp_path / "korat.png").read_bytes().startswith(b"\x89PNG")
    assert len(await exported(settled)) == 1


def files(folder: Path) -> list[str]:
    """The files beside the database."""
    return sorted(path.name for path in folder.iterdir() if not path.name.startswith("laocert.db"))


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
@pytest.mark.parametrize(
    ("arguments", "code", "sentence"),
    [
        (["organizations", "a.csv", "--province", "11"], 1, "a.csv does not end with .xlsx; give it that name"),
        (["organizations", "a.xlsx", "--province", "99"], 1, "there is no province 99"),
        (["organizations", "a.xlsx"], 2, "Missing option '--province'"),
        (["organizations", "here.xlsx", "--province", "11"], 1, "here.xlsx exists; give another name"),
        (["organizations", "no/a.xlsx", "--province", "11"], 1, "no/a.xlsx cannot be written: No such file"),
        (["certificate", "AAAAA-AAAAA", "a.pdf"], 1, "no certificate has the code AAAAA-AAAAA"),
        (["certificate", "AAAAA-AAAAA", "a.txt"], 1, "a.txt does not end with .pdf"),
        (["certificate", "AAAAA-AAAAA"], 2, "Missing argument 'FILE'"),
        (["progress", "a.jpg", "--province", "11"], 1, "a.jpg does not end with .png"),
        (["progress", "a.png", "--province", "99"], 1, "there is no province 99"),
        (["progress", "here.png", "--province", "11"], 1, "here.png exists; give another name"),
    ],
)
async def test_refusals(
    laocert: Run, settled: Database, tmp_path: Path, arguments: list[str], code: int, sentence: str
) -> None:
    for name in ("here.xlsx", "here.png"):
        (tmp_path / name).write_text("x")
    assert sentence in (await laocert(*arguments, code=code)).stderr
    assert files(tmp_path) == ["here.png", "here.xlsx"]
    assert await exported(settled) == []


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
async def test_a_picture_needs_a_round(laocert: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def none(_session: object) -> None:
        return None

    monkeypatch.setattr("models.province.statistics.current_round", none)
    refused = await laocert("progress", "a.png", "--province", "11", code=1)
    assert "no round has been opened yet; open one: laocert round open" in refused.stderr


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
async def test_a_file_that_cannot_be_made_leaves_none(
    laocert: Run, settled: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bot.papers.picture.png", lambda _progress: 1 / 0)
    assert "ZeroDivisionError" in (await laocert("progress", "a.png", "--province", "11", code=1)).stderr
    assert files(tmp_path) == []
    assert await exported(settled) == []
