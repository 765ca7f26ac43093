"""Raw rows of a CSV file with commas: UTF-8 with or without BOM, or CP874, told apart by the whole content."""

import codecs
import csv
import io
import re
from collections.abc import Iterator
from itertools import chain
from typing import BinaryIO

from models.imports.tabular.foreign import IS_WORKBOOK, SAVE_AS_WORKBOOK, what_it_is
from models.imports.tabular.problems import BadCell, English, ImportRefused, Problem, english, refuse

# A raw cell is its text, or why it is none (XLSX only).
RawRow = tuple[int, list[str | BadCell]]

ROWS_A_BATCH = 1000
_BLOCK = 1 << 20
# Characters; a register's line has a few hundred. A quote that is never closed ends here at the latest.
_MAX_LINE = 1 << 20

# The widest sheet of a spreadsheet program (Excel, specifications and limits).
_MAX_CELLS = 16_384
SAVE_AS_CSV = english("save it as CSV UTF-8 (comma delimited), or as Excel Workbook (.xlsx)")
# What no Thai text has, and a text in a western encoding has when it is read as CP874: a vowel or tone mark that
# no Thai letter stands before, and a few Thai letters in the middle of a Latin word.
NOT_THAI = re.compile(
    "(?<![\u0e01-\u0e4e])[\u0e31\u0e34-\u0e3a\u0e47-\u0e4e]|[A-Za-z][\u0e01-\u0e5b]{1,3}[A-Za-z]"
    "|[A-Za-z][\u0e40-\u0e44](?![\u0e01-\u0e2e])"
)
# Excel's hint for itself in the first line: `sep=;`.
_HINT = re.compile(r"\s*\"?sep=(.)\"?[\s,;]*", re.IGNORECASE)
_SEPARATORS: dict[str, English] = {
    ";": english("semicolons"),
    "\t": english("tabs"),
    "|": english("vertical bars"),
}


def _refuse_foreign(file: BinaryIO) -> None:
    """A file that is not what its name says, by its first bytes."""
    kind = what_it_is(file)
    if kind is IS_WORKBOOK:
        what = english("the file is named .csv but is {kind}", kind=kind)
        raise refuse(what, english("name it .xlsx"))
    if kind is not None:
        raise refuse(english("the file is named .csv but is {kind}", kind=kind), SAVE_AS_WORKBOOK)


def _refuse_wide_characters(file: BinaryIO) -> None:
    """A text in UTF-16 or UTF-32, told by its byte order mark or by its zero bytes."""
    file.seek(0)
    head = file.read(1 << 12)
    is_marked = head.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE, codecs.BOM_UTF32_BE))
    if is_marked or (b"\0" in head and _is_wide(head)):
        raise refuse(english("the file is a text in UTF-16 (Unicode text)"), SAVE_AS_CSV)


def _is_wide(head: bytes) -> bool:
    """Whether there are as many zero bytes, and beside separators and line ends, as in UTF-16 or UTF-32."""
    return head.count(0) * 16 >= len(head) and any(
        sign in head for sign in (b",\0", b"\0,", b"\t\0", b"\0\t", b"\n\0", b"\0\n")
    )


def _undecodable_line(file: BinaryIO, encoding: str) -> int | None:
    """The first line that is not in an encoding, or None."""
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


def _find_nul(file: BinaryIO) -> None:
    file.seek(0)
    line = 1
    while block := file.read(_BLOCK):
        if b"\0" in block:
            line += block[: block.index(b"\0")].count(b"\n")
            what = english("the file is not a text: line {line} holds a NUL byte", line=line)
            raise refuse(what, SAVE_AS_CSV)
        line += block.count(b"\n")


def detect_encoding(file: BinaryIO) -> str:
    """The encoding in which the whole file can be read: `utf-8-sig`, `utf-8` or `cp874`.

    Raises ImportRefused naming the line for a file that is in none of them, or no text at all.
    """
    file.seek(0)
    head = file.read(8)
    if not head:
        raise refuse(english("the file is empty"), english("give a file with a header line and rows"))
    _refuse_foreign(file)
    _refuse_wide_characters(file)
    _find_nul(file)
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
    """The rows of one CSV file. A row must have all cells of the header: a missing comma must not shift them.

    `most_lines`: a file with more of them is refused, empty ones too.
    """

    pads = False
    width = 0

    def __init__(self, file: BinaryIO, most_lines: int | None = None) -> None:
        """Raises ImportRefused for what is no text with commas, saying what it is instead."""
        encoding = detect_encoding(file)
        self._total = file.seek(0, io.SEEK_END)
        file.seek(0)
        self._file = file
        self._most_lines = most_lines
        self._is_cp874 = encoding == "cp874"
        self._text = io.TextIOWrapper(file, encoding=encoding, newline="")
        try:
            self._read = self._head()
        except BaseException:
            self.close()
            raise

    def _head(self) -> list[str]:
        """The lines up to the first filled one, which are read to see what divides the columns."""
        lines: list[str] = []
        for line in iter(lambda: self._text.readline(_MAX_LINE), ""):
            lines.append(line)
            if len(lines) == 1 and (hint := _HINT.fullmatch(line)):
                if hint[1] != ",":
                    raise _divided_by(hint[1])
                # It says what is so anyway; its line stays a line.
                lines[0] = "\r\n"
            elif line.strip():
                _require_commas(line)
                break
            if len(lines) == ROWS_A_BATCH:
                break
        return lines

    def position(self) -> tuple[int, int]:
        """How far the file is read: bytes done and all."""
        return self._file.tell(), self._total

    def _lines(self) -> Iterator[str]:
        number = 0
        for number, line in enumerate(chain(self._read, iter(self._next_line, "")), 1):
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
        """All rows with the number of the line on which each starts. Raises ImportRefused for broken quotes."""
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
        """A column's number, counted from 1."""
        return str(index)

    def findings(self, _first_row: int, _width: int) -> list[Problem]:
        """Nothing: a text has no merged cells."""
        return []

    def notes(self) -> list[English]:
        """Nothing: in a text nothing is hidden."""
        return []

    def close(self) -> None:
        """Leave the underlying file to its owner."""
        self._text.detach()


def _divided_by(separator: str) -> ImportRefused:
    name = _SEPARATORS.get(separator)
    what = english("the file has no commas between its columns")
    if name is not None:
        what = english("the file has {separators} between its columns, and no commas", separators=name)
    return refuse(what, SAVE_AS_CSV)


def _require_commas(line: str) -> None:
    """Refuse a file whose first filled line is divided by something else than commas."""
    outside = re.sub('"[^"]*"', "", line)
    counts = {separator: outside.count(separator) for separator in _SEPARATORS}
    most = max(counts, key=counts.__getitem__)
    if counts[most] > outside.count(","):
        raise _divided_by(most)


def _too_wide(line: int) -> Problem:
    what = english("has more than {count:,} cells", count=_MAX_CELLS)
    return Problem(line, None, what, english("check the file's line ends"))
