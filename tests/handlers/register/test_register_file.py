"""An officer sends the register as a file: first the changes are shown, then the officer saves it."""

import csv
import io
import zipfile
from typing import Any

import pytest
from openpyxl import Workbook, load_workbook
from sqlalchemy import func, select, update

from bot.inbound import uploads
from demo.botapi import Emulator
from demo.botapi.state import Message
from handlers.chat.taps.register import SendRegister
from handlers.chat.uploads import Wanted
from models.accounts.account import Officer as Link
from models.audit.event_chain import AuditEvent, Event
from models.certification.certificate import Level
from models.database.engine import Database
from models.imports.personnel import layout
from models.imports.sent_file import packed_check
from models.imports.tabular.xlsx_source import EXPLANATION
from models.register.draft import RosterDraft
from models.register.roster import PersonnelRecord, Roster
from tests.chat import says
from tests.handlers.support import Hand, MakeHand
from tests.models.imports.workbooks import inline_row, shared_strings, workbook, worksheet
from tests.support import TO_PIN, Clock, certify_as, put_roster

BANGPU, NO_ROSTER = "5110201", "6110303"
HEADERS = ["รหัส อปท.", "เลขที่ทะเบียน", "ชื่อ-สกุล", "ประเภทบุคลากร", "ตำแหน่ง", "ระดับ", "ประวัติ", "การศึกษา", "เครื่องราชฯ"]
NOT_TAKEN = "⚠️ ยังไม่รับไฟล์นี้ ทะเบียนยังเป็นเหมือนเดิม"
LOCKED = "🔒 รับรองข้อมูลแล้ว จึงไม่รับไฟล์ ไม่มีการเปลี่ยนแปลงใดๆ"
GONE = "ไฟล์นี้ไม่รอการบันทึกแล้ว"
CHANGED = "ทะเบียนเปลี่ยนไปหลังจากท่านส่งไฟล์ จึงยังไม่ได้บันทึก โปรดส่งไฟล์อีกครั้ง"
CATEGORIES = {"official": "ข้าราชการ", "permanent_employee": "ลูกจ้างประจำ", "contract_employee": "พนักงานจ้าง"}
STATES = {"r": "มี", "n": "ไม่มี", "-": ""}

Rows = list[list[str]]


@pytest.fixture(autouse=True)
def _quickly(monkeypatch: pytest.MonkeyPatch) -> None:
    """Checks files in this process; tests/bot/inbound/test_uploads.py tests the real one."""

    async def check(wanted: Wanted, content: bytes) -> bytes:
        return packed_check(wanted.name, content, wanted.organization)

    monkeypatch.setattr(uploads, "check", check)


async def register(country: Database, organization: str = BANGPU) -> Rows:
    """The stored register as the rows of a file."""
    async with country.read() as session:
        records = await session.scalars(
            select(PersonnelRecord)
            .where(PersonnelRecord.organization_code == organization)
            .order_by(PersonnelRecord.record_no)
        )
        return [
            [
                organization,
                record.record_no,
                record.full_name,
                CATEGORIES[record.category],
                record.position,
                record.level,
                *(STATES[letter] for letter in record.menus),
            ]
            for record in records
        ]


def as_csv(rows: Rows, headers: list[str] | None = None) -> bytes:
    text = io.StringIO()
    csv.writer(text).writerows([headers or HEADERS, *rows])
    return text.getvalue().encode()


def as_xlsx(rows: list[list[Any]], headers: list[str] | None = None, **more: list[list[Any]]) -> bytes:
    book, file = Workbook(), io.BytesIO()
    for title, content in {"ทะเบียน": [headers or HEADERS, *rows], **more}.items():
        sheet: Any = book.create_sheet(title)
        for row in content:
            sheet.append(row)
    book.save(file)
    return file.getvalue()


async def send(hand: Hand, content: bytes, name: str = "register.csv") -> str:
    """Send a file; the text of the card that answers."""
    return await hand.reply_to(hand.phone.send_document(name, content))


async def drafts(country: Database) -> int:
    async with country.read() as session:
        return await session.scalar(select(func.count()).select_from(RosterDraft)) or 0


def downloads(bot: Emulator) -> int:
    return len(bot.calls_of("getFile"))


async def changed(country: Database) -> Rows:
    """The register with one record added, one removed, and two changed."""
    rows = await register(country)
    del rows[19]
    rows[0][4] = "ปลัดเทศบาล"
    rows[1][7] = ""
    return [*rows, [BANGPU, "0099", "สมมุติ มาใหม่", "ลูกจ้างประจำ", "คนสวน", "", "มี", "มี", "ไม่มี"]]


