"""Headers and rows: matches a file's columns by their Thai or English names, and checks and converts its cells."""

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from itertools import zip_longest
from operator import itemgetter
from pathlib import Path
from typing import BinaryIO, Protocol

from models.base.thai import arabic_digits
from models.imports.tabular.cells import clean, is_national_id
from models.imports.tabular.csv_source import CsvSource, RawRow
from models.imports.tabular.foreign import KINDS, SAVE_AS_WORKBOOK
from models.imports.tabular.package import Limits
from models.imports.tabular.problems import (
    ID_DIGITS,
    BadCell,
    BadNumber,
    English,
    ImportRefused,
    Problem,
    Problems,
    english,
    refuse,
    shown,
)
from models.imports.tabular.xlsx_source import LIMITS, XlsxSource

# Cache size of each column, in distinct texts: positions and codes repeat, names do not.
_MEMORY = 20_000
# A raw cell may be this many times the column's maximum plus _BLANKS long, because spaces are trimmed and merged.
_LOOKED_AT = 2
_BLANKS = 100
_LONGEST_NAME = 100
# How many rows below a title are searched for the header.
_BELOW_TITLE = 20
_IGNORED_IN_HEADERS = re.compile(r"[\s_.\-–]")

Row = tuple[int, tuple[str, ...]]


def _as_is(text: str) -> str:
    return text


@dataclass(frozen=True)
class Column:
    """One column: its English and Thai header, and the rules on its cells.

    `convert` turns the cleaned text of a filled cell into the stored text, or raises BadCell. `empty` is the value
    of an empty cell, None if it must be filled. `max_length` counts characters after cleaning. `is_code`: Thai
    digits become 0-9. `verbatim`: whitespace is kept.
    """

    name: str
    thai: str
    max_length: int
    convert: Callable[[str], str] = _as_is
    empty: str | None = None
    is_code: bool = False
    verbatim: bool = False


@dataclass(frozen=True)
class Layout:
    """The columns of one kind of file (`kind`, as in foreign.py).

    `further` returns a column for any other header, or None to refuse it; at most `max_further` are allowed.
    `counts_ids`: count national ID numbers, for Table.national_id_columns.
    """

    columns: tuple[Column, ...]
    further: Callable[[str], Column | None] | None = None
    max_further: int = 0
    counts_ids: bool = False
    kind: str = ""


class Source(Protocol):
    """The raw rows of one file format.

    `pads`: a row may have fewer cells than the header. `width`: the number of columns, set by the table once it
    has read the header.
    """

    pads: bool
    width: int

    def batches(self) -> Iterator[list[RawRow]]:
        """Yield the rows in batches."""
        ...

    def position(self) -> tuple[int, int]:
        """Return how many bytes are read, and the total (0: unknown)."""
        ...

    def column_name(self, index: int) -> str:
        """Return the format's name of a column, counted from 1."""
        ...

    def findings(self, first_row: int, width: int, /) -> list[Problem]:
        """Return problems other than of cells, from the header's row on. Complete once all rows are read."""
        ...

    def notes(self) -> list[English]:
        """Return notes on content that a reader does not see. Complete once all rows are read."""
        ...

    def close(self) -> None:
        """Release what this object opened; the file stays open."""
        ...


class _Cells(dict[str | BadCell, str]):
    """A cache from a column's raw texts to their values: most texts of a register repeat, and are checked once."""

    def __init__(self, column: Column) -> None:
        super().__init__()
        self.column = column

    def __missing__(self, raw: str | BadCell) -> str:
        if isinstance(raw, BadCell):
            raise self._without_secrets(raw)
        value = self._value(raw)
        if len(self) >= _MEMORY:
            self.clear()
        self[raw] = value
        return value

    def _without_secrets(self, bad: BadCell) -> BadCell:
        """Return the refusal without digits of a password or of a possible national ID number."""
        if isinstance(bad, BadNumber) and (self.column.verbatim or len(bad.digits) >= ID_DIGITS):
            return bad.hidden
        return bad

    def _value(self, raw: str) -> str:
        column = self.column
        if len(raw) > _LOOKED_AT * column.max_length + _BLANKS:
            raise self._too_long(len(raw))
        text = clean(raw, verbatim=column.verbatim)
        if not text:
            if column.empty is None:
                raise BadCell(english("is empty"), english("fill it in"))
            return column.empty
        if column.is_code:
            text = arabic_digits(text)
        if len(text) > column.max_length:
            raise self._too_long(len(text))
        return column.convert(text)

    def _too_long(self, length: int) -> BadCell:
        what = english("has {count} characters", count=length)
        return BadCell(what, english("shorten it to {count}", count=self.column.max_length))


