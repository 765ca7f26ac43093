"""Raw rows of an XLSX workbook's one filled sheet, by openpyxl in its streaming mode."""

import math
import re
import warnings
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Any, BinaryIO

from models.tabular.csv_source import ROWS_A_BATCH, RawRow
from models.tabular.problems import BadCell, ImportRefused, english, refuse

# Uncompressed bytes. A register of 478,000 records with 15 columns has about 400 MB in its sheet, which is
# streamed, and 60 MB in its strings, which openpyxl keeps.
MAX_SHEETS_SIZE = 2 << 30
MAX_PART_SIZE = 160 << 20
# Excel's own limit of rows; without it a single row far down would be a billion empty ones.
_MAX_ROW = 1_048_576
# Wider than any register; likewise.
_MAX_COLUMNS = 256
# Excel keeps 15 digits of a number; behind them it has written zeros.
_MAX_NUMBER = 10**15
_ESCAPED = re.compile("_x[0-9A-Fa-f]{4}_")
_AS_TEXT = english("format the cell as text and write it again")


@dataclass(frozen=True)
class Limits:
    """What a workbook may hold: uncompressed bytes of its sheets and of all else, and parts of the archive."""

    sheets: int
    others: int
    parts: int = 1000
    macros: bool = True


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


def _digits_of(number: float) -> str | BadCell:
    if not math.isfinite(number) or abs(number) >= _MAX_NUMBER:
        return BadCell(english("is a number of more than 15 digits"), _AS_TEXT)
    if number != int(number):
        return BadCell(english("is a number with a fraction"), _AS_TEXT)
    return str(int(number))


def _unescaped(value: str) -> str:
    from openpyxl.utils.escape import unescape  # noqa: PLC0415

    unescaped: str = unescape(value)
    return unescaped


def text_of(value: Any) -> str | BadCell:
    """A cell's value as the text that was meant: numbers as their digits. A BadCell for what is no text."""
    if value is None:
        return ""
    if isinstance(value, str):
        return _unescaped(value) if _ESCAPED.search(value) else value
    if isinstance(value, bool):
        mend = english("format the cell as text and write the word that belongs there")
        return BadCell(english("is TRUE or FALSE"), mend)
    if isinstance(value, int | float):
        return _digits_of(value)
    if type(value).__module__ == "datetime":
        return BadCell(english("is a date or time"), _AS_TEXT)
    return BadCell(english("is a formula"), english("paste the cell as a value"))


class XlsxSource:
    """The rows of a workbook. Trailing empty cells of a row are not in the file, so short rows are filled up."""

    pads = True

    def __init__(self, file: BinaryIO) -> None:
        from openpyxl import load_workbook  # noqa: PLC0415 - only those who read a workbook pay for it

        require_workbook(file, Limits(MAX_SHEETS_SIZE, MAX_PART_SIZE))
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
        return any(value is not None for batch in self._value_batches(sheet) for row in batch for value in row)

    def _value_batches(self, sheet: Any) -> Iterator[list[tuple[Any, ...]]]:
        rows = sheet.iter_rows(max_row=_MAX_ROW, max_col=_MAX_COLUMNS, values_only=True)
        while True:
            try:
                with warnings.catch_warnings():
                    warnings.simplefilter("ignore")
                    batch = list(islice(rows, ROWS_A_BATCH))
            except Exception as error:  # as above; the sheets are parsed only here
                raise _unreadable(error) from None
            if not batch:
                return
            yield batch

    def position(self) -> tuple[int, int]:
        """How far the sheet is read: rows done and all, 0 when the workbook does not say."""
        return self._done, self._sheet.max_row or 0

    def batches(self) -> Iterator[list[RawRow]]:
        """All rows with their numbers. Raises ImportRefused for a damaged workbook."""
        for values in self._value_batches(self._sheet):
            batch: list[RawRow] = []
            for row in values:
                self._done += 1
                width = len(row)
                while width and row[width - 1] is None:
                    width -= 1
                batch.append((self._done, [text_of(value) for value in row[:width]]))
            yield batch

    def close(self) -> None:
        """Let go of the archive; the file is its owner's."""
        self._workbook.close()


def _unreadable(error: Exception) -> ImportRefused:
    what = english("the workbook is damaged ({error})", error=type(error).__name__)
    return refuse(what, english("open it, save it as XLSX anew, or as CSV"))
