"""Workbooks: their numbers, their one filled sheet, and what is no workbook or would fill the memory."""

import zipfile
from datetime import datetime
from pathlib import Path

import pytest

from models.imports.tabular import ImportRefused
from models.imports.tabular.xlsx_source import Limits, XlsxSource
from tests.models.imports.tables import HEADER, empty_workbook, read, refusal, to_xlsx


def test_numbers_in_a_workbook_are_their_digits(tmp_path: Path) -> None:
    path = to_xlsx(tmp_path / "a.xlsx", [HEADER, [2110101, 1.0, None], ["007", "ก"]])
    assert read(path) == [(2, ["2110101", "1", "-"]), (3, ["007", "ก", "-"])]


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


@pytest.mark.parametrize(
    ("name", "content", "what"),
    [
        ("a.xlsx", b"", "the file is empty"),
        ("a.xlsx", b"code,name,note\n1,a,\n", "the file is named .xlsx but is no workbook"),
        ("a.xlsx", b"PK\x03\x04 and nothing more", "the file is named .xlsx but is no workbook"),
        ("a.xlsx", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "an old Excel file or locked by a password"),
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
    assert "but no workbook" in refusal(_zip(tmp_path / "a.xlsx", {"a.txt": b"x"}))[0]
    assert "the workbook is damaged" in refusal(_zip(tmp_path / "a.xlsx", {"[Content_Types].xml": b"<x"}))[0]


@pytest.mark.parametrize("part", ["xl/sharedStrings.xml", "xl/worksheets/sheet1.xml"])
def test_a_zip_bomb_is_not_unpacked(tmp_path: Path, part: str) -> None:
    path = _zip(tmp_path / "a.xlsx", {"[Content_Types].xml": b"<x", part: bytes(2 << 20)})
    with path.open("rb") as file, pytest.raises(ImportRefused, match="far too large when unpacked"):
        XlsxSource(file, Limits(sheets=1 << 20, others=1 << 20))
