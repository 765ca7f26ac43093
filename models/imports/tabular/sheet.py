"""The rows of one worksheet (ECMA-376 part 1, 18.3.1), with the row numbers of the file.

Most rows of most files have one plain form, a sequence of `<c r="A2" s="1" t="s"><v>7</v></c>`. Two regular
expressions read it twice as fast as an XML parser with callbacks. They accept a row only if they match all of it,
and only where it cannot be anything else: directly in the sheet's data, in UTF-8, below an element without a
prefix, and before any comment, CDATA section or processing instruction. The XML parser gets everything else.
"""

import codecs
import re
from collections.abc import Iterator
from typing import Any, Protocol

from models.imports.tabular.package import SAVE_ANEW, Feed, Package, damaged, new_parser, too_large, unharmed
from models.imports.tabular.problems import BadCell, ImportRefused, Problem, english
from models.imports.tabular.workbook import is_true, local_name

# Excel, specifications and limits.
MAX_ROW = 1_048_576
MAX_COLUMN = 16_384
# Characters of an unfinished row that are buffered, and of a cell's text. A row of 16,384 short cells has fewer.
_LONGEST = 1 << 20
# After so many rows in another form, the XML parser gets the rest of the sheet.
_PATIENCE = 50
_DEEPEST = 100
_MOST_MERGED = 20_000

RawCell = str | BadCell
# A cell as stored: its style, its type, its value, and its inline text.
CellFacts = tuple[str, str, str, str]
# Replaces the type of a cell with a formula.
FORMULA = "f"
INLINE = "inlineStr"

_PLAIN = "[^<>&\\x00-\\x1f\\ufffe\\uffff]*"
_PLAIN_ROW = re.compile(
    r'<row r="([1-9][0-9]{0,6})"'
    # The attributes of a row that is not hidden and declares no namespace.
    r'((?: (?!r=|xmlns|hidden="(?!0"|false")|ht="0[.0]*")[A-Za-z][A-Za-z0-9]*(?::[A-Za-z0-9]+)?="'
    r'[^"<>&\x00-\x1f]*")*)'
    r" ?(/?)>"
)
# The last group matches any other character, so that anything that is not a plain cell is noticed.
_PLAIN_CELL = re.compile(
    r'<c r="([A-Z]{1,3})([1-9][0-9]{0,6})"(?: s="([0-9]{1,6})")?(?: t="([A-Za-z]{1,9})")?'
    rf'(?: ?/>|>(?:<v>({_PLAIN})</v>|<is><t(?: xml:space="preserve")?>({_PLAIN})</t></is>)?</c>)|(.)',
    re.DOTALL,
)
_ROW_ENDS = "</row>"
_DATA_BEGINS = "<sheetData>"
_DATA_ENDS = "</sheetData"
_ENCODING = re.compile(rb"""^<\?xml[^>]*\sencoding\s*=\s*["']([A-Za-z0-9._-]+)["']""")
_REFERENCE = re.compile("([A-Z]{1,3})([1-9][0-9]{0,6})")
_RANGE = re.compile(r"\$?([A-Z]{1,3})\$?([1-9][0-9]{0,6})(?::\$?([A-Z]{1,3})\$?([1-9][0-9]{0,6}))?")


def column_letters(column: int) -> str:
    """Return a spreadsheet's letters of a column, counted from 1: `A`, `IW`."""
    letters = ""
    while column:
        column, letter = divmod(column - 1, 26)
        letters = chr(ord("A") + letter) + letters
    return letters


class _Columns(dict[str, int]):
    """A cache of column numbers, counted from 1, by their letters. Raises ImportRefused beyond MAX_COLUMN."""

    def __missing__(self, letters: str) -> int:
        number = 0
        for letter in letters:
            number = number * 26 + ord(letter) - ord("A") + 1
        if number > MAX_COLUMN:
            raise damaged(english("it has a column {column}", column=letters))
        self[letters] = number
        return number


class Values(Protocol):
    """A mapping from cells as stored to what they display (xlsx_source)."""

    def __getitem__(self, facts: CellFacts, /) -> RawCell:
        """Return the cell's text, or why it has none."""
        ...


# First row, first column, last row, last column.
Area = tuple[int, int, int, int]


