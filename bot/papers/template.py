"""The XLSX form with an organization's present register, which officers correct and send back. Its format is that
of the import of personnel (docs/contract.md, Import files).
"""

from collections.abc import Callable
from io import BytesIO

from bot.papers.spreadsheet import Column, Workbook
from models.imports.personnel import layout
from models.imports.sent_roster import RosterTemplate
from models.imports.tabular.xlsx_source import EXPLANATION
from models.register.roster import Category, MenuState, Record

_CATEGORIES = {
    Category.OFFICIAL: "ข้าราชการ",
    Category.PERMANENT_EMPLOYEE: "ลูกจ้างประจำ",
    Category.CONTRACT_EMPLOYEE: "พนักงานจ้าง",
}
_STATES = {MenuState.RECORDED: "มี", MenuState.NONE: "ไม่มี", MenuState.EMPTY: ""}
_CHOICES = tuple(word for word in _STATES.values() if word)
_WIDTHS = (14, 16, 28, 16, 30, 16)


def xlsx(template: RosterTemplate) -> bytes:
    """The XLSX file's bytes. Takes 0.4 s of processor time for 2,000 records: call it off the event loop."""
    code = template.organization.dla_code
    values: tuple[Callable[[Record], str], ...] = (
        lambda _: code,
        lambda record: record.record_no,
        lambda record: record.full_name,
        lambda record: _CATEGORIES[record.category],
        lambda record: record.position,
        lambda record: record.level,
    )
    names = [column.thai for column in layout(str).columns]
    choices = [(), (), (), tuple(_CATEGORIES.values()), (), ()]
    columns = [Column(*arguments) for arguments in zip(names, _WIDTHS, values, choices, strict=True)]
    columns += [Column(name, 18, _state(place), _CHOICES) for place, name in enumerate(template.menu_names)]
    file = BytesIO()
    with Workbook(file, "ทะเบียน", columns, is_form=True) as workbook:
        for record in template.records:
            workbook.append(record)
        workbook.explain(EXPLANATION[0], _explanation(code))
    return file.getvalue()


def _explanation(code: str) -> list[tuple[str, str]]:
    """The rows of the second sheet. By its name and first cell the import recognizes it and skips it."""
    return [
        (EXPLANATION[1], ""),
        ("ทั่วไป", "กรอกในแผ่นงาน “ทะเบียน” หนึ่งแถวต่อหนึ่งคน แถวแรกเป็นหัวตาราง ห้ามลบหรือแทรกแถวเหนือหัวตาราง"),
        ("รหัส อปท.", f"เขียน {code} ทุกแถว"),
        ("เลขที่ทะเบียน", "ไม่ซ้ำกันใน อปท. ทุกช่องเป็นข้อความ จึงพิมพ์ 0001 ได้ตามจริง เลข 0 ข้างหน้าไม่หาย"),
        ("ชื่อ-สกุล", "ห้ามใส่เลขประจำตัวประชาชน"),
        ("ประเภทบุคลากร", "เลือกจากรายการ: " + ", ".join(_CATEGORIES.values())),
        ("ตำแหน่ง", "ชื่อตำแหน่งเต็ม ต้องกรอกทุกแถว"),
        ("ระดับ", "เว้นว่างได้"),
        ("เมนูทะเบียนประวัติ", "คอลัมน์ถัดจาก “ระดับ” คอลัมน์ละหนึ่งเมนู เลือก มี, ไม่มี หรือเว้นว่างถ้ายังไม่บันทึก"),
        ("ห้ามใช้", "ผสานเซลล์ สูตร วันที่ รูปแบบตัวเลข และแผ่นงานอื่นที่มีข้อมูล"),
        ("การบันทึกไฟล์", "บันทึกเป็น Excel Workbook (.xlsx) ไม่ใส่รหัสผ่าน แล้วส่งไฟล์กลับในแชตของบอต"),
    ]


def _state(place: int) -> Callable[[Record], str]:
    """The value of the column of the menu at this index."""
    return lambda record: _STATES[MenuState(record.menus[place])]
