"""Headers and rows: a file's columns found by their Thai or English names, its cells checked and converted."""

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from itertools import zip_longest
from operator import itemgetter
from pathlib import Path
from typing import BinaryIO, Protocol

from models.base.thai import arabic_digits
from models.imports.tabular.cells import ID_DIGITS, clean, is_national_id
from models.imports.tabular.csv_source import CsvSource, RawRow
from models.imports.tabular.problems import BadCell, BadNumber, ImportRefused, Problem, Problems, english, refuse
from models.imports.tabular.xlsx_source import XlsxSource

# Distinct texts of one column that are remembered: positions and codes repeat, names do not.
_MEMORY = 20_000
_IGNORED_IN_HEADERS = re.compile(r"[\s_.\-–]")

Row = tuple[int, tuple[str, ...]]


def _as_is(text: str) -> str:
    return text


@dataclass(frozen=True)
class Column:
    """One column: its two header names, and the rules on its cells.

    `convert` takes the cleaned text of a filled cell to what is kept and raises BadCell; `empty` is what an empty
    cell becomes, None when it must be filled. `max_length` counts characters after cleaning.
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
    """The columns of one kind of file; `further` makes a column of another header. None, and a header of which it
    makes none, are refused.

    `counts_ids`: Table.national_id_columns is wanted.
    """

    columns: tuple[Column, ...]
    further: Callable[[str], Column | None] | None = None
    max_further: int = 0
    counts_ids: bool = False


class Source(Protocol):
    """One format's raw rows; `pads` when a row may end before the header does."""

    pads: bool

    def batches(self) -> Iterator[list[RawRow]]:
        """The rows, some at a time."""
        ...

    def position(self) -> tuple[int, int]:
        """How much is read, and of how much (0: unknown)."""
        ...

    def close(self) -> None:
        """Let go of the file."""
        ...


class _Cells(dict[str | BadCell, str]):
    """A column's raw texts and what each becomes: most texts of a register repeat, and are checked once."""

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
        """As it may be told: no digit of a password, nor of what may be a national ID number."""
        if isinstance(bad, BadNumber) and (self.column.verbatim or len(bad.digits) >= ID_DIGITS):
            return bad.hidden
        return bad

    def _value(self, raw: str) -> str:
        column = self.column
        text = clean(raw, verbatim=column.verbatim)
        if not text:
            if column.empty is None:
                raise BadCell(english("is empty"), english("fill it in"))
            return column.empty
        if column.is_code:
            text = arabic_digits(text)
        if len(text) > column.max_length:
            what = english("has {count} characters", count=len(text))
            raise BadCell(what, english("shorten it to {count}", count=column.max_length))
        return column.convert(text)


def _is_national_id(raw: str | BadCell) -> bool:
    if isinstance(raw, BadCell):
        return isinstance(raw, BadNumber) and is_national_id(raw.digits)
    return is_national_id(raw)


def _header_key(name: str) -> str:
    """Headers differ neither by case, blanks, dots, dashes nor underscores."""
    return _IGNORED_IN_HEADERS.sub("", name.casefold())