class Sheet:
    """One worksheet, read once from its first row to its last."""

    def __init__(self, package: Package, part: str, values: Values) -> None:
        self._package = package
        self._part = part
        self._values = values
        self._columns = _Columns()
        #: Bytes of the part that are read, and its size.
        self.done, self.total = 0, package.size(part)
        #: Merged cells: their reference as in the file, and their area.
        self.merged: list[tuple[str, Area]] = []
        #: The numbers of hidden rows with content, and the first and last of each range of hidden columns.
        self.hidden_rows: list[int] = []
        self.hidden_columns: list[tuple[int, int]] = []
        self._last_row = 0
        #: The number of the last row with content.
        self.last_filled = 0
        # How many rows did not have the plain form.
        self._others = 0
        self._rows: list[tuple[int, list[RawCell]]] = []
        self._elements = _Elements(self)

    def rows(self) -> Iterator[tuple[int, list[RawCell]]]:
        """Yield each row with content: its number, and its cells from column A to the last filled one.

        Raises ImportRefused for a sheet that is damaged, out of order or too large.
        """
        self._elements = _Elements(self)
        feed = Feed(self._package, self._elements.parser)
        chunks = self._package.chunks(self._part)
        first = next(chunks, b"")
        reading = self._plainly(first, chunks, feed) if _is_utf8(first) else self._parsed(first, chunks, feed)
        for _ in reading:
            yield from self._rows
            self._rows.clear()
        feed.end()
        yield from self._rows

    def _parsed(self, first: bytes, chunks: Iterator[bytes], feed: Feed) -> Iterator[None]:
        feed(first)
        self.done += len(first)
        yield
        for chunk in chunks:
            feed(chunk)
            self.done += len(chunk)
            yield

    def _plainly(self, first: bytes, chunks: Iterator[bytes], feed: Feed) -> Iterator[None]:
        """Read rows in the plain form here, and feed everything else to the parser."""
        decoder = codecs.getincrementaldecoder("utf-8")()
        text, is_plain = "", False
        chunk = first
        while chunk:
            with unharmed():
                text += decoder.decode(chunk)
            self.done += len(chunk)
            if not is_plain and not self._elements.is_beyond_data:
                text, is_plain = self._until_data(text, feed)
            if is_plain:
                text, is_plain = self._plain_rows(text, feed)
            if self._elements.is_beyond_data:
                feed(text.encode())
                text = ""
            yield
            chunk = next(chunks, b"")
        with unharmed():
            text += decoder.decode(b"", final=True)
        feed(text.encode())

    def _until_data(self, text: str, feed: Feed) -> tuple[str, bool]:
        """Parse up to the beginning of the sheet's data. Returns the remaining text, and whether plain rows may
        follow.
        """
        if "<!" in text or "<?" in text[2:]:
            # The text that begins the data may be inside a comment.
            self._elements.is_beyond_data = True
            return text, False
        begins = text.find(_DATA_BEGINS)
        if begins < 0:
            # The tag may be split between two blocks.
            ends = max(0, len(text) - len(_DATA_BEGINS)) if self._elements.is_before_data else len(text)
            feed(text[:ends].encode())
            return text[ends:], False
        begins += len(_DATA_BEGINS)
        feed(text[:begins].encode())
        self._elements.note_data_begun()
        return text[begins:], self._elements.is_between_rows

    def _plain_rows(self, text: str, feed: Feed) -> tuple[str, bool]:
        """Read complete rows. Returns the remaining text, and whether plain rows may follow."""
        place = 0
        while True:
            row = _PLAIN_ROW.match(text, place)
            ends = row.end() if row and row[3] else text.find(_ROW_ENDS, place) + len(_ROW_ENDS)
            if ends < len(_ROW_ENDS):
                break
            if row is None or not self._plain_row(row, text, ends):
                piece = text[place:ends]
                if _DATA_ENDS in piece or "<!" in piece or "<?" in piece:
                    break
                feed(piece.encode())
                self._others += 1
                if not self._elements.is_between_rows or self._others > _PATIENCE:
                    self._elements.is_beyond_data = True
                    return text[ends:], False
            place = ends
        remaining = text[place:]
        if _DATA_ENDS in remaining or "<!" in remaining or "<?" in remaining or len(remaining) > _LONGEST:
            self._elements.is_beyond_data = True
        return remaining, not self._elements.is_beyond_data

    def _plain_row(self, match: re.Match[str], text: str, ends: int) -> bool:
        """Read a row in the plain form. Returns False, without any effect, if it has another form."""
        digits = match[1]
        if match[3]:
            self.begin_row(int(digits))
            return True
        plain_cells = _PLAIN_CELL.findall(text, match.end(), ends - len(_ROW_ENDS))
        columns, values = self._columns, self._values
        cells: list[RawCell] = []
        for letters, row, style, kind, value, inline, other in plain_cells:
            if other or row != digits:
                return False
            number = columns[letters]
            if number != len(cells) + 1:
                if number <= len(cells):
                    return False
                cells += [""] * (number - len(cells) - 1)
            cells.append(values[style, kind, value, inline])
        self.begin_row(int(digits))
        self.end_row(cells, is_hidden=self._elements.rows_are_hidden)
        return True

    def begin_row(self, number: int | None) -> None:
        """Begin a row; None means the next number. Raises ImportRefused if its number is too large or not
        ascending.
        """
        self._package.count(1)
        if number is None:
            number = self._last_row + 1
        if number > MAX_ROW:
            raise damaged(english("it has a row {row}", row=number))
        if number <= self._last_row:
            what = english(
                "stands below row {row}, and a spreadsheet program may show another order", row=self._last_row
            )
            raise ImportRefused([Problem(number, None, what, SAVE_ANEW)])
        self._last_row = number

    def end_row(self, cells: list[RawCell], *, is_hidden: bool) -> None:
        """End the row, and collect it unless it is empty."""
        self._package.count(len(cells))
        while cells and cells[-1] == "":
            cells.pop()
        if cells:
            self.last_filled = self._last_row
            self._rows.append((self._last_row, cells))
            if is_hidden:
                self.hidden_rows.append(self._last_row)

    @property
    def last_row(self) -> int:
        """The number of the row that was begun last."""
        return self._last_row

    def column(self, letters: str) -> int:
        """Return the number of a column, counted from 1. Raises ImportRefused beyond MAX_COLUMN."""
        return self._columns[letters]

    def value(self, facts: CellFacts) -> RawCell:
        """Return what a cell displays, or why it has no text."""
        return self._values[facts]


