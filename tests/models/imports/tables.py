"""Files of rows, written and read as a test wants them."""

import csv
import io
from pathlib import Path
from typing import Any

import pytest
from hypothesis import strategies as st
from openpyxl import Workbook

from models.base.spelling import spelled
from models.imports.tabular import Column, ImportRefused, Layout, Problems, open_table
from models.imports.tabular.problems import MAX_PROBLEMS

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


def empty_workbook() -> bytes:
    """A workbook with one sheet and nothing in it."""
    file = io.BytesIO()
    Workbook().save(file)
    return file.getvalue()


SIGNS = tuple("=+-@#＝＋－＠")


def texts(letters: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    """Texts that a cell may hold."""
    return st.text(letters, min_size=1, max_size=20).filter(
        lambda text: bool(text.strip()) and not text.strip().startswith(SIGNS) and "_x" not in text
    )


def kept(text: str) -> str:
    """A text as the one spelling has it, blanks tidied."""
    return " ".join(spelled(text).split())