def _is_national_id(raw: str | BadCell) -> bool:
    if isinstance(raw, BadCell):
        return isinstance(raw, BadNumber) and is_national_id(raw.digits)
    return is_national_id(raw)


def _header_key(name: str) -> str:
    """Return a header without case, spaces, dots, dashes and underscores, for comparison."""
    return _IGNORED_IN_HEADERS.sub("", name.casefold())


def _known_headers(layout: Layout) -> dict[str, int]:
    """Return the index of each column by the keys of both of its headers."""
    return {
        _header_key(name): place
        for place, column in enumerate(layout.columns)
        for name in (column.name, column.thai)
    }


def _keys(cells: list[str | BadCell]) -> set[str]:
    return {_header_key(cell.strip()) for cell in cells if isinstance(cell, str) and len(cell) <= _LONGEST_NAME}


def _count_known(cells: list[str | BadCell], layout: Layout) -> int:
    """Count the columns of a layout whose header is in a row."""
    known_headers = _known_headers(layout)
    return len({known_headers[key] for key in _keys(cells) if key in known_headers})


def _count_names(cells: list[str | BadCell], names: tuple[tuple[str, str], ...]) -> int:
    keys = _keys(cells)
    return sum(any(_header_key(name) in keys for name in both) for both in names)


_KIND_NAMES = {
    "organizations": english("organizations"),
    "accounts": english("accounts"),
    "personnel": english("personnel"),
    "successions": english("successions"),
}


