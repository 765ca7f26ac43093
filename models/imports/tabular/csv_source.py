"""Raw rows of a comma-separated CSV file in UTF-8 with or without BOM, or CP874, detected from the whole
content.
"""

import codecs
import csv
import io
import re
from collections.abc import Iterator
from itertools import chain
from typing import BinaryIO

from models.imports.tabular.foreign import IS_WORKBOOK, SAVE_AS_WORKBOOK, what_it_is
from models.imports.tabular.problems import BadCell, English, ImportRefused, Problem, english, refuse

# A line number and raw cells. A cell is its text or, in XLSX only, the reason why it has none.
RawRow = tuple[int, list[str | BadCell]]

ROWS_A_BATCH = 1000
_BLOCK = 1 << 20
# Characters of a line; a register's line has a few hundred. It also bounds a quoted cell that is never closed.
_MAX_LINE = 1 << 20

# The most columns of a sheet (Excel, specifications and limits).
_MAX_CELLS = 16_384
SAVE_AS_CSV = english("save it as CSV UTF-8 (comma delimited), or as Excel Workbook (.xlsx)")
# Matches no Thai text, but a text in a western encoding that is decoded as CP874: a vowel or tone mark without a
# Thai letter before it, or a few Thai letters within a Latin word.
NOT_THAI = re.compile(
    "(?<![\u0e01-\u0e4e])[\u0e31\u0e34-\u0e3a\u0e47-\u0e4e]|[A-Za-z][\u0e01-\u0e5b]{1,3}[A-Za-z]"
    "|[A-Za-z][\u0e40-\u0e44](?![\u0e01-\u0e2e])"
)
# Excel's separator hint in the first line: `sep=;`.
_HINT = re.compile(r"\s*\"?sep=(.)\"?[\s,;]*", re.IGNORECASE)
_SEPARATORS: dict[str, English] = {
    ";": english("semicolons"),
    "\t": english("tabs"),
    "|": english("vertical bars"),
}


def _refuse_foreign(file: BinaryIO) -> None:
    """Raise ImportRefused if the first bytes show another format than CSV."""
    kind = what_it_is(file)
    if kind is IS_WORKBOOK:
        what = english("the file is named .csv but is {kind}", kind=kind)
        raise refuse(what, english("name it .xlsx"))
    if kind is not None:
        raise refuse(english("the file is named .csv but is {kind}", kind=kind), SAVE_AS_WORKBOOK)


def _refuse_wide_characters(file: BinaryIO) -> None:
    """Raise ImportRefused for a text in UTF-16 or UTF-32, detected by its byte order mark or its zero bytes."""
    file.seek(0)
    head = file.read(1 << 12)
    is_marked = head.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE, codecs.BOM_UTF32_BE))
    if is_marked or (b"\0" in head and _is_wide(head)):
        raise refuse(english("the file is a text in UTF-16 (Unicode text)"), SAVE_AS_CSV)


def _is_wide(head: bytes) -> bool:
    """Return whether zero bytes are as frequent as in UTF-16 or UTF-32, and adjoin separators or line ends."""
    return head.count(0) * 16 >= len(head) and any(
        sign in head for sign in (b",\0", b"\0,", b"\t\0", b"\0\t", b"\n\0", b"\0\n")
    )


def _undecodable_line(file: BinaryIO, encoding: str) -> int | None:
    """Return the first line that cannot be decoded, or None."""
    decoder = codecs.getincrementaldecoder(encoding)()
    file.seek(0)
    line = 1
    while block := file.read(_BLOCK):
        try:
            decoder.decode(block)
        except UnicodeDecodeError as error:
            return line + error.object[: error.start].count(b"\n")
        line += block.count(b"\n")
    try:
        decoder.decode(b"", final=True)
    except UnicodeDecodeError:
        return line
    return None


def _refuse_nul(file: BinaryIO) -> None:
    file.seek(0)
    line = 1
    while block := file.read(_BLOCK):
        if b"\0" in block:
            line += block[: block.index(b"\0")].count(b"\n")
            what = english("the file is not a text: line {line} holds a NUL byte", line=line)
            raise refuse(what, SAVE_AS_CSV)
        line += block.count(b"\n")


def detect_encoding(file: BinaryIO) -> str:
    """Return the encoding in which the whole file can be decoded: `utf-8-sig`, `utf-8` or `cp874`.

    Raises ImportRefused, naming the line, if it is in none of them, or is not a text.
    """
    file.seek(0)
    head = file.read(8)
    if not head:
        raise refuse(english("the file is empty"), english("give a file with a header line and rows"))
    _refuse_foreign(file)
    _refuse_wide_characters(file)
    _refuse_nul(file)
    if head.startswith(2 * codecs.BOM_UTF8):
        raise refuse(english("the file begins with two byte order marks"), SAVE_AS_CSV)
    if head.startswith(codecs.BOM_UTF8):
        bad = _undecodable_line(file, "utf-8")
        if bad is not None:
            what = english("is not UTF-8, as the file's first bytes say")
            raise ImportRefused([Problem(bad, None, what, english("save it anew"))])
        return "utf-8-sig"
    not_utf8 = _undecodable_line(file, "utf-8")
    if not_utf8 is None:
        return "utf-8"
    not_cp874 = _undecodable_line(file, "cp874")
    if not_cp874 is None:
        return "cp874"
    what = english(
        "the file is neither UTF-8 (line {not_utf8}) nor CP874 (line {not_cp874})",
        not_utf8=not_utf8,
        not_cp874=not_cp874,
    )
    raise refuse(what, SAVE_AS_CSV)