# --- the way through ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["csv", "xlsx"])
async def test_what_a_file_changes_is_seen_before_it_is_saved(
    officer: MakeHand, country: Database, kind: str
) -> None:
    hand, before = await officer(), await register(country)
    rows = await changed(country)
    content = as_csv(rows) if kind == "csv" else as_xlsx(rows)
    text = await send(hand, content, f"ทะเบียน ๒๕๗๐.{kind}")
    for part in (
        f"สิ่งที่ไฟล์จะเปลี่ยน\nเทศบาลตำบลบางปู\nอ.เมืองสมุทรปราการ จ.สมุทรปราการ\n📄 ทะเบียน ๒๕๗๐.{kind}: 20 ราย",
        "ข้าราชการ 12 → 12 คน\n   แก้ไข 2\nลูกจ้างประจำ 3 → 4 คน\n   เพิ่ม 1\nพนักงานจ้าง 5 → 4 คน\n   ลบ 1",
        "รวม 20 → 20 คน",
        "ระเบียนที่ยังบันทึกเมนูไม่ครบ 1 ราย",
        "ยังไม่ได้บันทึก",
    ):
        assert part in text
    assert hand.labels == ["ดูรายที่เพิ่ม (1)", "ดูรายที่ถูกลบ (1)", "ดูรายที่แก้ไข (2)", "บันทึกทะเบียน", "ยกเลิก", "หน้าหลัก"]
    assert await register(country) == before
    text = await hand.press("บันทึกทะเบียน")
    assert text.startswith("✅ บันทึกทะเบียนแล้ว 20 ราย\n\nรับรองข้อมูลระดับ อปท.")
    assert "ข้อมูล ณ วันที่ 2 พ.ย. 2569 09.30 น." in text
    assert await register(country) == rows
    assert await drafts(country) == 0
    # From there it is certified as after any import.
    await hand.way("รับรองระดับ อปท.", "ยืนยันการรับรอง", "PIN")
    assert "รวม 20" in hand.text


@pytest.mark.parametrize(("caption", "stays"), [("ทะเบียนปี 2570", True), ("PIN 271828", False), ("5110201", False)])
async def test_a_file_with_a_caption_is_taken(
    officer: MakeHand, country: Database, caption: str, *, stays: bool
) -> None:
    hand = await officer()
    sent = await hand.phone.send_document("register.csv", as_csv(await changed(country)), caption=caption)

    async def sending() -> Message:
        return sent

    assert "รวม 20 → 20" in (text := await hand.reply_to(sending()))
    assert ("ลบข้อความของท่านแล้ว" in text) is not stays
    assert sent.deleted is not stays
    assert (await hand.press("บันทึกทะเบียน")).startswith("✅ บันทึกทะเบียนแล้ว 20 ราย")


async def test_each_record_that_changes_can_be_looked_at(officer: MakeHand, country: Database) -> None:
    hand = await officer()
    await send(hand, as_csv(await changed(country)))
    text = await hand.press("ดูรายที่เพิ่ม (1)")
    assert "0099 สมมุติ ม•••\nลูกจ้างประจำ\nคนสวน" in text
    await hand.press("ย้อนกลับ")
    assert "0020 บุคคล ท•••\nพนักงานจ้าง" in await hand.press("ดูรายที่ถูกลบ (1)")
    await hand.press("ย้อนกลับ")
    text = await hand.press("ดูรายที่แก้ไข (2)")
    assert "0001 บุคคล ท•••\nตำแหน่ง: ตำแหน่ง 1 → ปลัดเทศบาล" in text
    assert "0002 บุคคล ท•••\nการศึกษา: มี → ว่าง" in text
    assert "ทดสอบ" not in text
    await hand.press("ย้อนกลับ")
    assert "บันทึกทะเบียน" in hand.labels


async def test_many_changes_come_a_page_at_a_time(officer: MakeHand, country: Database) -> None:
    hand = await officer()
    rows = await register(country)
    for row in rows:
        row[5] = "ชำนาญการ"
    await send(hand, as_csv(rows))
    assert (await hand.press("ดูรายที่แก้ไข (20)")).count("ระดับ: ปฏิบัติการ → ชำนาญการ") == 5
    assert hand.labels == ["หน้า 2/4 ▶", "ย้อนกลับ", "หน้าหลัก"]
    await hand.way("หน้า 2/4 ▶", "หน้า 3/4 ▶", "หน้า 4/4 ▶")
    assert "0020" in hand.text
    assert hand.labels == ["◀ หน้า 3/4", "ย้อนกลับ", "หน้าหลัก"]