class Table:
    """A file's rows, with the cells in the order of the layout's columns and the further columns after them.

    Problems are added to `problems`. A row with a bad cell is still yielded, with an empty text for that cell, so
    that the rest of the row is checked too.
    """

    def __init__(self, source: Source, layout: Layout, problems: Problems) -> None:
        self._source = source
        self._layout = layout
        self._problems = problems
        self._batches = source.batches()
        self.rows_seen = 0
        line, names = self._first_filled()
        self._header_line = line
        # In the file's order, with the file's spelling of the names.
        columns = self._match_header(line, names)
        source.width = len(columns)
        self._cells = [_Cells(column) for column, _place in columns]
        self._pick = itemgetter(*sorted(range(len(columns)), key=lambda index: columns[index][1]))
        self._filled = [0] * len(columns)
        self._ids = [0] * len(columns)
        #: The headers in the file's spelling, in the order of the cells that `batches` yields.
        self.headers: list[str] = list(self._pick([column.name for column, _place in columns]))

    def position(self) -> tuple[int, int]:
        """Return how many bytes of the file are read, and its size (0: unknown)."""
        return self._source.position()

    def _first_filled(self) -> RawRow:
        for batch in self._batches:
            for index, (line, cells) in enumerate(batch):
                if any(cells):
                    self._rest_of_batch = batch[index + 1 :]
                    return line, cells
        raise refuse(english("the file is empty"), english("give a file with a header line and rows"))

    def _match_header(self, line: int, raw: list[str | BadCell]) -> list[tuple[Column, int]]:
        """Return the column of each header, and its place in the yielded rows. Raises ImportRefused."""
        while raw and raw[-1] == "":
            raw.pop()
        self._refuse_wide(line, raw)
        self._refuse_other_kind(line, raw)
        names = [self._header_text(line, index, cell) for index, cell in enumerate(raw, 1)]
        self._problems.require_none()
        known_headers = _known_headers(self._layout)
        columns: list[tuple[Column, int]] = []
        keys: set[object] = set()
        for index, name in enumerate(names, 1):
            key = _header_key(name)
            place = known_headers.get(key)
            if (key if place is None else place) in keys:
                what, mend = english("is there twice"), english("keep one of the two columns")
                self._problems.add(line, name, what, mend)
            keys.add(key if place is None else place)
            further = self._layout.further(name) if self._layout.further and place is None else None
            if place is not None:
                columns.append((replace(self._layout.columns[place], name=name), place))
            elif further is not None:
                columns.append((further, len(self._layout.columns) + len(columns)))
            else:
                what = english("{name} is no column of this kind of file", name=name)
                self._problems.add(line, self._column(index), what, self._expected())
        self._check_missing(line, keys)
        return columns

    def _column(self, index: int) -> English:
        return english("column {index}", index=self._source.column_name(index))

    def _header_text(self, line: int, index: int, cell: str | BadCell) -> str:
        try:
            if isinstance(cell, BadCell):
                raise cell.hidden if isinstance(cell, BadNumber) and len(cell.digits) >= ID_DIGITS else cell
            if len(cell) > _LOOKED_AT * _LONGEST_NAME:
                raise BadCell(english("has a name of more than 100 characters"), english("shorten it"))
            name = clean(cell)
            if not name:
                raise BadCell(english("has no name"), english("write its header, or delete the column"))
            if len(name) > _LONGEST_NAME:
                raise BadCell(english("has a name of more than 100 characters"), english("shorten it"))
            if shown(name) != name:
                what = english("has a name with 13 digits or more")
                raise BadCell(what, english("write the names of the columns into the first line"))
        except BadCell as bad:
            self._problems.add(line, self._column(index), bad.what, bad.mend)
            return ""
        return name

    def _refuse_wide(self, line: int, raw: list[str | BadCell]) -> None:
        """Raise ImportRefused if there are more columns than this kind of file may have."""
        most = len(self._layout.columns) + self._layout.max_further
        if len(raw) > most and self._layout.further:
            what = english("has {count:,} columns", count=len(raw))
            mend = english("keep at most {count} menus", count=self._layout.max_further)
            raise ImportRefused([Problem(line, None, what, mend)])

    def _refuse_other_kind(self, line: int, raw: list[str | BadCell]) -> None:
        """Raise ImportRefused if the file is of another kind, or has a title above the header or no header."""
        own = _count_known(raw, self._layout)
        if own == len(self._layout.columns):
            return
        counts = {kind: _count_names(raw, names) for kind, names in KINDS.items() if kind != self._layout.kind}
        other = max(counts, key=counts.__getitem__)
        if self._layout.kind and counts[other] > max(own, len(KINDS[other]) - 2):
            what = english(
                "this is a file of {other}, not of {kind}",
                other=_KIND_NAMES[other],
                kind=_KIND_NAMES[self._layout.kind],
            )
            raise refuse(what, english("give the file of {kind}", kind=_KIND_NAMES[self._layout.kind]))
        if own:
            return
        for below, cells in self._rest_of_batch[:_BELOW_TITLE]:
            if _count_known(cells, self._layout) * 2 >= len(self._layout.columns):
                what = english("is a title above the header, which is on line {line}", line=below)
                mend = english("delete the lines above the header, so that it is the first")
                raise ImportRefused([Problem(line, None, what, mend)])
        if len(self._layout.columns) > 1:
            what = english("is no header: none of the columns of such a file is in it")
            raise ImportRefused([Problem(line, None, what, self._expected())])

    def _check_missing(self, line: int, keys: set[object]) -> None:
        missing = [column for place, column in enumerate(self._layout.columns) if place not in keys]
        if missing:
            what = english(
                "these columns are missing: {names}",
                names=", ".join(f"{column.name} ({column.thai})" for column in missing),
                thai=", ".join(column.thai for column in missing),
            )
            self._problems.add(line, None, what, english("add them to the header"))
        self._problems.require_none()

    def _expected(self) -> str:
        names = ", ".join(column.name for column in self._layout.columns)
        thai = ", ".join(column.thai for column in self._layout.columns)
        return english("the columns are {names}", names=f"{names} ({thai})", thai=thai)

    def batches(self) -> Iterator[list[Row]]:
        """Yield all rows that are not empty, in batches. Raises ImportRefused if there are none."""
        for raw in self._raw_batches():
            batch = [row for line, cells in raw if any(cells) and (row := self._row(line, cells)) is not None]
            self.rows_seen += len(batch)
            yield batch
            if self._problems.is_full:
                return
        for problem in self._source.findings(self._header_line, len(self._cells)):
            self._problems.add(problem.line, problem.column, problem.what, problem.mend)
        if not self.rows_seen and not self._problems:
            raise refuse(english("the file has a header but no rows"), english("give a file with rows"))

    def notes(self) -> list[English]:
        """Return notes on content that a reader does not see, such as hidden rows. Complete after the last
        batch.
        """
        return self._source.notes()

    def _raw_batches(self) -> Iterator[list[RawRow]]:
        for batch in self._all_batches():
            if self._layout.counts_ids:
                self._count_ids(batch)
            yield batch

    def _all_batches(self) -> Iterator[list[RawRow]]:
        yield self._rest_of_batch
        yield from self._batches

    def _row(self, line: int, raw: list[str | BadCell]) -> Row | None:
        if self._problems.is_full:
            return None
        if len(raw) != len(self._cells):
            resized = self._resize(line, raw)
            if resized is None:
                return None
            raw = resized
        try:
            return line, self._pick([cells[text] for cells, text in zip(self._cells, raw, strict=True)])
        except BadCell:
            return self._row_with_problems(line, raw)

    def _resize(self, line: int, raw: list[str | BadCell]) -> list[str | BadCell] | None:
        width = len(self._cells)
        if len(raw) > width and not any(raw[width:]):
            return raw[:width]
        if len(raw) < width and self._source.pads:
            return raw + [""] * (width - len(raw))
        what = english("has {count} cells, the header has {width}", count=len(raw), width=width)
        self._problems.add(line, None, what, english("give each column one cell, empty or not"))
        return None

    def _row_with_problems(self, line: int, raw: list[str | BadCell]) -> Row | None:
        if not any(isinstance(text, BadCell) or text.strip() for text in raw):
            return None
        values: list[str] = []
        for cells, text in zip(self._cells, raw, strict=True):
            try:
                values.append(cells[text])
            except BadCell as bad:
                self._problems.add(line, cells.column.name, bad.what, bad.mend)
                values.append("")
        return line, self._pick(values)

    def _count_ids(self, batch: list[RawRow]) -> None:
        width = len(self._cells)
        # Pads rows of a workbook, which end with their last filled cell.
        rows = (cells[:width] for _line, cells in batch)
        for index, column in enumerate(zip_longest(*rows, fillvalue="")):
            self._filled[index] += len(column) - column.count("")
            ids = [text for text in set(column) if _is_national_id(text)]
            self._ids[index] += sum(map(column.count, ids))

    def national_id_columns(self) -> list[str]:
        """Return the headers of columns in which at least half of the filled cells are valid national ID
        numbers.
        """
        return [
            cells.column.name
            for cells, filled, ids in zip(self._cells, self._filled, self._ids, strict=True)
            if ids * 2 > filled
        ]


