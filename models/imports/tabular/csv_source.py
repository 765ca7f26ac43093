"""Raw rows of a CSV file: UTF-8 with or without BOM, or CP874, told apart by the whole content."""

import codecs
import csv
import io
from collections.abc import Iterator
from typing import BinaryIO

from models.imports.tabular.problems import BadCell, ImportRefused, Problem, english, refuse

# A raw cell is its text, or why it is none (XLSX only).
RawRow = tuple[int, list[str | BadCell]]

ROWS_A_BATCH = 1000
_BLOCK = 1 << 20
# Characters; a register's line has a few hundred. A quote that is never closed ends here at the latest.
_MAX_LINE = 1 << 20

_ZIP = b"PK\x03\x04"
_OLE = b"\xd0\xcf\x11\xe0"


def _refuse_foreign(head: bytes) -> None:
    """A file that is not what its name says, by its first bytes."""
    if head.startswith(_ZIP):
        what = english("the file is named .csv but is a ZIP or XLSX file")
        raise refuse(what, english("name it .xlsx, or save it as CSV"))
    if head.startswith(_OLE):
        what = english("the file is named .csv but is an old Excel file")
        raise refuse(what, english("save it as CSV UTF-8 or XLSX"))
    if head.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        raise refuse(english("the file is in UTF-16"), english("save it as CSV UTF-8"))


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
            raise refuse(what, english("save it as CSV UTF-8"))
        line += block.count(b"\n")


def detect_encoding(file: BinaryIO) -> str:
    """The encoding in which the whole file can be read: `utf-8-sig`, `utf-8` or `cp874`.

    Raises ImportRefused naming the line for a file that is in none of them, or no text at all.
    """
    file.seek(0)
    head = file.read(8)
    if not head:
        raise refuse(english("the file is empty"), english("give a file with a header line and rows"))
    _refuse_foreign(head)
    _find_nul(file)
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
    raise refuse(what, english("save it as CSV UTF-8"))


class CsvSource:
    """The rows of one CSV file. A row must have all cells of the header: a missing comma must not shift them."""

    pads = False

    def __init__(self, file: BinaryIO) -> None:
        encoding = detect_encoding(file)
        self._total = file.seek(0, io.SEEK_END)
        file.seek(0)
        self._file = file
        self._text = io.TextIOWrapper(file, encoding=encoding, newline="")

    def position(self) -> tuple[int, int]:
        """How far the file is read: bytes done and all."""
        return self._file.tell(), self._total

    def _lines(self) -> Iterator[str]:
        number = 0
        while line := self._text.readline(_MAX_LINE):
            number += 1
            if len(line) >= _MAX_LINE:
                what, mend = english("is far too long"), english("check the file's line ends")
                raise ImportRefused([Problem(number, None, what, mend)])
            yield line

    def batches(self) -> Iterator[list[RawRow]]:
        """All rows with the number of the line on which each starts. Raises ImportRefused for broken quotes."""
        reader = csv.reader(self._lines(), strict=True)
        line, batch = 1, list[RawRow]()
        try:
            for cells in reader:
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

    def close(self) -> None:
        """Leave the underlying file to its owner."""
        self._text.detach()
