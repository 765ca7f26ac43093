"""Raw rows of an XLSX workbook's only filled sheet, with each cell as it is displayed."""

import re
from collections.abc import Iterator
from itertools import islice
from typing import BinaryIO

from models.imports.tabular.csv_source import ROWS_A_BATCH, RawRow
from models.imports.tabular.number_formats import AS_TEXT, UnknownFormat, changes_text, number_text
from models.imports.tabular.package import SAVE_ANEW, Limits, Package, too_large
from models.imports.tabular.problems import BadCell, English, Problem, english, refuse, spans
from models.imports.tabular.sheet import (
    FORMULA,
    INLINE,
    CellFacts,
    RawCell,
    Sheet,
    column_letters,
)
from models.imports.tabular.workbook import MAX_TEXT, TOO_LONG, SheetEntry, Workbook, unescaped

# A register of 478,000 records with 15 columns has about 500 MB in its sheet and 60 MB in its strings.
LIMITS = Limits(unpacked=3 << 30, strings=160 << 20, pieces=1 << 31, distinct=1 << 30)

#: The name and first cell of the explanation sheet in the program's own template. It is ignored.
EXPLANATION = ("คำอธิบาย", "วิธีกรอกทะเบียน")

# Cache size in distinct cells: most cells of a register repeat, names do not.
_MEMORY = 50_000
_NUMBER = re.compile(r"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?")
_INTEGER = re.compile("[0-9]{1,15}")
_ERROR = re.compile("#[A-Z0-9_/]{1,20}[!?]?")
_UNKNOWN = UnknownFormat("undefined")

_NO_TEXT = {
    "b": BadCell(
        english("is TRUE or FALSE"), english("format the column as text and type the word that belongs there")
    ),
    "d": BadCell(english("is a date or time"), AS_TEXT),
}
_IS_FORMULA = BadCell(english("is a formula"), english("paste the cell as a value"))
_NO_STRING = BadCell(english("refers to a text that the workbook does not hold"), SAVE_ANEW)
_UNKNOWN_KIND = BadCell(english("is of a kind that is not known"), AS_TEXT)
_BOTH = BadCell(english("has two values"), SAVE_ANEW)
_CHANGED = BadCell(english("has a number format that changes its text"), AS_TEXT)


class _Cells(dict[CellFacts, RawCell]):
    """A cache from cells as stored to what they display.

    `most`: how many cells that are not in the cache may be converted.
    """

    def __init__(self, workbook: Workbook, most: int) -> None:
        super().__init__()
        self._remaining = most
        self._strings = workbook.strings
        self._formats = workbook.number_formats
        self._starts_1904 = workbook.starts_1904
        # Number formats by the cells' style attribute.
        self._codes: dict[str, str] = {}

    def __missing__(self, facts: CellFacts) -> RawCell:
        self._remaining -= 1
        if self._remaining < 0:
            raise too_large()
        if len(self) >= _MEMORY:
            self.clear()
        displayed = self[facts] = self._displayed(*facts)
        return displayed

    def _displayed(self, style: str, kind: str, value: str, inline: str) -> RawCell:
        if kind == FORMULA:
            return _IS_FORMULA
        if inline and (value or kind != INLINE):
            return _BOTH
        if kind == "e":
            return _error(value.strip())
        if not value and not inline:
            return ""
        if kind in ("", "n"):
            return self._number(value.strip(" \t\r\n"), style)
        text = _NO_TEXT.get(kind) or self._text(kind, value, inline)
        return _CHANGED if isinstance(text, str) and changes_text(self._code(style)) else text

    def _text(self, kind: str, value: str, inline: str) -> RawCell:
        if kind == "s":
            number = value.strip(" \t\r\n")
            if not _INTEGER.fullmatch(number) or int(number) >= len(self._strings):
                return _NO_STRING
            return self._strings[int(number)]
        if kind not in ("str", INLINE):
            return _UNKNOWN_KIND
        text = value or inline
        return TOO_LONG if len(text) > MAX_TEXT else unescaped(text)

    def _number(self, digits: str, style: str) -> RawCell:
        if not _NUMBER.fullmatch(digits):
            return _UNKNOWN_KIND
        number = int(digits) if _INTEGER.fullmatch(digits) else float(digits)
        return number_text(number, self._code(style), starts_1904=self._starts_1904)

    def _code(self, style: str) -> str:
        """Return the number format of a style. Cells without a style have the first one."""
        code = self._codes.get(style)
        if code is None:
            if len(self._codes) >= _MEMORY:
                self._codes.clear()
            code = self._codes[style] = self._find_code(style)
        return code

    def _find_code(self, style: str) -> str:
        number = int(style or "0") if (style or "0").isdecimal() else len(self._formats)
        if not style and not self._formats:
            return "General"
        code = self._formats[number] if number < len(self._formats) else None
        return _UNKNOWN if code is None else code