@dataclass(frozen=True)
class Bounds:
    """The limits on a file: of a workbook, and the number of lines of a CSV file (None: unlimited)."""

    workbook: Limits = LIMITS
    lines: int | None = None


UNBOUNDED = Bounds()


def _open_source(file: BinaryIO, name: str, bounds: Bounds) -> Source:
    if require_suffix(name) == ".csv":
        return CsvSource(file, bounds.lines)
    return XlsxSource(file, bounds.workbook)


# Other formats that people send, by the suffix of the file's name.
_OTHER_SUFFIXES = {
    ".xls": english("an old Excel file (.xls)"),
    ".xlsm": english("a workbook with macros (.xlsm)"),
    ".xlsb": english("a binary workbook (.xlsb)"),
    ".ods": english("an OpenDocument file (.ods)"),
    ".numbers": english("a Numbers file"),
    ".pdf": english("a PDF"),
}


def require_suffix(name: str) -> str:
    """Return the suffix of a file's name, `.csv` or `.xlsx`. Raises ImportRefused for any other."""
    suffix = Path(name).suffix.lower()
    if suffix in (".csv", ".xlsx"):
        return suffix
    if suffix in _OTHER_SUFFIXES:
        raise refuse(english("the file is {kind}", kind=_OTHER_SUFFIXES[suffix]), SAVE_AS_WORKBOOK)
    what = english("the file's name ends neither with .csv nor with .xlsx")
    raise refuse(what, english("save it as one of the two"))


@contextmanager
def open_table(path: Path, layout: Layout, problems: Problems) -> Iterator[Table]:
    """Open a CSV or XLSX file, by its suffix, and match its headers to the layout.

    Raises ImportRefused if the file cannot be opened, is not what its suffix says, or has wrong headers.
    """
    require_suffix(path.name)
    try:
        file = path.open("rb")
    except OSError as error:
        raise refuse(f"the file cannot be opened: {error.strerror}", "check its name and your rights") from None
    with file, read_table(file, path.name, layout, problems) as table:
        yield table


@contextmanager
def read_table(
    file: BinaryIO, name: str, layout: Layout, problems: Problems, bounds: Bounds = UNBOUNDED
) -> Iterator[Table]:
    """Like `open_table`, for an open file within `bounds`. The file stays open."""
    source = _open_source(file, name, bounds)
    try:
        yield Table(source, layout, problems)
    finally:
        source.close()
