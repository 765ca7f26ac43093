"""One table written in many ways is read as that very table or refused, and never read as another.

`libreoffice/` holds files that LibreOffice 7.4 wrote: the same table in each, or typed into our template.
"""

import csv
import io
import random
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import xlsxwriter
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from openpyxl import Workbook

from models.imports.accounts import LAYOUT as ACCOUNTS
from models.imports.organizations import LAYOUT as ORGANIZATIONS
from models.imports.personnel import layout as personnel
from models.imports.sent_file import check_file
from models.imports.successions import LAYOUT as SUCCESSIONS
from models.imports.tabular import ImportRefused, Layout
from models.imports.tabular.foreign import KINDS
from tests.models.imports.fuzz import fuzzed
from tests.models.imports.tables import HEADER, kept, read, refusal
from tests.models.imports.workbooks import inline_row, letters, shared_strings, workbook, worksheet, xstring

Table = list[list[str]]
Write = Callable[[Path, Table], Path]


def by_openpyxl(path: Path, rows: Table) -> Path:
    book = Workbook()
    sheet: Any = book.active
    for number, row in enumerate(rows, 1):
        for column, text in enumerate(row, 1):
            if text:
                cell = sheet.cell(number, column, xstring(text))
                # Not what openpyxl guesses it to be.
                cell.data_type = "s"
    book.save(path)
    return path


def by_xlsxwriter(path: Path, rows: Table, **options: bool) -> Path:
    book = xlsxwriter.Workbook(path, options)
    sheet = book.add_worksheet()
    text_format = book.add_format({"num_format": "@"})
    for number, row in enumerate(rows):
        for column, text in enumerate(row):
            sheet.write_string(number, column, text, text_format) if text else None
    book.close()
    return path


def in_cells(path: Path, rows: Table) -> Path:
    data = "".join(inline_row(number, row) for number, row in enumerate(rows, 1))
    path.write_bytes(workbook(worksheet(data)))
    return path


def by_hand(path: Path, rows: Table) -> Path:
    """Shared strings, single quotes, blanks, CDATA, and no references."""
    texts = sorted({text for row in rows for text in row})
    data = ""
    for row in rows:
        cells = "".join(f"<c t='s'><v>{texts.index(text)}</v></c>\n" if text else "<c/>" for text in row)
        data += f"\n<row>{cells}</row>"
    path.write_bytes(workbook(worksheet(data), shared_strings(texts)))
    return path


LESS, THAN = "<", "\3"


def _hidden(text: str) -> str:
    return xstring(text).replace(LESS, THAN)


def with_gaps(path: Path, rows: Table) -> Path:
    """Rows far from one another, empty cells with formats, and a prefix before each name."""
    data = ""
    for number, row in enumerate(rows):
        line = number * 1000 + 1
        cells = "".join(
            f'<c r="{letters(column)}{line}" s="1" t="str"><v><![CDATA[{_hidden(text)}]]></v></c>'
            if text and "]]>" not in text
            else f'<c r="{letters(column)}{line}" s="1"/>'
            for column, text in enumerate(row)
        )
        data += f'<row r="{line}" ht="15">{cells}</row>'
    sheet = worksheet(data).replace("<![", "\0").replace("<?", "\1").replace("</", "\2").replace("<", "<y:")
    sheet = sheet.replace("\2", "</y:").replace("\1", "<?").replace("\0", "<![").replace("xmlns=", "xmlns:y=")
    # Of the texts themselves.
    sheet = sheet.replace(THAN, LESS)
    path.write_bytes(workbook(sheet))
    return path


def as_csv(encoding: str, separator: str, *, hint: bool = False, quotes: int = csv.QUOTE_MINIMAL) -> Write:
    def write(path: Path, rows: Table) -> Path:
        path = path.with_suffix(".csv")
        text = io.StringIO()
        if hint:
            text.write(f"sep={separator}\r\n")
        csv.writer(text, delimiter=separator, quoting=quotes).writerows(rows)
        path.write_bytes(text.getvalue().encode(encoding))
        return path

    return write


