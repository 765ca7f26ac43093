"""Workbooks: their numbers, their one filled sheet, and what is no workbook or would fill the memory."""

import zipfile
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from openpyxl import Workbook

from models.imports.tabular import Problems, open_table
from tests.models.imports.tables import HEADER, LAYOUT, empty_workbook, read, refusal, to_xlsx
from tests.models.imports.workbooks import (
    MAIN,
    archive,
    inline_row,
    parts_of,
    relationships,
    workbook,
    workbook_part,
    worksheet,
)


def test_numbers_in_a_workbook_are_their_digits(tmp_path: Path) -> None:
    path = to_xlsx(tmp_path / "a.xlsx", [HEADER, [2110101, 1.0, None], ["007", "ก"]])
    assert read(path) == [(2, ["2110101", "1", "-"]), (3, ["007", "ก", "-"])]


@pytest.mark.parametrize(
    ("value", "what"),
    [
        ("=1+1", "is a formula"),
        (datetime(2026, 1, 1), "is the date 01/01/2026"),
        (True, "is TRUE or FALSE"),
        (1.5, "is a number with a fraction"),
        (1234567890123456, "is a number of more than 15 digits"),
        ("ก_x000A_ข", "contains a line break"),
    ],
)
def test_a_wrong_cell_of_a_workbook_is_named(tmp_path: Path, value: object, what: str) -> None:
    found = refusal(to_xlsx(tmp_path / "a.xlsx", [HEADER, [1, value, None]]))
    assert len(found) == 1
    assert found[0].startswith(f"line 2, name: {what}")


@pytest.mark.parametrize(
    ("name", "content", "what"),
    [
        ("a.xlsx", b"", "the file is empty"),
        ("a.xlsx", b"code,name,note\n1,a,\n", "the file is named .xlsx but is no workbook"),
        ("a.xlsx", b"PK\x03\x04 and nothing more", "the file is named .xlsx but is a damaged ZIP file"),
        ("a.xlsx", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "the file is named .xlsx but is an old Excel file (.xls)"),
        ("a.xlsx", empty_workbook(), "the workbook is empty"),
    ],
)
def test_what_is_no_workbook(tmp_path: Path, name: str, content: bytes, what: str) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    found = refusal(path)
    assert len(found) == 1
    assert what in found[0]


def test_two_filled_sheets_are_refused_and_empty_ones_ignored(tmp_path: Path) -> None:
    rows = [HEADER, ["1", "ก", None]]
    assert read(to_xlsx(tmp_path / "a.xlsx", rows, Empty=[])) == [(2, ["1", "ก", "-"])]
    assert read(to_xlsx(tmp_path / "a.xlsx", [], Second=rows)) == [(2, ["1", "ก", "-"])]
    assert "several sheets hold data: 'Sheet', 'Old'" in refusal(to_xlsx(tmp_path / "a.xlsx", rows, Old=[[0]]))[0]


def _zip(path: Path, parts: dict[str, bytes]) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in parts.items():
            archive.writestr(name, content)
    return path


def test_a_zip_file_that_is_no_workbook(tmp_path: Path) -> None:
    assert "is named .xlsx but is a ZIP file" in refusal(_zip(tmp_path / "a.xlsx", {"a.txt": b"x"}))[0]
    assert "the workbook is damaged" in refusal(_zip(tmp_path / "a.xlsx", {"[Content_Types].xml": b"<x"}))[0]


# --- what is read and what is refused beside the cells --------------------------------------------------------

ROWS = [HEADER, ["1", "ก", ""], ["2", "ข", ""]]


def _workbook(rows: list[list[str]]) -> tuple[Any, Any]:
    book = Workbook()
    sheet: Any = book.active
    for row in rows:
        sheet.append(row)
    return book, sheet


def _read(path: Path) -> tuple[list[list[str]], list[str]]:
    """The rows of a file, and what is said of it."""
    problems = Problems()
    with open_table(path, LAYOUT, problems) as table:
        rows = [list(cells) for batch in table.batches() for _line, cells in batch]
        problems.require_none()
        return rows, list(map(str, table.notes()))