async def test_menus_that_come_and_go_are_named(officer: MakeHand, country: Database) -> None:
    hand = await officer()
    rows = [[*row[:8], "มี"] for row in await register(country)]
    text = await send(hand, as_csv(rows, [*HEADERS[:8], "วันลา"]))
    assert "เมนูที่เพิ่ม: วันลา\n⚠️ เมนูที่จะหายไป: เครื่องราชฯ" in text
    await hand.press("บันทึกทะเบียน")
    async with country.read() as session:
        assert (await session.get_one(Roster, BANGPU)).menu_names == ["ประวัติ", "การศึกษา", "วันลา"]


async def test_columns_that_are_moved_about_change_nothing(officer: MakeHand, country: Database) -> None:
    hand = await officer()
    order = [8, 3, 0, 2, 1, 4, 6, 5, 7]
    rows = [[row[place] for place in order] for row in await register(country)]
    text = await send(hand, as_csv(rows, [HEADERS[place] for place in order]))
    assert "ไม่มีข้อแตกต่าง" in text
    assert hand.labels == ["ย้อนกลับ", "หน้าหลัก"]
    assert await drafts(country) == 0


async def test_the_first_register_can_come_as_a_file(officer: MakeHand, country: Database) -> None:
    hand = await officer(f"lao{NO_ROSTER}")
    await hand.way("ระบบรับรองข้อมูล", "ดำเนินการ(อปท.)", "รับรองข้อมูลระดับ อปท.")
    assert "หน่วยงานนี้ยังไม่มีข้อมูลบุคลากรในระบบ" in hand.text
    await hand.press("ส่งทะเบียนเป็นไฟล์")
    rows = [[NO_ROSTER, "๑", "สมมุติ คนแรก", "official", "ปลัด", "กลาง"]]
    text = await send(hand, as_csv(rows, HEADERS[:6]))
    assert "ข้าราชการ 0 → 1 คน\n   เพิ่ม 1" in text
    assert (await hand.press("บันทึกทะเบียน")).startswith("✅ บันทึกทะเบียนแล้ว 1 ราย")
    assert await register(country, NO_ROSTER) == [[NO_ROSTER, "1", "สมมุติ คนแรก", "ข้าราชการ", "ปลัด", "กลาง"]]


async def test_a_saved_file_is_recorded_with_its_officer(officer: MakeHand, country: Database) -> None:
    hand = await officer()
    await send(hand, as_csv(await changed(country)), "register.csv")
    await hand.press("บันทึกทะเบียน")
    async with country.read() as session:
        number = await session.scalar(select(Link.id).where(Link.user_id == hand.phone.id))
        events = await session.scalars(
            select(AuditEvent.details).where(AuditEvent.chain == BANGPU, AuditEvent.kind == Event.IMPORTED)
        )
        assert list(events) == [f'{{"file":"register.csv","officer":{number},"what":"personnel"}}']


async def test_cancelling_forgets_the_file(officer: MakeHand, country: Database) -> None:
    hand, before = await officer(), await register(country)
    await send(hand, as_csv(await changed(country)))
    old = hand.phone.button("บันทึกทะเบียน", hand.card).data or ""
    assert (await hand.press("ยกเลิก")).startswith("ยกเลิกไฟล์แล้ว ทะเบียนยังเป็นเหมือนเดิม\n\nส่งทะเบียนเป็นไฟล์")
    assert await drafts(country) == 0
    assert (await hand.forge(old)).startswith(GONE)
    assert await register(country) == before


# --- the template -------------------------------------------------------------------------------------------


async def template(hand: Hand) -> tuple[str, bytes]:
    """Ask for the template; its name and its bytes."""
    await hand.say("/menu")
    await hand.way("ระบบรับรองข้อมูล", "ดำเนินการ(อปท.)", "ส่งทะเบียนเป็นไฟล์", "ขอแบบฟอร์มที่มีข้อมูลปัจจุบัน")
    message = await hand.phone.until(
        lambda phone: next(
            (message for message in phone.messages if message.outgoing and "document" in message.content), None
        )
    )
    assert not message.options.get("has_protected_content")
    document = message.content["document"]
    return document["file_name"], hand.bot.world.files[document["file_id"]].content