def _is_utf8(beginning: bytes) -> bool:
    if beginning.startswith((b"\xff\xfe", b"\xfe\xff")) or b"\0" in beginning[:4]:
        return False
    declared = _ENCODING.search(beginning.removeprefix(codecs.BOM_UTF8))
    return declared is None or declared[1].lower() in (b"utf-8", b"us-ascii")


def area(reference: str) -> Area | None:
    """Parse a range such as `G2:G4`; None if it is malformed."""
    match = _RANGE.fullmatch(reference)
    if match is None:
        return None
    columns = _Columns()
    first_column, first_row = columns[match[1]], int(match[2])
    last_column, last_row = columns[match[3] or match[1]], int(match[4] or match[2])
    return first_row, first_column, last_row, last_column


class _Elements:
    """The callbacks of the XML parser."""

    def __init__(self, sheet: Sheet) -> None:
        self._sheet = sheet
        self._root = ""
        # Nesting depth of elements inside a cell, and of elements that do not belong to rows.
        self._other = 0
        self._in_data = False
        self._in_row = False
        self._row_is_hidden = False
        self._cells: list[RawCell] = []
        # The attributes of the current cell, and its content.
        self._cell: dict[str, str] | None = None
        self._length = 0
        self._is_formula = False
        self._parts: dict[str, list[str]] = {}
        self._collected: list[str] | None = None
        self._phonetic = 0
        self.rows_are_hidden = False
        self.is_before_data = True
        self.is_beyond_data = False
        self.parser: Any = new_parser()
        self.parser.StartElementHandler = self._start
        self.parser.EndElementHandler = self._end
        self.parser.CharacterDataHandler = self._text

    @property
    def is_between_rows(self) -> bool:
        """Whether the parser is directly in the sheet's data, between two rows."""
        return self._in_data and not self._in_row and not self._other

    def note_data_begun(self) -> None:
        """Note that the tag of the sheet's data was parsed. If it was not a tag, no plain rows follow."""
        self.is_before_data = False
        self.is_beyond_data = not self.is_between_rows

    def _start(self, tag: str, attributes: dict[str, str]) -> None:
        name = local_name(tag)
        if not self._root:
            if name != "worksheet":
                raise damaged(english("a sheet of it is none"))
            self._root = name
        elif self._cell is not None:
            self._start_in_cell(name)
        elif self._in_data:
            self._start_in_data(name, attributes)
        else:
            self._start_elsewhere(name, attributes)

    def _start_in_data(self, name: str, attributes: dict[str, str]) -> None:
        if name == "c" and self._in_row and not self._other:
            self._cell = attributes
            self._length = 0
            self._is_formula = False
            self._parts = {}
        elif name == "row" and not self._in_row and not self._other:
            self._begin_row(attributes)
        elif name in ("c", "row", "v", "t"):
            raise damaged(english("its rows are not where they belong"))
        else:
            self._deeper()

    def _start_in_cell(self, name: str) -> None:
        if self._collected is not None or name in ("c", "row"):
            raise damaged(english("its rows are not where they belong"))
        self._deeper()
        if name == "f":
            self._is_formula = True
        elif name == "rPh":
            self._phonetic += 1
        elif name == "v" and self._other == 1:
            if name in self._parts:
                raise damaged(english("a cell has two values"))
            self._collected = self._parts[name] = []
        elif name == "t" and not self._phonetic:
            self._collected = self._parts.setdefault(name, [])

    def _start_elsewhere(self, name: str, attributes: dict[str, str]) -> None:
        self._deeper()
        if name == "sheetData" and self._other == 1:
            if not self.is_before_data and not self._sheet.last_row == 0:
                raise damaged(english("it has its rows twice"))
            self._other -= 1
            self._in_data = True
        elif name == "mergeCell":
            merged = area(attributes.get("ref", ""))
            if merged is None:
                raise damaged(english("a range of merged cells is none"))
            if len(self._sheet.merged) >= _MOST_MERGED:
                raise too_large()
            self._sheet.merged.append((attributes["ref"], merged))
        elif name == "col":
            self._note_columns(attributes)
        elif name == "sheetFormatPr":
            self.rows_are_hidden = is_true(attributes.get("zeroHeight"))

    def _deeper(self) -> None:
        self._other += 1
        if self._other > _DEEPEST:
            raise damaged(english("its XML is far too deep"))

    def _note_columns(self, attributes: dict[str, str]) -> None:
        first, last = attributes.get("min", ""), attributes.get("max", "")
        is_hidden = is_true(attributes.get("hidden")) or _is_zero(attributes.get("width"))
        if len(self._sheet.hidden_columns) >= MAX_COLUMN:
            raise too_large()
        if is_hidden and first.isdecimal() and last.isdecimal():
            self._sheet.hidden_columns.append((int(first), int(last)))

    def _begin_row(self, attributes: dict[str, str]) -> None:
        number = attributes.get("r")
        if number is not None and not re.fullmatch("[1-9][0-9]{0,6}", number):
            raise damaged(english("a row of it has no number"))
        hidden = attributes.get("hidden")
        self._row_is_hidden = self.rows_are_hidden if hidden is None else is_true(hidden)
        self._row_is_hidden |= _is_zero(attributes.get("ht"))
        self._sheet.begin_row(None if number is None else int(number))
        self._in_row = True
        self._cells = []

    def _text(self, text: str) -> None:
        if self._collected is not None:
            self._length += len(text)
            if self._length > _LONGEST:
                raise too_large()
            self._collected.append(text)
        elif self._in_data and not self._other and text.strip():
            raise damaged(english("its rows are not where they belong"))

    def _end(self, tag: str) -> None:
        name = local_name(tag)
        if self._other:
            self._other -= 1
            self._collected = None
            if name == "rPh" and self._phonetic:
                self._phonetic -= 1
        elif name == "c":
            self._end_cell()
        elif name == "row":
            self._in_row = False
            self._sheet.end_row(self._cells, is_hidden=self._row_is_hidden)
        elif name == "sheetData":
            self._in_data = False
            self.is_before_data, self.is_beyond_data = False, True

    def _end_cell(self) -> None:
        attributes = self._cell or {}
        self._cell = None
        number = len(self._cells) + 1
        reference = attributes.get("r")
        if reference is not None:
            match = _REFERENCE.fullmatch(reference)
            if match is None or int(match[2]) != self._sheet.last_row:
                raise self._misplaced(reference)
            number = self._sheet.column(match[1])
            if number <= len(self._cells):
                raise self._misplaced(reference)
        self._cells += [""] * (number - len(self._cells) - 1)
        kind = FORMULA if self._is_formula else attributes.get("t", "")
        value, text = ("".join(self._parts.get(part, ())) for part in "vt")
        self._cells.append(self._sheet.value((attributes.get("s", ""), kind, value, text)))

    def _misplaced(self, reference: str) -> ImportRefused:
        what = english("the cell {cell} does not stand where it belongs", cell=_printable(reference))
        return ImportRefused([Problem(self._sheet.last_row, None, what, SAVE_ANEW)])


def _printable(reference: str) -> str:
    return reference if len(reference) <= 12 and reference.isascii() and reference.isprintable() else "?"


def _is_zero(size: str | None) -> bool:
    try:
        return size is not None and float(size) == 0
    except ValueError:
        return False
