"""Writes XLSX tables: a frozen header, filters, and texts that cannot become formulas."""

import re
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import IO, Generic, NamedTuple, TypeVar

import xlsxwriter  # type: ignore[import-untyped]

Row = TypeVar("Row")
Value = str | int | None

# Characters that XML 1.0 does not allow.
_ILLEGAL = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")
# First characters of formulas. A cell that begins so gets a quote prefix, to stay text when somebody edits it.
_FORMULA = ("=", "+", "-", "@")
# In place of the time of writing, so that the same rows make the same file.
_CREATED = datetime(2026, 1, 1, tzinfo=UTC)


# The last row of a sheet (Excel, specifications and limits), counted from 0.
_LAST_ROW = 1_048_575


class Column(NamedTuple, Generic[Row]):
    """One column: its header, its width in characters, and the function that gives a row's cell.

    With `choices` a cell takes only one of them, from a drop-down list.
    """

    name: str
    width: int
    value: Callable[[Row], Value]
    choices: tuple[str, ...] = ()


class Workbook(Generic[Row]):
    """A table that is streamed to a file row by row, in constant memory; use it with `with`.

    Integers are written as numbers, all else as text, so that codes keep leading zeros. `is_form`: people fill the
    table in, so its empty cells are formatted as text too.
    """

    def __init__(
        self, file: str | Path | IO[bytes], title: str, columns: Sequence[Column[Row]], *, is_form: bool = False
    ) -> None:
        self._columns = columns
        self._is_form = is_form
        self.rows = 0
        self._book = xlsxwriter.Workbook(file, {"constant_memory": True})
        self._book.set_properties({"created": _CREATED})
        # A sheet's name has at most 31 letters, and none of these (Excel, sheet names).
        self._sheet = self._book.add_worksheet(re.sub(r"[\[\]:*?/\\']", " ", title)[:31])
        self._text = self._book.add_format({"num_format": "@"})
        self._quoted = self._book.add_format({"num_format": "@", "quote_prefix": True})

    def __enter__(self) -> "Workbook[Row]":
        """Write the header."""
        header = self._book.add_format({"num_format": "@", "bold": True, "bg_color": "#E3ECF4"})
        self._sheet.freeze_panes(1, 0)
        for place, column in enumerate(self._columns):
            self._sheet.set_column(place, place, column.width, self._text if self._is_form else None)
            self._sheet.write_string(0, place, column.name, header)
            if column.choices:
                self._offer(place, column.choices)
        return self

    def _offer(self, place: int, choices: tuple[str, ...]) -> None:
        validation = {
            "validate": "list",
            "source": list(choices),
            "error_title": "เลือกจากรายการ",
            "error_message": " / ".join(choices),
        }
        self._sheet.data_validation(1, place, _LAST_ROW, place, validation)

    def explain(self, title: str, rows: Sequence[tuple[str, str]]) -> None:
        """Add a second sheet of two columns, with instructions for the first one. The first row is the heading."""
        sheet = self._book.add_worksheet(title)
        sheet.set_column(0, 0, 26)
        sheet.set_column(1, 1, 90)
        heading = self._book.add_format({"num_format": "@", "bold": True})
        wrapped = self._book.add_format({"num_format": "@", "text_wrap": True, "valign": "top"})
        for number, (left, right) in enumerate(rows):
            sheet.write_string(number, 0, left, wrapped if number else heading)
            sheet.write_string(number, 1, right, wrapped)

    def append(self, row: Row) -> None:
        """Write the next row. Characters that XML does not allow are left out."""
        self.rows += 1
        for place, column in enumerate(self._columns):
            value = column.value(row)
            if isinstance(value, int):
                self._sheet.write_number(self.rows, place, value)
            elif value:
                text = _ILLEGAL.sub("", value)
                is_formula = text.startswith(_FORMULA)
                self._sheet.write_string(self.rows, place, text, self._quoted if is_formula else self._text)

    def __exit__(
        self, _kind: type[BaseException] | None, _error: BaseException | None, _traceback: TracebackType | None
    ) -> None:
        """Set the filters and finish the file."""
        self._sheet.autofilter(0, 0, self.rows, len(self._columns) - 1)
        self._book.close()