async def test_the_template_sent_back_changes_nothing(officer: MakeHand, country: Database) -> None:
    hand = await officer()
    async with country.write() as session:
        await session.execute(
            update(PersonnelRecord)
            .where(PersonnelRecord.organization_code == BANGPU, PersonnelRecord.record_no == "0001")
            .values(full_name="สมมุติ <ก> & _x0041_", position="-", level="007")
        )
    name, content = await template(hand)
    assert name == f"register-{BANGPU}.xlsx"
    sheet = load_workbook(io.BytesIO(content)).active
    assert sheet is not None
    assert sheet.freeze_panes == "A2"
    assert [cell.value for cell in sheet[1]] == HEADERS
    assert {cell.data_type for row in sheet.iter_rows(min_row=2) for cell in row} <= {"s", "inlineStr", "n"}
    assert "ไม่มีข้อแตกต่าง" in await send(hand, content, name)
    assert "บันทึกทะเบียน" not in hand.labels
    assert await drafts(country) == 0


async def test_the_template_of_no_register_has_its_columns(officer: MakeHand) -> None:
    hand = await officer(f"lao{NO_ROSTER}")
    name, content = await template(hand)
    sheet = load_workbook(io.BytesIO(content)).active
    assert sheet is not None
    assert [[cell.value for cell in row] for row in sheet.iter_rows()] == [HEADERS[:6]]
    assert "ไฟล์มีแต่หัวตาราง ไม่มีแถวข้อมูล → ส่งไฟล์ที่มีแถวข้อมูล" in await send(hand, content, name)


async def test_the_template_teaches_the_right_way(officer: MakeHand) -> None:
    """Text down to the last row, lists to choose from, the header in sight, and a second sheet that explains."""
    hand = await officer()
    _name, content = await template(hand)
    book = load_workbook(io.BytesIO(content))
    sheet, explanation = book.worksheets
    assert sheet.freeze_panes == "A2"
    for column in "ABCDEFGHI":
        dimension = sheet.column_dimensions[column]
        group = next(
            dimension
            for dimension in sheet.column_dimensions.values()
            if dimension.min <= ord(column) - 64 <= dimension.max
        )
        assert (dimension if dimension.min else group).number_format == "@"
    offered = {str(rule.sqref): rule.formula1 for rule in sheet.data_validations.dataValidation}
    assert offered["D2:D1048576"] == '"ข้าราชการ,ลูกจ้างประจำ,พนักงานจ้าง"'
    assert all(offered[f"{column}2:{column}1048576"] == '"มี,ไม่มี"' for column in "GHI")
    assert (explanation.title, explanation["A1"].value) == EXPLANATION
    explanations = {str(row[0].value) for row in explanation.iter_rows()}
    assert {column.thai for column in layout(str).columns} <= explanations


# --- what is refused ----------------------------------------------------------------------------------------


def packed(parts: dict[str, bytes]) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in parts.items():
            archive.writestr(name, content)
    return file.getvalue()


def with_parts(content: bytes, parts: dict[str, bytes]) -> bytes:
    """A workbook with more parts in it."""
    file = io.BytesIO(content)
    with zipfile.ZipFile(file, "a", zipfile.ZIP_DEFLATED) as archive:
        for name, more in parts.items():
            archive.writestr(name, more)
    return file.getvalue()


ROW = [BANGPU, "1", "สมมุติ หนึ่ง", "ข้าราชการ", "ปลัด", "กลาง", "มี", "มี", "ไม่มี"]


def row(**changes: str) -> list[str]:
    places = {"code": 0, "number": 1, "name": 2, "category": 3, "position": 4, "menu": 6}
    cells = list(ROW)
    for key, value in changes.items():
        cells[places[key]] = value
    return cells


def as_number(value: int, number_format: str) -> bytes:
    """A file whose one record has a number in a format as its record_no."""
    book, file = Workbook(), io.BytesIO()
    sheet: Any = book.active
    sheet.append(HEADERS)
    sheet.append([BANGPU, value, *ROW[2:]])
    sheet["B2"].number_format = number_format
    book.save(file)
    return file.getvalue()


