"""Reading CSV and XLSX files: what comes out of clean ones, and how others are refused."""

import csv
import io
import unicodedata
import zipfile
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from openpyxl import Workbook

from models.imports.tabular import (
    BadCell,
    Column,
    ImportRefused,
    Layout,
    Problems,
    open_table,
)
from models.imports.tabular.cells import REFUSED_CATEGORIES, clean, holds_national_id, is_national_id
from models.imports.tabular.problems import MAX_PROBLEMS
from models.imports.tabular.xlsx_source import Limits, XlsxSource

LAYOUT = Layout(
    (
        Column("code", "รหัส", 10, is_code=True),
        Column("name", "ชื่อ", 30),
        Column("note", "หมายเหตุ", 200, empty="-", verbatim=True),
    )
)
HEADER = ["code", "name", "note"]


def read(path: Path, layout: Layout = LAYOUT, most: int = MAX_PROBLEMS) -> list[tuple[int, list[str]]]:
    found = Problems(most)
    with open_table(path, layout, found) as table:
        rows = [(line, list(cells)) for batch in table.batches() for line, cells in batch]
    found.require_none()
    return rows


def refusal(path: Path, layout: Layout = LAYOUT, most: int = MAX_PROBLEMS) -> list[str]:
    with pytest.raises(ImportRefused) as refused:
        read(path, layout, most)
    assert str(refused.value) == "\n".join(str(problem) for problem in refused.value.problems)
    return [str(problem) for problem in refused.value.problems]


def to_csv(path: Path, rows: list[list[str]], encoding: str = "utf-8") -> Path:
    with path.open("w", encoding=encoding, newline="") as file:
        csv.writer(file).writerows(rows)
    return path


def to_xlsx(path: Path, rows: list[list[Any]], **more: list[list[Any]]) -> Path:
    workbook = Workbook()
    for title, content in {"Sheet": rows, **more}.items():
        sheet: Any = workbook["Sheet"] if title == "Sheet" else workbook.create_sheet(title)
        for row in content:
            sheet.append(row)
    workbook.save(path)
    return path


# --- what comes through -------------------------------------------------------------------------------------

NOT_SEEN = "\u034f\u115f\u1160\u17b4\u17b5\u180b\u180c\u180d\u180e\u180f\u3164\uffa0\ufffd"
thai = st.sampled_from([chr(point) for point in (*range(0x0E01, 0x0E3B), *range(0x0E3F, 0x0E5C))])
western = st.characters(min_codepoint=0x20, max_codepoint=0x7E)
anything = st.characters(
    exclude_categories=[*REFUSED_CATEGORIES, "Cn", "Mn"], exclude_characters=NOT_SEEN
) | st.sampled_from("่้๊๋์ํ็ุู")
SIGNS = tuple("=+-@#＝＋－＠")