ENCODINGS = ["utf-8", "utf-8-sig", "cp874", "tis-620", "utf-16", "utf-16-le", "utf-16-be", "utf-32", "gb18030"]
WAYS: dict[str, Write] = {
    "openpyxl": by_openpyxl,
    "XlsxWriter": by_xlsxwriter,
    "XlsxWriter, row by row": lambda path, rows: by_xlsxwriter(path, rows, constant_memory=True),
    "in cells": in_cells,
    "by hand": by_hand,
    "with gaps": with_gaps,
    **{
        f"{encoding} {separator!r}": as_csv(encoding, separator)
        for encoding in ENCODINGS
        for separator in (",", ";", "\t", "|", ":")
    },
    "a hint": as_csv("utf-8-sig", ",", hint=True),
    "a hint of semicolons": as_csv("utf-8-sig", ";", hint=True),
    "all in quotes": as_csv("utf-8", ",", quotes=csv.QUOTE_ALL),
    "semicolons and quotes": as_csv("cp874", ";", quotes=csv.QUOTE_ALL),
}
# Ways that must read every clean table, and not refuse any.
SURE = [
    "openpyxl",
    "XlsxWriter",
    "XlsxWriter, row by row",
    "in cells",
    "by hand",
    "utf-8 ','",
    "utf-8-sig ','",
    "a hint",
]

thai = st.text("กขคฆงจชซญดตทนบปพมยรลวสหอะาิีึืุูเแโใไ่้ ", min_size=1, max_size=8)
texts = (
    thai
    | st.text("abcXYZ0189 .,;:&<>|\t'\"()/_-๑๒", min_size=1, max_size=8)
    | st.sampled_from(
        ["0001", "1E5", "00012", "1/2", "มี", "ไม่มี", "a;b", "a,b", 'x"y', "๐๑", "_x0041_", "TRUE", "1.50", "- ก"]
    )
)
# The name is written so that it begins neither a formula nor a text in scientific notation.
names = texts.map(lambda text: f"ก{text}")
TABLES = st.lists(st.tuples(st.integers(0, 10**9).map(str), names, st.just("") | names), min_size=1, max_size=6)


def outcome(path: Path) -> list[list[str]] | None:
    """The rows of a file, or None for a refusal."""
    try:
        return [cells for _line, cells in read(path)]
    except ImportRefused:
        return None