BAD: dict[str, tuple[bytes, str, str]] = {
    "another organization": (
        as_csv([row(code="6110301")]),
        "a.csv",
        "แถวที่ 2, รหัส อปท.: 6110301 ไม่ใช่รหัสหน่วยงานของท่าน → ให้ใส่ 5110201",
    ),
    "no such category": (
        as_csv([row(category="อื่น")]),
        "a.csv",
        "แถวที่ 2, ประเภทบุคลากร: “อื่น” ไม่ใช่ประเภทบุคลากร → ให้ใส่ ข้าราชการ",
    ),
    "a menu's state": (as_csv([row(menu="ครบ")]), "a.csv", "แถวที่ 2, ประวัติ: “ครบ” ไม่บอกว่าบันทึกเมนูแล้วหรือไม่"),
    "a national ID number": (
        as_csv([row(name="สมมุติ 1234567890121")]),
        "a.csv",
        "มีเลขประจำตัวประชาชน ซึ่งระบบไม่จัดเก็บ",
    ),
    "a column of them": (
        as_csv([row(number="1234567890121")]),
        "a.csv",
        "เลขที่ทะเบียน: มีเลขประจำตัวประชาชน ซึ่งระบบไม่จัดเก็บ → ลบคอลัมน์นี้หรือลบเลขออก",
    ),
    "twice": (as_csv([ROW, ROW]), "a.csv", "แถวที่ 3, เลขที่ทะเบียน: เลขที่ 1 ของหน่วยงาน 5110201 มีอยู่แล้วในแถวที่ 2"),
    "a formula as text": (as_csv([row(position="=1+1")]), "a.csv", "แถวที่ 2, ตำแหน่ง: ขึ้นต้นด้วย = เหมือนสูตร"),
    "a formula": (as_xlsx([row(position="=1+1")]), "a.xlsx", "แถวที่ 2, ตำแหน่ง: เป็นสูตร"),
    "a number that shows something else": (
        as_number(1, '"A-"000'),
        "a.xlsx",
        "แถวที่ 2, เลขที่ทะเบียน: เป็นตัวเลข 1 แต่ช่องแสดงผลเป็น A-001 → ตั้งทั้งคอลัมน์เป็นข้อความแล้วพิมพ์ A-001",
    ),
    "a number in a format": (
        as_number(1234, "#,##0"),
        "a.xlsx",
        "แถวที่ 2, เลขที่ทะเบียน: เป็นตัวเลข 1234 ในรูปแบบ #,##0 ซึ่งอาจแสดงผลเป็นอย่างอื่น",
    ),
    "a negative number": (
        as_number(-5, "0000"),
        "a.xlsx",
        "แถวที่ 2, เลขที่ทะเบียน: เป็นจำนวนติดลบ → ตั้งทั้งคอลัมน์เป็นข้อความแล้วพิมพ์สิ่งที่ต้องการให้ปรากฏในช่อง",
    ),
    "bidi": (
        as_csv([row(name="สม\u202eมุติ")]),
        "a.csv",
        "แถวที่ 2, ชื่อ-สกุล: มีอักขระที่มองไม่เห็น (U+202E (RIGHT-TO-LEFT OVERRIDE))",
    ),
    "a column is missing": (
        as_csv([ROW[:2]], HEADERS[:2]),
        "a.csv",
        "แถวที่ 1: ขาดคอลัมน์ ชื่อ-สกุล, ประเภทบุคลากร, ตำแหน่ง, ระดับ → เพิ่มคอลัมน์เหล่านี้ในหัวตาราง",
    ),
    "only a header": (as_csv([]), "a.csv", "ไฟล์มีแต่หัวตาราง ไม่มีแถวข้อมูล"),
    "nothing": (b"\n", "a.csv", "ไฟล์ว่างเปล่า → ส่งไฟล์ที่มีหัวตารางและแถวข้อมูล"),
    "two sheets": (as_xlsx([ROW], อื่น=[["x"]]), "a.xlsx", "มีข้อมูลหลายแผ่นงาน: 'ทะเบียน', 'อื่น' → เหลือไว้แผ่นเดียว"),
    "no workbook": (b"nothing", "a.xlsx", "ชื่อไฟล์เป็น .xlsx แต่เนื้อหาไม่ใช่"),
    "an archive": (packed({"a.csv": as_csv([ROW])}), "a.xlsx", "ไฟล์ชื่อลงท้ายด้วย .xlsx แต่เป็นไฟล์ ZIP"),
    "macros": (with_parts(as_xlsx([ROW]), {"xl/vbaProject.bin": b"x"}), "a.xlsx", "ไฟล์มีมาโคร"),
    "a bomb of strings": (
        workbook(worksheet(inline_row(1, HEADERS)), shared_strings(["ก" * 1000] * 7000)),
        "a.xlsx",
        "ไฟล์มีเนื้อหามากเกินกว่าแถวข้อมูลไปมาก",
    ),
    "a bomb of a sheet": (
        workbook(worksheet(" " * (101 << 20))),
        "a.xlsx",
        "ไฟล์มีเนื้อหามากเกินกว่าแถวข้อมูลไปมาก",
    ),
    "a bomb of parts": (
        with_parts(as_xlsx([ROW]), {f"x/{number}": b"" for number in range(200)}),
        "a.xlsx",
        "ไฟล์มีเนื้อหามากเกินกว่าแถวข้อมูลไปมาก",
    ),
    "too many rows": (as_csv([row(number=str(number)) for number in range(5001)]), "a.csv", "ไฟล์มีเกิน 5,000 แถว"),
    "another kind": (as_xlsx([ROW]), "a.xlsm", "ไฟล์นี้เป็นไฟล์ Excel ที่มีแมโคร (.xlsm)"),
    "an old kind": (b"\xd0\xcf\x11\xe0", "a.xls", "ไฟล์นี้เป็นไฟล์ Excel รุ่นเก่า (.xls)"),
    "a ZIP": (packed({"a.csv": as_csv([ROW])}), "a.zip", "ชนิดไฟล์ไม่ใช่ .xlsx หรือ .csv"),
    "no kind": (as_csv([ROW]), "", "ชนิดไฟล์ไม่ใช่ .xlsx หรือ .csv"),
    "a name in disguise": (as_csv([ROW]), "a\u202evsc.csv", "ชื่อไฟล์มีอักขระที่มองไม่เห็น"),
    "too large": (bytes((5 << 20) + 1), "a.csv", "ไฟล์ใหญ่เกิน 5 MB"),
}