class Table:
    """A file's rows as cells in the order of the layout's columns, the further ones behind them.

    What is wrong goes to `problems`; a row with a wrong cell is still given, with an empty text in its place, so
    that the rest of it is checked too.
    """

    def __init__(self, source: Source, layout: Layout, problems: Problems) -> None:
        self._source = source
        self._layout = layout
        self._problems = problems
        self._batches = source.batches()
        self.rows_seen = 0
        first = self._first_filled()
        # In the file's order; the names are as the file writes them.
        columns = self._match_header(*first)
        self._cells = [_Cells(column) for column, _place in columns]
        self._pick = itemgetter(*sorted(range(len(columns)), key=lambda index: columns[index][1]))
        self._filled = [0] * len(columns)
        self._ids = [0] * len(columns)
        #: The headers as the file writes them, in the order of the cells that `batches` gives.
        self.headers: list[str] = list(self._pick([column.name for column, _place in columns]))

    def position(self) -> tuple[int, int]:
        """How much of the file is read, and of how much (0: unknown)."""
        return self._source.position()

    def _first_filled(self) -> RawRow:
        for batch in self._batches:
            for index, (line, cells) in enumerate(batch):
                if any(cells):
                    self._rest = batch[index + 1 :]
                    return line, cells
        raise refuse(english("the file is empty"), english("give a file with a header line and rows"))

    def _match_header(self, line: int, raw: list[str | BadCell]) -> list[tuple[Column, int]]:
        """The column of each header and its place in the rows that are given."""
        while raw and raw[-1] == "":
            raw.pop()
        names = [self._header_text(line, index, cell) for index, cell in enumerate(raw, 1)]
        self._problems.require_none()
        known = {
            _header_key(name): place
            for place, column in enumerate(self._layout.columns)
            for name in (column.name, column.thai)
        }
        found: list[tuple[Column, int]] = []
        keys: set[object] = set()
        for name in names:
            place = known.get(_header_key(name))
            if (_header_key(name) if place is None else place) in keys:
                what, mend = english("is there twice"), english("keep one of the two columns")
                self._problems.add(line, name, what, mend)
            keys.add(_header_key(name) if place is None else place)
            further = self._layout.further(name) if self._layout.further and place is None else None
            if place is not None:
                found.append((replace(self._layout.columns[place], name=name), place))
            elif further is not None:
                found.append((further, len(self._layout.columns) + len(found)))
            else:
                self._problems.add(line, name, "is no column of this kind of file", self._expected())
        self._check_missing(line, names, keys)
        return found

    def _header_text(self, line: int, index: int, cell: str | BadCell) -> str:
        try:
            if isinstance(cell, BadCell):
                raise cell
            name = clean(cell)
            if not name:
                raise BadCell(english("has no name"), english("write its header, or delete the column"))
            if len(name) > 100:
                raise BadCell(english("has a name of more than 100 characters"), english("shorten it"))
        except BadCell as bad:
            self._problems.add(line, english("column {index}", index=index), bad.what, bad.mend)
            return ""
        return name

    def _check_missing(self, line: int, names: list[str], keys: set[object]) -> None:
        missing = [column for place, column in enumerate(self._layout.columns) if place not in keys]
        if len(names) == 1 and len(missing) > 1 and re.search("[;\t|]", names[0]):
            what, mend = english("has no commas between its columns"), english("save it as CSV with commas")
            raise ImportRefused([Problem(line, None, what, mend)])
        for column in missing:
            mend = english("add a column {name} or {thai}", name=column.name, thai=column.thai)
            self._problems.add(line, column.name, english("is missing"), mend)
        if len(names) - len(self._layout.columns) > self._layout.max_further and self._layout.further:
            mend = english("keep at most {count} menus", count=self._layout.max_further)
            self._problems.add(line, None, english("has {count} columns", count=len(names)), mend)
        self._problems.require_none()

    def _expected(self) -> str:
        names = ", ".join(column.name for column in self._layout.columns)
        return english("the columns are {names}", names=names)

    def batches(self) -> Iterator[list[Row]]:
        """All rows that are not empty, some at a time. Raises ImportRefused when there is none."""
        for raw in self._raw_batches():
            batch = [row for line, cells in raw if any(cells) and (row := self._row(line, cells)) is not None]
            self.rows_seen += len(batch)
            yield batch
            if self._problems.is_full:
                return
        if not self.rows_seen and not self._problems:
            raise refuse(english("the file has a header but no rows"), english("give a file with rows"))

    def _raw_batches(self) -> Iterator[list[RawRow]]:
        for batch in self._all_batches():
            if self._layout.counts_ids:
                self._count_ids(batch)
            yield batch

    def _all_batches(self) -> Iterator[list[RawRow]]:
        yield self._rest
        yield from self._batches

    def _row(self, line: int, raw: list[str | BadCell]) -> Row | None:
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
        # A row of a workbook ends with its last filled cell.
        rows = (cells[:width] for _line, cells in batch)
        for index, column in enumerate(zip_longest(*rows, fillvalue="")):
            self._filled[index] += len(column) - column.count("")
            ids = [text for text in set(column) if _is_national_id(text)]
            self._ids[index] += sum(map(column.count, ids))

    def national_id_columns(self) -> list[str]:
        """The headers of columns more than half of whose filled cells are valid national ID numbers."""
        return [
            cells.column.name
            for cells, filled, ids in zip(self._cells, self._filled, self._ids, strict=True)
            if ids * 2 > filled
        ]


_KINDS: dict[str, Callable[[BinaryIO], Source]] = {".csv": CsvSource, ".xlsx": XlsxSource}


def require_kind(name: str) -> Callable[[BinaryIO], Source]:
    """What reads a file of this name. Raises ImportRefused for a name of neither kind."""
    kind = _KINDS.get(Path(name).suffix.lower())
    if kind is None:
        what = english("the file's name ends neither with .csv nor with .xlsx")
        raise refuse(what, english("save it as one of the two"))
    return kind


@contextmanager
def open_table(path: Path, layout: Layout, problems: Problems) -> Iterator[Table]:
    """Open a CSV or XLSX file, told apart by its name, and match its header.

    Raises ImportRefused for a file that cannot be read as what its name says, or whose headers are wrong.
    """
    require_kind(path.name)
    try:
        file = path.open("rb")
    except OSError as error:
        raise refuse(f"the file cannot be opened: {error.strerror}", "check its name and your rights") from None
    with file, read_table(file, path.name, layout, problems) as table:
        yield table


@contextmanager
def read_table(file: BinaryIO, name: str, layout: Layout, problems: Problems) -> Iterator[Table]:
    """`open_table` of a file that is open; it stays so."""
    source = require_kind(name)(file)
    try:
        yield Table(source, layout, problems)
    finally:
        source.close()