def _error(value: str) -> BadCell:
    mend = english("write the text that belongs there")
    if _ERROR.fullmatch(value):
        return BadCell(english("is the error value {value} of a spreadsheet", value=value), mend)
    return BadCell(english("is an error value of a spreadsheet"), mend)


class XlsxSource:
    """The rows of a workbook. A row ends with its last filled cell, so the table pads short rows."""

    pads = True

    def __init__(self, file: BinaryIO, limits: Limits = LIMITS) -> None:
        """Open a workbook. Raises ImportRefused if it is damaged, too large, or has not exactly one filled
        sheet.
        """
        self._package = Package(file, limits)
        workbook = Workbook(self._package)
        self._cells = _Cells(workbook, limits.distinct)
        self._entry, self._sheet, self._rows = self._filled_sheet(workbook.sheets)

    def _filled_sheet(self, entries: list[SheetEntry]) -> tuple[SheetEntry, Sheet, Iterator[RawRow]]:
        """Return the only sheet with content. Hidden sheets count too, so that no sheet is mistaken for
        another.
        """
        filled: list[tuple[SheetEntry, Sheet, Iterator[RawRow]]] = []
        for entry in entries:
            sheet = Sheet(self._package, entry.part, self._cells)
            rows = sheet.rows()
            first = next(rows, None)
            if first is not None and (entry.name, first[1][0]) != EXPLANATION:
                filled.append((entry, sheet, _again(first, rows)))
        if not filled:
            raise refuse(english("the workbook is empty"), english("give a sheet with a header line and rows"))
        if len(filled) > 1:
            raise refuse(
                english("several sheets hold data: {names}", names=_named([entry for entry, *_ in filled])),
                _mend_sheets([entry for entry, *_ in filled]),
            )
        return filled[0]

    def position(self) -> tuple[int, int]:
        """Return how many bytes of the sheet are read, and its size."""
        return self._sheet.done, self._sheet.total

    def batches(self) -> Iterator[list[RawRow]]:
        """Yield all rows with content in batches, with their numbers. Raises ImportRefused for a damaged
        workbook.
        """
        while batch := list(islice(self._rows, ROWS_A_BATCH)):
            yield batch

    def column_name(self, index: int) -> str:
        """Return the letters of a column, counted from 1."""
        return column_letters(index)

    def findings(self, first_row: int, width: int) -> list[Problem]:
        """Return a problem for each merged range within the table. Complete once all rows are read."""
        last_row = self._sheet.last_filled
        return [
            Problem(
                top,
                None,
                english("the cells {range} are merged", range=reference),
                english("unmerge them and fill in each cell"),
            )
            for reference, (top, left, bottom, right) in self._sheet.merged
            if (top, left) != (bottom, right) and bottom >= first_row and top <= last_row and left <= width
        ]

    def notes(self) -> list[English]:
        """Return notes on hidden content that was read nevertheless. Complete once all rows are read."""
        notes: list[English] = []
        if self._entry.is_hidden:
            notes.append(english("the sheet {name} is hidden and was read", name=self._entry.name))
        if self._sheet.hidden_rows:
            rows = spans(self._sheet.hidden_rows)
            notes.append(english("hidden rows were read like the others: {rows}", rows=rows))
        columns = self._hidden_columns()
        if columns:
            notes.append(english("hidden columns were read like the others: {columns}", columns=columns))
        return notes

    def _hidden_columns(self) -> str:
        width = self.width
        hidden = [(first, min(last, width)) for first, last in self._sheet.hidden_columns if first <= width]
        return ", ".join(
            column_letters(first) if first == last else f"{column_letters(first)}–{column_letters(last)}"
            for first, last in sorted(hidden)
        )

    #: The number of columns, set by the table once it has read the header.
    width = 0

    def close(self) -> None:
        """Close the archive. The underlying file stays open."""
        self._package.close()


def _again(first: RawRow, rows: Iterator[RawRow]) -> Iterator[RawRow]:
    yield first
    yield from rows


def _named(entries: list[SheetEntry]) -> str:
    """List the names of sheets, and mark the hidden ones."""
    states = {"hidden": " (hidden)", "veryHidden": " (very hidden)"}
    return ", ".join(f"{entry.name!r}{states.get(entry.state, '')}" for entry in entries)


def _mend_sheets(entries: list[SheetEntry]) -> English:
    if any(entry.state == "veryHidden" for entry in entries):
        return english(
            "copy the rows to import into a new workbook, for Excel shows a very hidden sheet only to programmers"
        )
    return english("keep the one to import and delete the others, hidden ones too")