@pytest.mark.parametrize("what", BAD)
async def test_a_bad_file_is_refused_with_its_reason(officer: MakeHand, country: Database, what: str) -> None:
    content, name, reason = BAD[what]
    hand, before = await officer(), await register(country)
    text = await send(hand, content, name)
    assert text.startswith(NOT_TAKEN)
    assert reason in text
    assert text.endswith("โปรดแก้ไขแล้วส่งไฟล์อีกครั้ง")
    assert hand.labels == ["ส่งทะเบียนเป็นไฟล์", "หน้าหลัก"]
    assert await register(country) == before
    assert await drafts(country) == 0


async def test_problems_of_a_kind_are_one_line_with_their_first_ten_places(officer: MakeHand) -> None:
    hand = await officer()
    text = await send(hand, as_csv([row(number=str(number), category="อื่น") for number in range(40)]))
    assert text.count("ไม่ใช่ประเภทบุคลากร") == 1
    assert "แถวที่ 2–11, ประเภทบุคลากร; และอีก 30 แห่ง: “อื่น” ไม่ใช่ประเภทบุคลากร" in text
    assert "จุด\n" not in text


async def test_the_first_ten_kinds_are_shown_and_the_other_problems_counted(officer: MakeHand) -> None:
    hand = await officer()
    wrong = ["", "=1", "\u202e", "#N/A", "1.2E+12", "x" * 999, "\u200b", "\u200e", "+x", "@x", "####", "a\tb"]
    rows = [row(number=str(number), position=text) for number, text in enumerate(wrong)]
    text = await send(hand, as_csv([*rows, row(category="อื่น"), row(menu="ครบ")]))
    assert text.count("•") <= 10
    assert "แถวที่ 5, 12, ตำแหน่ง: เป็นค่าผิดพลาด" in text, text


async def test_hidden_rows_are_said_on_what_the_file_changes(officer: MakeHand) -> None:
    hand = await officer()
    sheet = worksheet(inline_row(1, HEADERS) + inline_row(2, ROW, ' hidden="1"'))
    text = await send(hand, workbook(sheet), "a.xlsx")
    assert "⚠️ อ่านแถวที่ซ่อนไว้ด้วย: แถว 2" in text


async def test_problems_never_fill_a_message(officer: MakeHand, country: Database) -> None:
    """However long what was written into the file is, and whatever it looks like."""
    hand = await officer()
    names = [f"<b>{'เมนู' * 20}{number}</b>" for number in range(100)]
    content = as_csv([[*ROW[:6], *["<i>" + "ก" * 90] * 100]], [*HEADERS[:6], *names])
    text = await send(hand, content)
    assert text.startswith(NOT_TAKEN)
    assert "<b>เมนู" in text
    assert "และอีก 90 แห่ง" in text
    assert text.endswith("โปรดแก้ไขแล้วส่งไฟล์อีกครั้ง")