class CsvSource:
    """The rows of one CSV file. A row must have as many cells as the header: a missing comma must not shift cells.

    A file with `most_lines` lines or more, including empty ones, is refused.
    """

    pads = False
    width = 0

    def __init__(self, file: BinaryIO, most_lines: int | None = None) -> None:
        """Raises ImportRefused, saying what the file is instead, if it is not a comma-separated text."""
        encoding = detect_encoding(file)
        self._total = file.seek(0, io.SEEK_END)
        file.seek(0)
        self._file = file
        self._most_lines = most_lines
        self._is_cp874 = encoding == "cp874"
        self._text = io.TextIOWrapper(file, encoding=encoding, newline="")
        try:
            self._head_lines = self._head()
        except BaseException:
            self.close()
            raise

    def _head(self) -> list[str]:
        """Read the lines up to the first filled one, and check their separator."""
        lines: list[str] = []
        for line in iter(lambda: self._text.readline(_MAX_LINE), ""):
            lines.append(line)
            if len(lines) == 1 and (hint := _HINT.fullmatch(line)):
                if hint[1] != ",":
                    raise _divided_by(hint[1])
                # The hint is redundant. An empty line takes its place, so that line numbers stay right.
                lines[0] = "\r\n"
            elif line.strip():
                _require_commas(line)
                break
            if len(lines) == ROWS_A_BATCH:
                break
        return lines

    def position(self) -> tuple[int, int]:
        """Return how many bytes are read, and the file's size."""
        return self._file.tell(), self._total

    def _lines(self) -> Iterator[str]:
        number = 0
        for number, line in enumerate(chain(self._head_lines, iter(self._next_line, "")), 1):
            if len(line) >= _MAX_LINE:
                what, mend = english("is far too long"), english("check the file's line ends")
                raise ImportRefused([Problem(number, None, what, mend)])
            if self._is_cp874 and NOT_THAI.search(line):
                what = english("has letters as no Thai text has them: the file is neither UTF-8 nor CP874")
                raise ImportRefused([Problem(number, None, what, SAVE_AS_CSV)])
            if number == self._most_lines:
                what = english("the file has {count:,} lines or more", count=number)
                raise refuse(what, english("send its rows only, without empty lines"))
            yield line

    def _next_line(self) -> str:
        return self._text.readline(_MAX_LINE)

    def batches(self) -> Iterator[list[RawRow]]:
        """Yield all rows in batches, each with the number of its first line.

        Raises ImportRefused for broken quotes, over-long lines, too many cells or lines, and a wrong encoding.
        """
        reader = csv.reader(self._lines(), strict=True)
        line, batch = 1, list[RawRow]()
        try:
            for cells in reader:
                if len(cells) > _MAX_CELLS:
                    raise ImportRefused([_too_wide(line)])
                if cells:
                    batch.append((line, list[str | BadCell](cells)))
                line = reader.line_num + 1
                if len(batch) == ROWS_A_BATCH:
                    yield batch
                    batch = []
        except csv.Error as error:
            what = english("cannot be read as CSV ({error})", error=error)
            mend = english('write a quote in a cell as "" and close each quoted cell')
            raise ImportRefused([Problem(line, None, what, mend)]) from None
        if batch:
            yield batch

    def column_name(self, index: int) -> str:
        """Return the column's number as text."""
        return str(index)

    def findings(self, _first_row: int, _width: int) -> list[Problem]:
        """Return no problems: a CSV file has no merged cells."""
        return []

    def notes(self) -> list[English]:
        """Return no notes: nothing is hidden in a CSV file."""
        return []

    def close(self) -> None:
        """Detach from the underlying file, which stays open."""
        self._text.detach()


def _divided_by(separator: str) -> ImportRefused:
    name = _SEPARATORS.get(separator)
    what = english("the file has no commas between its columns")
    if name is not None:
        what = english("the file has {separators} between its columns, and no commas", separators=name)
    return refuse(what, SAVE_AS_CSV)


def _require_commas(line: str) -> None:
    """Raise ImportRefused if another separator than the comma is the most frequent in the first filled line."""
    outside = re.sub('"[^"]*"', "", line)
    counts = {separator: outside.count(separator) for separator in _SEPARATORS}
    most = max(counts, key=counts.__getitem__)
    if counts[most] > outside.count(","):
        raise _divided_by(most)


def _too_wide(line: int) -> Problem:
    what = english("has more than {count:,} cells", count=_MAX_CELLS)
    return Problem(line, None, what, english("check the file's line ends"))