@given(table=TABLES, way=st.sampled_from(sorted(WAYS)))
@settings(deadline=None, max_examples=250, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_table_is_read_as_it_is_or_refused(tmp_path: Path, table: list[tuple[str, str, str]], way: str) -> None:
    rows = [HEADER, *map(list, table)]
    path = WAYS[way](tmp_path / "a.xlsx", rows)
    found = outcome(path)
    # Notes are kept verbatim.
    expected = [[code, kept(name), note or "-"] for code, name, note in table]
    is_clean = all("\t" not in cell for row in table for cell in row)
    if found is not None:
        assert [[code, name, kept(note)] for code, name, note in found] == [
            [c, n, kept(o)] for c, n, o in expected
        ]
    elif way in SURE:
        assert not is_clean


# --- files that LibreOffice wrote ---------------------------------------------------------------------------

FILES = Path(__file__).with_name("libreoffice")
TABLE = [["0001", "สมชาย น้ำใส", "ก"], ["0002", "ปวีณา & <สายชล>", "-"], ["0004", "ธเนศ", "ข ค"]]


@pytest.mark.parametrize("name", ["plain.xlsx", "strict.xlsx", "hidden.xlsx", "plain.csv", "cp874.csv"])
def test_what_libreoffice_writes_is_read(name: str) -> None:
    assert outcome(FILES / name) == TABLE


@pytest.mark.parametrize(
    ("name", "what"),
    [
        ("merged.xlsx", ["line 2: the cells B2:B3 are merged; unmerge them and fill in each cell"]),
        ("semicolon.csv", ["the file has semicolons between its columns, and no commas; save it as CSV UTF-8"]),
        ("tab-utf16.csv", ["the file is a text in UTF-16 (Unicode text); save it as CSV UTF-8"]),
        ("numbers.xlsx", ["line 3, note: is a formula; paste", "line 5, name: is a formula; paste"]),
        (
            "formats.xlsx",
            ["line 3, code: is the number 2, and the cell shows A-002;", "line 5, code: is the date 15/03/2024;"],
        ),
    ],
)
def test_what_libreoffice_shows_otherwise_is_refused(name: str, what: list[str]) -> None:
    found = refusal(FILES / name)
    assert [line[: len(start)] for line, start in zip(found, what, strict=True)] == what


def test_what_is_typed_into_the_template_comes_back_as_it_was_typed() -> None:
    """In LibreOffice: 0004, 1-2 and 3/4 in the first empty row, and 00012 in row 9001."""
    sent = check_file("a.xlsx", (FILES / "template-typed.xlsx").read_bytes(), "5110201")
    assert [tuple(record) for record in sent.records] == [
        ("0001", "สมมุติ หนึ่ง", "official", "ปลัด", "กลาง", "rn"),
        ("0002", "สมมุติ สอง", "contract_employee", "- ยาม", "", "-r"),
        ("0004", "สมมุติ พิมพ์เอง", "contract_employee", "1-2", "3/4", "r-"),
        ("00012", "สมมุติ ท้าย", "official", "ปลัด", "", "nr"),
    ]


# --- files of another kind ------------------------------------------------------------------------------------


def test_kinds_are_told_apart_by_the_columns_that_they_have() -> None:
    layouts = {
        "organizations": ORGANIZATIONS,
        "accounts": ACCOUNTS,
        "personnel": personnel(str),
        "successions": SUCCESSIONS,
    }
    assert {kind: tuple((c.name, c.thai) for c in layout.columns) for kind, layout in layouts.items()} == KINDS
    assert all(layout.kind == kind for kind, layout in layouts.items())


@pytest.mark.parametrize("language", [0, 1])
@pytest.mark.parametrize(
    ("given_kind", "layout"),
    [
        ("personnel", ACCOUNTS),
        ("organizations", ACCOUNTS),
        ("accounts", personnel(str)),
        ("personnel", ORGANIZATIONS),
        ("successions", ORGANIZATIONS),
        ("organizations", SUCCESSIONS),
        ("personnel", SUCCESSIONS),
    ],
)
def test_a_file_of_another_kind_is_named(tmp_path: Path, given_kind: str, layout: Layout, language: int) -> None:
    path = tmp_path / "a.csv"
    header = [names[language] for names in KINDS[given_kind]]
    path.write_text(",".join(header) + "\n" + ",".join("x" * len(header)) + "\n", encoding="utf-8")
    assert refusal(path, layout) == [
        f"this is a file of {given_kind}, not of {layout.kind}; give the file of {layout.kind}"
    ]


def test_a_title_above_the_header_is_named(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("ทะเบียนบุคลากร,,\n,,\ncode,name,note\n1,ก,\n", encoding="utf-8")
    assert refusal(path) == [
        "line 1: is a title above the header, which is on line 3;"
        " delete the lines above the header, so that it is the first"
    ]


@pytest.mark.parametrize("text", ["1-2345-67890-12-1", "๑๒๓๔๕๖๗๘๙๐๑๒๓", "1234567890123", "no 1234567890 123"])
def test_what_could_be_an_id_number_is_not_repeated(tmp_path: Path, text: str) -> None:
    path = tmp_path / "a.csv"
    header = [name for name, _thai in KINDS["personnel"]]
    row = ["1", "1", "ก", text, "ก", "", text]
    path.write_text(",".join([*header, "ประวัติ"]) + "\n" + ",".join(row) + "\n", encoding="utf-8")
    told = " ".join(refusal(path, personnel(str)))
    assert "(not shown) is no category" in told
    assert not any(character in told for character in "๒3")


# --- files that are damaged -----------------------------------------------------------------------------------


def test_a_damaged_file_is_refused_or_read_as_the_same_table() -> None:
    """A short fuzz; `python -m tests.models.imports.fuzz` goes on as long as it is told."""
    assert fuzzed(seconds=10, seed=random.Random().randrange(1 << 30)) > 100


def test_a_file_without_its_end_is_refused(tmp_path: Path) -> None:
    whole = (FILES / "plain.xlsx").read_bytes()
    for end in range(1, len(whole), 97):
        (tmp_path / "a.xlsx").write_bytes(whole[:-end])
        assert outcome(tmp_path / "a.xlsx") is None


def test_an_archive_whose_contents_are_changed_is_refused(tmp_path: Path) -> None:
    with zipfile.ZipFile(FILES / "plain.xlsx") as archive:
        part = archive.getinfo("xl/worksheets/sheet1.xml")
    whole = bytearray((FILES / "plain.xlsx").read_bytes())
    whole[part.header_offset + 80] ^= 0xFF
    (tmp_path / "a.xlsx").write_bytes(whole)
    assert outcome(tmp_path / "a.xlsx") is None