def texts(letters: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    """Texts that a cell may hold."""
    return st.text(letters, min_size=1, max_size=20).filter(
        lambda text: bool(text.strip()) and not text.strip().startswith(SIGNS) and "_x" not in text
    )


def kept(text: str) -> str:
    return " ".join(unicodedata.normalize("NFC", text).split())


@given(names=st.lists(texts(anything), min_size=1, max_size=5))
@settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@pytest.mark.parametrize("kind", ["utf-8", "utf-8-sig", "xlsx"])
def test_any_clean_text_survives(tmp_path: Path, kind: str, names: list[str]) -> None:
    rows = [HEADER, *(["1", name, ""] for name in names)]
    path = (
        to_xlsx(tmp_path / "a.xlsx", rows) if kind == "xlsx" else to_csv(tmp_path / "a.csv", rows, encoding=kind)
    )
    assert read(path) == [(line, ["1", kept(name), "-"]) for line, name in enumerate(names, 2)]


@given(names=st.lists(texts(thai | western), min_size=1, max_size=5))
@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_thai_text_survives_cp874(tmp_path: Path, names: list[str]) -> None:
    # A line that UTF-8 cannot be: without it a text of ASCII letters would be read as that, to the same end.
    rows = [HEADER, ["0", "ก", ""], *(["1", name, ""] for name in names)]
    path = to_csv(tmp_path / "a.csv", rows, encoding="cp874")
    assert [cells[1] for _line, cells in read(path)][1:] == [kept(name) for name in names]


@given(content=st.binary(max_size=200), suffix=st.sampled_from([".csv", ".xlsx"]))
@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_bytes_are_read_or_refused(tmp_path: Path, content: bytes, suffix: str) -> None:
    path = tmp_path / f"a{suffix}"
    path.write_bytes(content)
    with pytest.raises(ImportRefused):
        read(path)


def test_headers_in_thai_in_any_order_and_case(tmp_path: Path) -> None:
    path = to_csv(tmp_path / "a.CSV", [["ชื่อ", " NOTE ", "รหัส"], ["กก", "n", "๑๒"]])
    assert read(path) == [(2, ["12", "กก", "n"])]


def test_blanks_digits_and_sara_am(tmp_path: Path) -> None:
    rows = [HEADER, ["\u00a0๐๗ ", "  น้ำ \u2003 ใส ๑  ", " a  b "], ["1", "นํ้า", ""]]
    assert read(to_csv(tmp_path / "a.csv", rows)) == [
        (2, ["07", "น้ำ ใส ๑", " a  b "]),
        # As typed, in two letters: NFC does not join NIKHAHIT and SARA AA.
        (3, ["1", unicodedata.normalize("NFC", "นํ้า"), "-"]),
    ]


def test_empty_lines_and_empty_cells_at_the_end_do_not_count(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text('\r\n,,\r\ncode,name,note,,\r\n1,ก,,,\r\n\r\n , ,\r\n2,"ข,ค",x\r\n', newline="")
    assert read(path) == [(4, ["1", "ก", "-"]), (7, ["2", "ข,ค", "x"])]


def test_numbers_in_a_workbook_are_their_digits(tmp_path: Path) -> None:
    path = to_xlsx(tmp_path / "a.xlsx", [HEADER, [2110101, 1.0, None], ["007", "ก"]])
    assert read(path) == [(2, ["2110101", "1", "-"]), (3, ["007", "ก", "-"])]


def test_dashes_and_signed_numbers_are_no_formulas(tmp_path: Path) -> None:
    for text in ("-", "--", "- ไม่มี -", "-5", "+66 2 123 4567"):
        assert read(to_csv(tmp_path / "a.csv", [HEADER, ["1", text, ""]])) == [(2, ["1", text, "-"])]


# --- what is refused ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("cell", "what"),
    [
        ("=1+1", "line 2, name: starts with = like a formula; "),
        (" =A1", "line 2, name: starts with = like a formula; "),
        ("+A1", "line 2, name: starts with + like a formula; "),
        ("-2+cmd|' /C calc'!A0", "line 2, name: starts with - like a formula; "),
        ("@SUM(1)", "line 2, name: starts with @ like a formula; "),
        ("＝1", "line 2, name: starts with ＝ like a formula; "),
        ("#REF!", "line 2, name: is the error value #REF! of a spreadsheet; "),
        ("ก\nข", "line 2, name: contains a line break, which cannot be seen; "),
        ("ก\tข", "line 2, name: contains a tab, which cannot be seen; "),
        ("ก\x07", "line 2, name: contains U+0007 (a control character), which cannot be seen; "),
        ("ก\u202eข", "line 2, name: contains U+202E (RIGHT-TO-LEFT OVERRIDE), which cannot be seen; "),
        ("ก\u200bข", "line 2, name: contains U+200B (ZERO WIDTH SPACE), which cannot be seen; "),
        ("\ufeffก", "line 2, name: contains U+FEFF (ZERO WIDTH NO-BREAK SPACE), which cannot be seen; "),
        ("ก\u2028", "line 2, name: contains U+2028 (LINE SEPARATOR), which cannot be seen; "),
        ("ก\ue000", "line 2, name: contains U+E000 (a control character), which cannot be seen; "),
        ("ก\u3164", "line 2, name: contains U+3164 (HANGUL FILLER); "),
        ("", "line 2, name: is empty; fill it in"),
        ("   ", "line 2, name: is empty; fill it in"),
        ("ก" * 31, "line 2, name: has 31 characters; shorten it to 30"),
    ],
)
def test_a_wrong_cell_is_named(tmp_path: Path, cell: str, what: str) -> None:
    found = refusal(to_csv(tmp_path / "a.csv", [HEADER, ["1", cell, ""]]))
    assert len(found) == 1
    assert found[0].startswith(what)


@pytest.mark.parametrize(
    ("value", "what"),
    [
        ("=1+1", "starts with = like a formula"),
        (datetime(2026, 1, 1), "is a date or time"),
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


def test_all_problems_are_reported_together(tmp_path: Path) -> None:
    rows = [HEADER, ["", "=1", ""], ["1", "ก"], ["1", "ก", "", "x"], ["1", "\u200b", ""]]
    found = refusal(to_csv(tmp_path / "a.csv", rows))
    assert [line.split(":")[0] for line in found] == [
        "line 2, code",
        "line 2, name",
        "line 3",
        "line 4",
        "line 5, name",
    ]
    assert found[2] == "line 3: has 2 cells, the header has 3; give each column one cell, empty or not"


def test_lines_are_counted_across_quoted_line_breaks(tmp_path: Path) -> None:
    path = to_csv(tmp_path / "a.csv", [HEADER, ["1", "ก\nข", ""], ["", "ค", ""]])
    assert [line.split(":")[0] for line in refusal(path)] == ["line 2, name", "line 4, code"]


def test_more_problems_than_anybody_mends_end_the_reading(tmp_path: Path) -> None:
    found = refusal(to_csv(tmp_path / "a.csv", [HEADER, *([["", "ก", ""]] * 20)]), most=5)
    assert len(found) == 6
    assert "more than 5 problems; mend these and import again" in found


@pytest.mark.parametrize(
    ("header", "what"),
    [
        (["code", "name"], "note: is missing; add a column note or หมายเหตุ"),
        (["code", "name", "note", "รหัส"], "line 1, รหัส: is there twice"),
        (
            ["code", "name", "note", "else"],
            "line 1, else: is no column of this kind of file; the columns are code,",
        ),
        (["code", "", "name", "note"], "line 1, column 2: has no name"),
        (["code", "na\u200bme", "note"], "line 1, column 2: contains U+200B"),
        (["code;name;note"], "line 1: has no commas between its columns"),
    ],
)
def test_a_wrong_header_is_named(tmp_path: Path, header: list[str], what: str) -> None:
    found = refusal(to_csv(tmp_path / "a.csv", [header, ["1"] * len(header)]))
    assert any(what in line for line in found), found


WORKBOOK = io.BytesIO()
Workbook().save(WORKBOOK)


@pytest.mark.parametrize(
    ("name", "content", "what"),
    [
        ("a.csv", b"", "the file is empty"),
        ("a.csv", b"\r\n\r\n", "the file is empty"),
        ("a.csv", b"\xef\xbb\xbf", "the file is empty"),
        ("a.csv", b"code,name,note\r\n", "the file has a header but no rows"),
        ("a.csv", WORKBOOK.getvalue(), "the file is named .csv but is a ZIP or XLSX file"),
        ("a.csv", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "the file is named .csv but is an old Excel file"),
        ("a.csv", "code,name,note".encode("utf-16"), "the file is in UTF-16"),
        ("a.csv", "code,name,note".encode("utf-16-le"), "the file is not a text: line 1 holds a NUL byte"),
        ("a.csv", b"code,name,note\n1,\xff,\n", "neither UTF-8 (line 2) nor CP874 (line 2)"),
        ("a.csv", b"code,name,note\n1,\xe0\xb8,\n2,\xfc,", "neither UTF-8 (line 2) nor CP874 (line 3)"),
        ("a.csv", b"\xef\xbb\xbfcode,name,note\n1,\xb9,\n", "line 2: is not UTF-8, as the file's first bytes say"),
        ("a.csv", b'code,name,note\n1,"\xe0\xb8\x81,\n2,x,\n', "line 2: cannot be read as CSV"),
        ("a.csv", b'code,name,note\n1,"a"b,\n', "line 2: cannot be read as CSV"),
        ("a.xlsx", b"", "the file is empty"),
        ("a.xlsx", b"code,name,note\n1,a,\n", "the file is named .xlsx but is no workbook"),
        ("a.xlsx", b"PK\x03\x04 and nothing more", "the file is named .xlsx but is no workbook"),
        ("a.xlsx", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "an old Excel file or locked by a password"),
        ("a.xlsx", WORKBOOK.getvalue(), "the workbook is empty"),
        ("a.xls", b"x", "ends neither with .csv nor with .xlsx"),
    ],
)
def test_a_file_that_is_not_what_its_name_says(tmp_path: Path, name: str, content: bytes, what: str) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    found = refusal(path)
    assert len(found) == 1
    assert what in found[0]


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    assert refusal(tmp_path / "no.csv") == [
        "the file cannot be opened: No such file or directory; check its name and your rights"
    ]
    (tmp_path / "folder.csv").mkdir()
    assert "cannot be opened" in refusal(tmp_path / "folder.csv")[0]


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
    assert "but no workbook" in refusal(_zip(tmp_path / "a.xlsx", {"a.txt": b"x"}))[0]
    assert "the workbook is damaged" in refusal(_zip(tmp_path / "a.xlsx", {"[Content_Types].xml": b"<x"}))[0]


@pytest.mark.parametrize("part", ["xl/sharedStrings.xml", "xl/worksheets/sheet1.xml"])
def test_a_zip_bomb_is_not_unpacked(tmp_path: Path, part: str) -> None:
    path = _zip(tmp_path / "a.xlsx", {"[Content_Types].xml": b"<x", part: bytes(2 << 20)})
    with path.open("rb") as file, pytest.raises(ImportRefused, match="far too large when unpacked"):
        XlsxSource(file, Limits(sheets=1 << 20, others=1 << 20))


# --- national ID numbers ------------------------------------------------------------------------------------


def id_number(first12: str) -> str:
    """A number with the check digit that belongs to it."""
    total = sum(int(digit) * weight for digit, weight in zip(first12, range(13, 1, -1), strict=True))
    return first12 + str((11 - total % 11) % 10)


@given(st.from_regex("[1-8][0-9]{11}", fullmatch=True).filter(str.isascii))
def test_national_id_numbers_are_known_in_every_dress(first12: str) -> None:
    number = id_number(first12)
    wrong = number[:-1] + str((int(number[-1]) + 1) % 10)
    dashed = f"{number[0]}-{number[1:5]}-{number[5:10]}-{number[10:12]}-{number[12]}"
    thai_digits = number.translate(str.maketrans("0123456789", "๐๑๒๓๔๕๖๗๘๙"))
    for dressed in (number, dashed, dashed.replace("-", " "), thai_digits, f" {number} "):
        assert is_national_id(dressed)
        assert holds_national_id(f"ก {dressed} ข")
        assert not is_national_id(f"ก {dressed}")
    assert not is_national_id(wrong)
    assert not holds_national_id(wrong)
    assert not holds_national_id(number + "1")


def test_clean_never_shows_the_text_it_refuses() -> None:
    with pytest.raises(BadCell) as bad:
        clean("=secret-password", verbatim=True)
    assert "secret" not in bad.value.what + bad.value.mend