@pytest.mark.parametrize(
    ("ranges", "refused"),
    [
        (["B2:B3"], ["line 2: the cells B2:B3 are merged; unmerge them and fill in each cell"]),
        (["A3:C3"], ["line 3: the cells A3:C3 are merged; unmerge them and fill in each cell"]),
        (["A1:B1"], ["line 1, column B: has no name"]),
        (["A2:A3", "B2:B3"], ["line 2: the cells A2:A3 are merged", "line 2: the cells B2:B3 are merged"]),
        # Below and beside the table, where nothing stands.
        (["A9:C12", "H1:I3"], []),
    ],
)
def test_merged_cells_are_refused_with_their_range(tmp_path: Path, ranges: list[str], refused: list[str]) -> None:
    book, sheet = _workbook(ROWS)
    for merged in ranges:
        sheet.merge_cells(merged)
    book.save(tmp_path / "a.xlsx")
    if not refused:
        assert read(tmp_path / "a.xlsx") == [(2, ["1", "ก", "-"]), (3, ["2", "ข", "-"])]
        return
    found = refusal(tmp_path / "a.xlsx")
    for what in refused:
        assert any(line.startswith(what) for line in found), found


def test_what_is_hidden_is_read_and_said(tmp_path: Path) -> None:
    book, sheet = _workbook([HEADER, *([str(number), "ก", "x"] for number in range(1, 9))])
    for row in (3, 4, 7):
        sheet.row_dimensions[row].hidden = True
    # Hidden, and empty.
    sheet.row_dimensions[50].hidden = True
    sheet.column_dimensions["B"].hidden = True
    sheet.column_dimensions["H"].hidden = True
    book.create_sheet("ว่าง").sheet_state = "hidden"
    book.save(tmp_path / "a.xlsx")
    rows, notes = _read(tmp_path / "a.xlsx")
    assert len(rows) == 8
    assert notes == [
        "hidden rows were read like the others: 3–4, 7",
        "hidden columns were read like the others: B",
    ]


def test_a_hidden_sheet_with_the_rows_is_read_and_said(tmp_path: Path) -> None:
    book, sheet = _workbook(ROWS)
    sheet.title, sheet.sheet_state = "เก่า", "hidden"
    book.create_sheet("ว่าง")
    book.active = 1
    book.save(tmp_path / "a.xlsx")
    assert _read(tmp_path / "a.xlsx")[1] == ["the sheet เก่า is hidden and was read"]


def test_sheets_that_hold_data_are_named_with_those_that_are_hidden(tmp_path: Path) -> None:
    book, _sheet = _workbook(ROWS)
    for name, state in (("Old", "hidden"), ("Older", "veryHidden")):
        more = book.create_sheet(name)
        more.append(HEADER)
        more.sheet_state = state
    book.save(tmp_path / "a.xlsx")
    [what] = refusal(tmp_path / "a.xlsx")
    assert what == (
        "several sheets hold data: 'Sheet', 'Old' (hidden), 'Older' (very hidden); copy the rows to import into a"
        " new workbook, for Excel shows a very hidden sheet only to programmers"
    )


def test_columns_are_read_as_far_as_a_sheet_has_them(tmp_path: Path) -> None:
    book, sheet = _workbook(ROWS)
    sheet.cell(2, 257, "x")
    sheet.cell(3, 16384, "x")
    book.save(tmp_path / "a.xlsx")
    assert [line.split(";")[0] for line in refusal(tmp_path / "a.xlsx")] == [
        "line 2: has 257 cells, the header has 3",
        "line 3: has 16384 cells, the header has 3",
    ]


@pytest.mark.parametrize(
    ("parts", "what"),
    [
        ({"xl/workbook.bin": b"x"}, "is a binary workbook (.xlsb)"),
        ({"word/document.xml": b"x"}, "is a Word document"),
        ({"content.xml": b"x", "mimetype": b"x"}, "is an OpenDocument file (.ods)"),
        ({"Index/Document.iwa": b"x"}, "is a Numbers file"),
        ({"[Content_Types].xml": b"x", "XL/A.xml": b"x", "xl/a.xml": b"y"}, "two of its parts have the same name"),
    ],
)
def test_other_archives_are_named(tmp_path: Path, parts: dict[str, bytes], what: str) -> None:
    assert what in refusal(_zip(tmp_path / "a.xlsx", parts))[0]


@pytest.mark.parametrize(
    ("content", "what"),
    [
        (b"%PDF-1.7", "is named .xlsx but is a PDF"),
        (b"\x89PNG\r\n", "is named .xlsx but is a picture"),
        (b"\xef\xbb\xbf<html>", "is named .xlsx but is a web page"),
        (b"<?xml version='1.0'?><Workbook/>", "is named .xlsx but is an XML file"),
        (b"\xd0\xcf\x11\xe0" + "EncryptedPackage".encode("utf-16-le"), "is a workbook locked by a password; open"),
    ],
)
def test_a_file_of_another_kind_is_named(tmp_path: Path, content: bytes, what: str) -> None:
    (tmp_path / "a.xlsx").write_bytes(content)
    assert what in refusal(tmp_path / "a.xlsx")[0]


