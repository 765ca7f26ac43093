"""Raw rows of an XLSX workbook's one filled sheet, by openpyxl in its streaming mode."""

import re
import warnings
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Any, BinaryIO, TypeVar

from models.imports.tabular.csv_source import ROWS_A_BATCH, RawRow
from models.imports.tabular.number_formats import AS_TEXT, changes_text, number_text
from models.imports.tabular.problems import BadCell, ImportRefused, english, refuse

# Excel's own limit of rows; without it a single row far down would be a billion empty ones.
_MAX_ROW = 1_048_576
# Wider than any register; likewise.
_MAX_COLUMNS = 256
_Row = TypeVar("_Row")
_ESCAPED = re.compile("_x[0-9A-Fa-f]{4}_")


@dataclass(frozen=True)
class Limits:
    """What a workbook may hold: uncompressed bytes of its sheets and of all else, and parts of the archive."""

    sheets: int
    others: int
    parts: int = 1000
    macros: bool = True


# A register of 478,000 records with 15 columns has about 400 MB in its sheet, which is streamed, and 60 MB in its
# strings, which openpyxl keeps.
LIMITS = Limits(sheets=2 << 30, others=160 << 20)


def require_workbook(file: BinaryIO, limits: Limits) -> None:
    """Refuse what is no workbook or would fill the memory when unpacked; zipfile keeps to the sizes it names."""
    file.seek(0)
    head = file.read(8)
    if not head:
        raise refuse(english("the file is empty"), english("give a file with a header line and rows"))
    if head.startswith(b"\xd0\xcf\x11\xe0"):
        raise refuse(
            english("the file is an old Excel file or locked by a password"),
            english("save it as XLSX without a password, or as CSV"),
        )
    try:
        with zipfile.ZipFile(file) as archive:
            parts = archive.infolist()
    except (zipfile.BadZipFile, OSError, ValueError):
        what = english("the file is named .xlsx but is no workbook")
        raise refuse(what, english("save it as XLSX, or name it .csv")) from None
    if not any(part.filename == "[Content_Types].xml" for part in parts):
        raise refuse(english("the file is a ZIP file but no workbook"), english("save it as XLSX"))
    sheets = sum(part.file_size for part in parts if part.filename.startswith("xl/worksheets/"))
    others = sum(part.file_size for part in parts if not part.filename.startswith("xl/worksheets/"))
    if sheets > limits.sheets or others > limits.others or len(parts) > limits.parts:
        what = english("the workbook is far too large when unpacked")
        raise refuse(what, english("save only its rows, as a new XLSX or as CSV"))
    if not limits.macros and any(part.filename.lower().endswith("vbaproject.bin") for part in parts):
        raise refuse(english("the workbook holds macros"), english("save only its rows, as a new XLSX or as CSV"))


def _unescaped(value: str) -> str:
    from openpyxl.utils.escape import unescape  # noqa: PLC0415

    unescaped: str = unescape(value)
    return unescaped


@dataclass(frozen=True)
class _NumberFormat:
    """The number format of cells: its code, and whether they show a text otherwise than it is."""

    code: str
    changes_text: bool


# Of a style that the workbook does not define, or not where openpyxl looks: what a number looks like is not known.
_UNDEFINED = _NumberFormat("undefined", changes_text=False)


def _number_format(cell: Any) -> _NumberFormat:
    """Of one cell; a format that is built in and that openpyxl does not know has its number as its code."""
    from openpyxl.styles.numbers import BUILTIN_FORMATS, BUILTIN_FORMATS_MAX_SIZE  # noqa: PLC0415

    number = cell.style_array.numFmtId
    if number < BUILTIN_FORMATS_MAX_SIZE and number not in BUILTIN_FORMATS:
        return _NumberFormat(f"numFmtId {number}", changes_text=False)
    try:
        return _NumberFormat(cell.number_format, changes_text(cell.number_format))
    except IndexError:
        return _UNDEFINED