async def test_what_is_wrong_is_said_in_english_too(officer: MakeHand) -> None:
    hand = await officer()
    await hand.say("/language")
    await hand.press("English")
    text = await send(hand, as_csv([row(category="อื่น")]))
    assert "line 2, ประเภทบุคลากร: อื่น is no category; write official (ข้าราชการ), permanent_employee" in text


# --- from whom, and when ------------------------------------------------------------------------------------


async def test_a_locked_register_takes_no_file(
    officer: MakeHand, country: Database, clock: Clock, bot: Emulator
) -> None:
    hand, colleague = await officer(), await officer(name="ทดสอบ สอง")
    content = as_csv(await changed(country))
    await send(hand, content)
    save = hand.phone.button("บันทึกทะเบียน", hand.card).data or ""
    await certify_as(country, f"lao{BANGPU}", colleague.phone.id, BANGPU, Level.LAO, clock())
    before, fetched = await register(country), downloads(bot)
    for text in (await hand.forge(save), await send(hand, content), await hand.forge(SendRegister())):
        assert text.startswith(LOCKED)
        assert "รับรองระดับ อปท.\nทดสอบ ลงนาม · ปลัด\n2 พ.ย. 2569 09.30 น." in text
        assert hand.labels == ["ขอแก้ไขข้อมูล", "ประวัติการรับรองข้อมูล", "หน้าหลัก"]
    assert downloads(bot) == fetched
    assert await register(country) == before
    await hand.say("/menu")
    await hand.way("ระบบรับรองข้อมูล", "ดำเนินการ(อปท.)")
    assert "ส่งทะเบียนเป็นไฟล์" not in hand.labels


async def test_a_register_that_changed_since_is_not_written_over(
    officer: MakeHand, country: Database, clock: Clock
) -> None:
    hand = await officer()
    await send(hand, as_csv(await changed(country)))
    details = hand.phone.button("ดูรายที่เพิ่ม (1)", hand.card).data or ""
    save = hand.phone.button("บันทึกทะเบียน", hand.card).data or ""
    async with country.write() as session:
        await put_roster(session, BANGPU, (13, 3, 5), clock())
    before = await register(country)
    for data in (details, save):
        assert (await hand.forge(data)).startswith(CHANGED)
    assert await register(country) == before


async def test_of_two_officers_the_second_sees_the_firsts_register(officer: MakeHand, country: Database) -> None:
    first, second = await officer(name="ทดสอบ หนึ่ง"), await officer(name="ทดสอบ สอง")
    rows = await changed(country)
    await send(first, as_csv(rows))
    await send(second, as_csv(rows[:3]))
    await first.press("บันทึกทะเบียน")
    assert (await second.press("บันทึกทะเบียน")).startswith(CHANGED)
    assert await register(country) == rows
    await send(second, as_csv(rows[:3]))
    assert "ดูรายที่ถูกลบ (17)" in second.labels
    await second.press("บันทึกทะเบียน")
    assert await register(country) == rows[:3]


async def test_a_new_file_takes_the_place_of_the_one_before(officer: MakeHand, country: Database) -> None:
    hand, before = await officer(), await register(country)
    await send(hand, as_csv(await changed(country)))
    old = hand.phone.button("บันทึกทะเบียน", hand.card).data or ""
    await send(hand, as_csv(before[:5]))
    assert (await hand.forge(old)).startswith(GONE)
    assert await register(country) == before
    assert await drafts(country) == 1


async def test_two_quick_presses_save_once(officer: MakeHand, country: Database) -> None:
    hand = await officer()
    rows = await changed(country)
    await send(hand, as_csv(rows))
    save = hand.phone.button("บันทึกทะเบียน", hand.card).data or ""
    await hand.forge(save)
    assert (await hand.forge(save)).startswith(GONE)
    assert await register(country) == rows


@pytest.mark.parametrize(("hours", "is_saved"), [(24, True), (24.1, False)])
async def test_a_file_waits_for_a_day(
    officer: MakeHand, country: Database, clock: Clock, hours: float, is_saved: bool
) -> None:
    hand = await officer()
    await send(hand, as_csv(await changed(country)))
    save = hand.phone.button("บันทึกทะเบียน", hand.card).data or ""
    clock.move(hours=hours)
    # The chat is idle: the PIN comes first.
    await hand.forge(save)
    text = await hand.enter()
    assert text.startswith("✅ บันทึกทะเบียนแล้ว 20 ราย" if is_saved else GONE)


