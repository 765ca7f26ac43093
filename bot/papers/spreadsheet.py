"""XLSX files of one sheet: a header that stays in sight, filters, and text that never becomes a formula."""

import re
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import IO, Generic, NamedTuple, TypeVar

import xlsxwriter  # type: ignore[import-untyped]

Row = TypeVar("Row")
Value = str | int | None

# What XML 1.0 cannot hold.
_ILLEGAL = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")
# A formula's first letters: the cell keeps a quote before them, so that it stays text when somebody edits it.
_FORMULA = ("=", "+", "-", "@")
# In place of the time of writing: the same rows make the same file.
_CREATED = datetime(2026, 1, 1, tzinfo=UTC)


class Column(NamedTuple, Generic[Row]):
    """One column: its header, its width in characters, and what of a row stands in it."""

    name: str
    width: int
    value: Callable[[Row], Value]


class Workbook(Generic[Row]):
    """A file that is written row by row, so that any number of them takes no memory; use it with `with`.

    Numbers stay numbers, all else is text: codes keep their zeros.
    """

    def __init__(self, file: str | Path | IO[bytes], title: str, columns: Sequence[Column[Row]]) -> None:
        self._columns = columns
        self.rows = 0
        self._book = xlsxwriter.Workbook(file, {"constant_memory": True})
        self._book.set_properties({"created": _CREATED})
        # Excel, sheet names: at most 31 letters, none of these.
        self._sheet = self._book.add_worksheet(re.sub(r"[\[\]:*?/\\']", " ", title)[:31])
        self._text = self._book.add_format({"num_format": "@"})
        self._quoted = self._book.add_format({"num_format": "@", "quote_prefix": True})

    def __enter__(self) -> "Workbook[Row]":
        """Write the header."""
        header = self._book.add_format({"num_format": "@", "bold": True, "bg_color": "#E3ECF4"})
        self._sheet.freeze_panes(1, 0)
        for place, column in enumerate(self._columns):
            self._sheet.set_column(place, place, column.width)
            self._sheet.write_string(0, place, column.name, header)
        return self

    def append(self, row: Row) -> None:
        """Write one row below the others."""
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
        """Set the filters over all rows, and write the file."""
        self._sheet.autofilter(0, 0, self.rows, len(self._columns) - 1)
        self._book.close()
