"""The file that an organization sends: of that organization alone, not too large, and told in the same words."""

import csv
import io
import zipfile
from collections.abc import Callable
from typing import Any

import pytest
from openpyxl import Workbook
from openpyxl.styles import PatternFill

from models.imports.sent_file import MAX_BYTES, MAX_RECORDS, check_file, packed_check, require_file, unpacked_check
from models.imports.tabular import English, ImportRefused
from models.register.draft import SentRoster
from models.register.roster import Category, Record
from tests.models.imports.files import COLUMNS, FIRST, SECOND, person


def test_the_chats_reader_refuses_in_the_same_words() -> None:
    workbook, file = Workbook(), io.BytesIO()
    sheet: Any = workbook.active
    sheet.append(["organization", "record_no", "full_name", "category", "position", "level", "leave"])
    for number in (1, 2):
        sheet.append([5110201, number, "สมมุติ ลับเฉพาะ", "official", "ปลัด", None, None])
        sheet.cell(number + 1, 2).number_format = "0000"
        sheet.cell(number + 1, 1).fill = PatternFill("solid", "FFFF00")
    workbook.save(file)
    sent = check_file("register.xlsx", file.getvalue(), "5110201")
    assert [record.record_no for record in sent.records] == ["0001", "0002"]
    sheet["B3"].number_format = '"A-"000'
    workbook.save(file := io.BytesIO())
    with pytest.raises(ImportRefused) as refused:
        check_file("register.xlsx", file.getvalue(), "5110201")
    assert [str(problem) for problem in refused.value.problems] == [
        "line 3, record_no: is the number 2, and the cell shows A-002; format the column as text and type A-002"
    ]


def as_csv(*rows: list[str], menus: tuple[str, ...] = ("ประวัติ", "การศึกษา", "เครื่องราชฯ")) -> bytes:
    file = io.StringIO()
    csv.writer(file).writerows([[*COLUMNS, *menus], *rows])
    return file.getvalue().encode()


def refusal(check: Callable[[], object]) -> list[str]:
    with pytest.raises(ImportRefused) as refused:
        check()
    return [str(problem) for problem in refused.value.problems]


def test_a_file_is_the_register_that_it_says() -> None:
    sent = check_file("register.csv", as_csv(person(1), person(2, FIRST, "ลูกจ้างประจำ")), FIRST)
    people = [
        Record(f"{n:04}", f"บุคคล ทดสอบ{n}", category, f"ตำแหน่ง {n}", "ปฏิบัติการ", "rrn")
        for n, category in ((1, Category.OFFICIAL), (2, Category.PERMANENT_EMPLOYEE))
    ]
    assert sent == SentRoster("register.csv", ("ประวัติ", "การศึกษา", "เครื่องราชฯ"), tuple(people))


def test_rows_of_another_organization_are_refused_one_by_one() -> None:
    file = as_csv(person(1), person(1, SECOND), person(2), person(3, "9999999"))
    assert refusal(lambda: check_file("a.csv", file, FIRST)) == [
        f"line {line}, organization: {code} is not the code of your organization;"
        f" write {FIRST}, or leave the row out"
        for line, code in ((3, SECOND), (5, "9999999"))
    ]


def test_a_record_number_is_given_once() -> None:
    assert refusal(lambda: check_file("a.csv", as_csv(person(1), person(1)), FIRST)) == [
        f"line 3, record_no: 0001 of organization {FIRST} is on line 2 already;"
        " give each record of an organization its own number"
    ]


@pytest.mark.parametrize("name", ["a.exe", "a", "a.csv.x", ""])
def test_other_files_are_refused_by_their_name(name: str) -> None:
    (told,) = refusal(lambda: require_file(name, 1))
    assert told == "the file's name ends neither with .csv nor with .xlsx; save it as one of the two"


@pytest.mark.parametrize(
    ("name", "what"),
    [
        ("a.pdf", "the file is a PDF; "),
        ("a.XLS", "the file is an old Excel file (.xls); "),
        ("a.ods", "the file is an OpenDocument file (.ods); "),
        ("a.xlsm", "the file is a workbook with macros (.xlsm); "),
    ],
)
def test_files_of_other_kinds_are_named(name: str, what: str) -> None:
    (told,) = refusal(lambda: require_file(name, 1))
    assert told == f"{what}open it in a spreadsheet program and save it as Excel Workbook (.xlsx)"


def test_a_name_that_cannot_be_shown_is_refused_before_the_file_is_fetched() -> None:
    (told,) = refusal(lambda: require_file("a\u202evsc.csv", 1))
    assert told.startswith("the file's name contains U+202E")


def test_a_file_has_five_megabytes_at_most() -> None:
    require_file("a.csv", MAX_BYTES)
    too_large = ["the file has more than 5 MB; save only its rows, as a new XLSX or as CSV"]
    assert refusal(lambda: require_file("a.csv", MAX_BYTES + 1)) == too_large
    # Telegram may not have said how large it is.
    assert refusal(lambda: check_file("a.csv", bytes(MAX_BYTES + 1), FIRST)) == too_large


def test_a_file_has_five_thousand_records_at_most() -> None:
    rows = [person(number) for number in range(1, MAX_RECORDS + 2)]
    assert len(check_file("a.csv", as_csv(*rows[:MAX_RECORDS]), FIRST).records) == MAX_RECORDS
    assert refusal(lambda: check_file("a.csv", as_csv(*rows), FIRST)) == [
        "the file has more than 5,000 rows; send the rows of your organization only"
    ]


def test_a_workbook_with_macros_is_refused() -> None:
    workbook, file = Workbook(), io.BytesIO()
    sheet: Any = workbook.active
    sheet.append(COLUMNS)
    sheet.append(person(1)[: len(COLUMNS)])
    workbook.save(file)
    assert len(check_file("a.xlsx", file.getvalue(), FIRST).records) == 1
    with zipfile.ZipFile(file, "a") as archive:
        archive.writestr("xl/vbaProject.bin", b"x")
    assert refusal(lambda: check_file("a.xlsx", file.getvalue(), FIRST)) == [
        "the workbook holds macros; save only its rows, as a new XLSX or as CSV"
    ]


def test_what_was_checked_comes_through_to_the_other_process() -> None:
    file = as_csv(person(1), person(2))
    assert unpacked_check(packed_check("a.csv", file, FIRST)) == check_file("a.csv", file, FIRST)


@pytest.mark.parametrize(
    ("name", "file"),
    [
        ("a.csv", as_csv(person(1, SECOND), person(1), person(1), ["", "=1"])),
        ("a.pdf", b""),
        ("a.csv", b""),
        ("a\u202e.csv", as_csv(person(1))),
    ],
)
def test_what_is_wrong_comes_through_word_by_word_and_can_be_said_in_thai(name: str, file: bytes) -> None:
    with pytest.raises(ImportRefused) as refused:
        check_file(name, file, FIRST)
    with pytest.raises(ImportRefused) as unpacked:
        unpacked_check(packed_check(name, file, FIRST))
    assert unpacked.value.problems == refused.value.problems
    for one, other in zip(unpacked.value.problems, refused.value.problems, strict=True):
        for text, said in ((one.what, other.what), (one.mend, other.mend)):
            assert isinstance(text, English)
            assert isinstance(said, English)
            # The template, by which another language is found; values may be such texts themselves.
            assert (text.template, text.values) == (said.template, said.values)