async def test_somebody_elses_file_cannot_be_saved(officer: MakeHand, country: Database) -> None:
    hand, other = await officer(), await officer("lao6110302", "ทดสอบ สอง")
    before = await register(country)
    await send(hand, as_csv(await changed(country)))
    for label in ("ดูรายที่เพิ่ม (1)", "บันทึกทะเบียน", "ยกเลิก"):
        assert (await other.forge(hand.phone.button(label, hand.card).data or "")).startswith(GONE)
    assert await register(country) == before
    assert await drafts(country) == 1


async def test_an_idle_chat_gives_the_pin_and_sends_again(
    officer: MakeHand, country: Database, clock: Clock, bot: Emulator
) -> None:
    hand = await officer()
    content = as_csv(await changed(country))
    clock.move(hours=13)
    text = await send(hand, content)
    assert text.startswith("โปรดใส่ PIN แล้วส่งไฟล์อีกครั้ง")
    assert downloads(bot) == 0
    assert (await hand.enter()).startswith("ส่งทะเบียนเป็นไฟล์")
    assert "สิ่งที่ไฟล์จะเปลี่ยน" in await send(hand, content)


async def test_nobody_elses_file_is_fetched(
    officer: MakeHand, stranger: Hand, country: Database, bot: Emulator
) -> None:
    content = as_csv(await register(country))
    province = await officer("province11", "ทดสอบ สอง")
    assert (await send(province, content)).startswith("รับไฟล์จากเจ้าหน้าที่ อปท. เท่านั้น")
    await stranger.say("/start")
    assert (await send(stranger, content)).startswith("แชตนี้ยังไม่ได้เข้าสู่ระบบ โปรดเข้าสู่ระบบก่อน")
    await stranger.press("เข้าสู่ระบบ")
    assert (await send(stranger, content)).startswith("โปรดตอบเป็นข้อความตัวอักษร")
    hand = await officer()
    async with country.write() as session:
        await session.execute(update(Link).where(Link.user_id == hand.phone.id).values(pin_hash=None))
    assert "บันทึกทะเบียน" not in await send(hand, content)
    assert downloads(bot) == 0
    assert await drafts(country) == 0


async def test_a_file_in_a_group_is_not_fetched(officer: MakeHand, country: Database, bot: Emulator) -> None:
    hand = await officer()
    group = bot.group("สำนักปลัด", [hand.phone])
    group.add_bot(hand.phone)
    group.promote_bot(hand.phone)
    there = group.phone(hand.phone)
    await there.send_document("register.csv", as_csv(await register(country)))
    await says(there, "ระบบนี้ใช้ได้เฉพาะแชตส่วนตัว")
    # Whatever came after it has been done, too.
    await hand.say("/menu")
    assert downloads(bot) == 0
    assert await drafts(country) == 0


async def test_a_picture_of_the_register_is_no_file(officer: MakeHand, bot: Emulator) -> None:
    hand = await officer()
    text = await hand.reply_to(hand.phone.send_photo(caption="ทะเบียน"))
    assert text.startswith(NOT_TAKEN)
    assert "ชนิดไฟล์ไม่ใช่ .xlsx หรือ .csv → บันทึกเป็นชนิดใดชนิดหนึ่งในสองนี้แล้วส่งเป็นไฟล์" in text
    assert downloads(bot) == 0


async def test_a_file_while_the_pin_is_asked_for(officer: MakeHand, country: Database) -> None:
    """A file ends the keypad, and its purpose is not carried out."""
    hand = await officer()
    await hand.way(*TO_PIN)
    rows = await changed(country)
    assert "สิ่งที่ไฟล์จะเปลี่ยน" in await send(hand, as_csv(rows))
    await hand.press("บันทึกทะเบียน")
    assert await register(country) == rows
    assert "สถานะการรับรองข้อมูล: ยังไม่รับรอง" in hand.text


async def test_unlinking_erases_the_file(officer: MakeHand, country: Database) -> None:
    hand = await officer()
    await send(hand, as_csv(await changed(country)))
    assert await drafts(country) == 1
    await hand.say("/logout")
    assert await drafts(country) == 0