def test_an_archive_that_is_locked_is_named(tmp_path: Path) -> None:
    file = bytearray(workbook(worksheet(inline_row(1, HEADER))))
    for beginning, place in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        start = 0
        while (start := file.find(beginning, start)) >= 0:
            file[start + place] |= 1
            start += 4
    (tmp_path / "a.xlsx").write_bytes(file)
    assert refusal(tmp_path / "a.xlsx")[0].startswith(
        "the file is a workbook locked by a password; open it, remove"
    )


@pytest.mark.parametrize(
    ("name", "content", "what"),
    [
        ("xl/_rels/workbook.xml.rels", relationships(("worksheet", "nowhere.xml")), "a part of it is missing"),
        ("xl/_rels/workbook.xml.rels", relationships(), "a part of it is missing"),
        ("xl/workbook.xml", "<x", "its XML cannot be read"),
        ("xl/worksheets/sheet1.xml", "<x/>", "a sheet of it is none"),
        ("xl/styles.xml", "<x" + " " * 200, "its XML cannot be read"),
    ],
)
def test_a_workbook_whose_parts_do_not_fit_is_damaged(tmp_path: Path, name: str, content: str, what: str) -> None:
    parts = parts_of(worksheet(inline_row(1, HEADER) + inline_row(2, ["1", "ก"]))) | {name: content}
    (tmp_path / "a.xlsx").write_bytes(archive(parts))
    assert what in refusal(tmp_path / "a.xlsx")[0]


def test_names_of_parts_differ_neither_by_case_nor_by_slashes(tmp_path: Path) -> None:
    parts = parts_of(worksheet(inline_row(1, HEADER) + inline_row(2, ["1", "ก"])))
    moved = {
        name.replace("xl/worksheets/sheet1.xml", "xl\\Worksheets\\Sheet1.xml"): part
        for name, part in parts.items()
    }
    (tmp_path / "a.xlsx").write_bytes(archive(moved))
    assert read(tmp_path / "a.xlsx") == [(2, ["1", "ก", "-"])]
    parts["_rels/.rels"] = relationships(("officeDocument", "/xl/workbook.xml"))
    (tmp_path / "a.xlsx").write_bytes(archive(parts))
    assert read(tmp_path / "a.xlsx") == [(2, ["1", "ก", "-"])]


def test_a_format_that_a_style_does_not_apply_is_not_certain(tmp_path: Path) -> None:
    styles = (
        f'<styleSheet xmlns="{MAIN}"><cellStyleXfs><xf numFmtId="0"/></cellStyleXfs><cellXfs><xf numFmtId="0"/>'
        '<xf numFmtId="1" applyNumberFormat="{}" xfId="0"/></cellXfs></styleSheet>'
    )
    sheet = worksheet(
        inline_row(1, HEADER) + '<row r="2"><c r="A2" s="1"><v>7</v></c><c r="B2" t="str"><v>ก</v></c></row>'
    )
    (tmp_path / "a.xlsx").write_bytes(workbook(sheet, styles=styles.format(1)))
    assert read(tmp_path / "a.xlsx") == [(2, ["7", "ก", "-"])]
    (tmp_path / "a.xlsx").write_bytes(workbook(sheet, styles=styles.format(0)))
    assert "line 2, code: is the number 7 in the format undefined" in refusal(tmp_path / "a.xlsx")[0]


def test_days_are_counted_from_the_workbooks_own_first_day(tmp_path: Path) -> None:
    styles = f'<styleSheet xmlns="{MAIN}"><cellXfs><xf numFmtId="14"/></cellXfs></styleSheet>'
    sheet = worksheet(
        inline_row(1, HEADER) + '<row r="2"><c r="A2"><v>45366</v></c><c r="B2" t="str"><v>ก</v></c></row>'
    )
    for properties, day in (("", "15/03/2024"), ('<workbookPr date1904="1"/>', "16/03/2028")):
        parts = parts_of(sheet, styles=styles) | {
            "xl/workbook.xml": workbook_part(("a", ""), properties=properties)
        }
        (tmp_path / "a.xlsx").write_bytes(archive(parts))
        assert f"line 2, code: is the date {day};" in refusal(tmp_path / "a.xlsx")[0]