class XlsxSource:
    """The rows of a workbook. Trailing empty cells of a row are not in the file, so short rows are filled up."""

    pads = True

    def __init__(self, file: BinaryIO, limits: Limits = LIMITS) -> None:
        from openpyxl import load_workbook  # noqa: PLC0415 - only those who read a workbook pay for it

        require_workbook(file, limits)
        file.seek(0)
        try:
            with warnings.catch_warnings():
                # openpyxl warns of styles and extensions, of which nothing is read here.
                warnings.simplefilter("ignore")
                self._workbook: Any = load_workbook(file, read_only=True, data_only=False, keep_links=False)
        except Exception as error:  # what its parsing trips over is not documented
            raise _unreadable(error) from None
        self._sheet = self._filled_sheet()
        self._done = 0
        # By the number that cells name them by.
        self._number_formats: dict[int, _NumberFormat] = {}

    def _filled_sheet(self) -> Any:
        """The one sheet with anything in it, hidden ones included: none may be taken for another."""
        filled = [sheet for sheet in self._workbook.worksheets if self._is_filled(sheet)]
        if not filled:
            raise refuse(english("the workbook is empty"), english("give a sheet with a header line and rows"))
        if len(filled) > 1:
            names = ", ".join(repr(sheet.title) for sheet in filled)
            raise refuse(
                english("several sheets hold data: {names}", names=names),
                english("keep the one to import and delete the others, hidden ones too"),
            )
        return filled[0]

    def _is_filled(self, sheet: Any) -> bool:
        rows = sheet.iter_rows(max_row=_MAX_ROW, max_col=_MAX_COLUMNS, values_only=True)
        return any(value is not None for batch in _batched(rows) for row in batch for value in row)

    def position(self) -> tuple[int, int]:
        """How far the sheet is read: rows done and all, 0 when the workbook does not say."""
        return self._done, self._sheet.max_row or 0

    def batches(self) -> Iterator[list[RawRow]]:
        """All rows with their numbers. Raises ImportRefused for a damaged workbook."""
        rows = self._sheet.iter_rows(max_row=_MAX_ROW, max_col=_MAX_COLUMNS)
        for batch in _batched(map(self._texts, rows)):
            numbered = list(enumerate(batch, self._done + 1))
            self._done += len(batch)
            yield numbered

    def _texts(self, row: tuple[Any, ...]) -> list[str | BadCell]:
        width = len(row)
        while width and row[width - 1].value is None:
            width -= 1
        return [self._text(cell) for cell in row[:width]]

    def _text(self, cell: Any) -> str | BadCell:
        """What a cell shows, or a BadCell where that is no text, or not certain."""
        value = cell.value
        if value is None:
            return ""
        if isinstance(value, str):
            return self._string(cell, value)
        if isinstance(value, bool):
            mend = english("format the column as text and type the word that belongs there")
            return BadCell(english("is TRUE or FALSE"), mend)
        if isinstance(value, int | float):
            return number_text(value, self._number_format(cell).code)
        if type(value).__module__ == "datetime":
            return BadCell(english("is a date or time"), AS_TEXT)
        return BadCell(english("is a formula"), english("paste the cell as a value"))

    def _string(self, cell: Any, value: str) -> str | BadCell:
        if cell.data_type == "s" and self._number_format(cell).changes_text:
            return BadCell(english("has a number format that changes its text"), AS_TEXT)
        return _unescaped(value) if _ESCAPED.search(value) else value

    def _number_format(self, cell: Any) -> _NumberFormat:
        try:
            number = cell.style_array.numFmtId
        except IndexError:
            return _UNDEFINED
        found = self._number_formats.get(number)
        if found is None:
            found = self._number_formats[number] = _number_format(cell)
        return found

    def close(self) -> None:
        """Let go of the archive; the file is its owner's."""
        self._workbook.close()


def _batched(rows: Iterator[_Row]) -> Iterator[list[_Row]]:
    """Rows of a sheet, which is parsed only as they are taken. Raises ImportRefused for a damaged workbook."""
    while True:
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                batch = list(islice(rows, ROWS_A_BATCH))
        except Exception as error:  # what its parsing trips over is not documented
            raise _unreadable(error) from None
        if not batch:
            return
        yield batch


def _unreadable(error: Exception) -> ImportRefused:
    what = english("the workbook is damaged ({error})", error=type(error).__name__)
    return refuse(what, english("open it, save it as XLSX anew, or as CSV"))
