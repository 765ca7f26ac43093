"""The problems of a file: each with its line, its column, and how to fix it."""

import re
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from models.base.errors import DomainError

# The most problems that are collected: nobody fixes more at once, and a file of half a million bad rows must not
# fill the memory.
MAX_PROBLEMS = 10_000


# The outcome that the operator reads below the problems of a file.
IMPORTED_NOTHING = "nothing was imported"


class English(str):
    """An English text for the command line that can be translated for the chat (handlers/chat/uploads.py).

    It was formatted from `template` with `values`; a value may be an English text itself.
    """

    template: str
    values: dict[str, object]


def english(template: str, **values: object) -> English:
    """Format a template, and keep it with its values for translation."""
    text = English(template.format(**values))
    text.template, text.values = template, values
    return text


def packed(text: object) -> object:
    """Convert a text with its template and values to a JSON value, for another process or for storage."""
    if not isinstance(text, English):
        return text if text is None or isinstance(text, int) else str(text)
    return {"template": text.template, "values": {name: packed(value) for name, value in text.values.items()}}


def unpacked(parts: Any) -> Any:
    """Restore the text from a value that `packed` returned."""
    if not isinstance(parts, dict):
        return parts
    template = parts["template"]
    return english(template, **{name: unpacked(value) for name, value in parts["values"].items()})


# Digits of a national ID number, including the check digit.
ID_DIGITS = 13
_ID_DIGIT = re.compile("[0-9๐-๙]")


def shown(text: str) -> str:
    """Return a cell's text for a message, or "(not shown)" if it has enough digits to be a national ID number."""
    return english("(not shown)") if len(_ID_DIGIT.findall(text)) >= ID_DIGITS else text


class BadCell(Exception):
    """A cell is refused. `what` says what is wrong, `mend` how to fix it.

    Neither contains the cell's text where that may be a password.
    """

    def __init__(self, what: str, mend: str) -> None:
        super().__init__(what)
        self.what = what
        self.mend = mend


class BadNumber(BadCell):
    """A cell is refused because it shows something else than the number in it. `digits` are the number's.

    `is_named`: `what` or `mend` contain the number. A column of secrets raises `hidden` instead.
    """

    def __init__(self, what: str, mend: str, digits: str, *, is_named: bool) -> None:
        super().__init__(what, mend)
        self.digits = digits
        self._is_named = is_named

    @property
    def hidden(self) -> BadCell:
        """The same refusal without the number."""
        if not self._is_named:
            return self
        return BadCell(
            english("is a number that the cell shows in another form"),
            english("format the column as text and type what the cell is to say"),
        )


@dataclass(frozen=True, slots=True)
class Problem:
    """One problem to fix. `line` counts from 1, usually the header's line; None if it concerns the whole file.

    `column` is the header as in the file; None if the problem concerns the whole line.
    """

    line: int | None
    column: str | None
    what: str
    mend: str

    def __str__(self) -> str:
        place = ", ".join(
            part for part in (f"line {self.line}" if self.line is not None else "", self.column) if part
        )
        return f"{place}: {self.what}; {self.mend}" if place else f"{self.what}; {self.mend}"

    @property
    def kind(self) -> tuple[str, str]:
        """The templates of the texts, which similar problems share."""
        return _template(self.what), _template(self.mend)


def _template(text: str) -> str:
    return text.template if isinstance(text, English) else text


@dataclass(frozen=True)
class Alike:
    """Problems of one kind, reported together: the first of them, and the lines of all by column.

    A problem without a line or column has None there. `has_one_text`: all have the same values too.
    """

    first: Problem
    places: dict[str | None, list[int | None]]
    count: int
    has_one_text: bool

    def __str__(self) -> str:
        if self.count == 1:
            return str(self.first)
        place = "; ".join(_place(column, lines) for column, lines in self.places.items())
        example = "" if self.has_one_text else f" (line {self.first.line}; the others are alike)"
        text = f"{self.first.what}{example}; {self.first.mend}"
        return f"{place}: {text}" if place else text


def _place(column: str | None, lines: list[int | None]) -> str:
    numbers = [line for line in lines if line is not None]
    text = f"line{'s' if len(numbers) > 1 else ''} {spans(numbers)}" if numbers else ""
    return ", ".join(part for part in (text, column) if part)


def spans(numbers: Iterable[int]) -> str:
    """Format numbers as ranges: `5–9, 12`."""
    joined: list[list[int]] = []
    for number in sorted(numbers):
        if joined and number <= joined[-1][1] + 1:
            joined[-1][1] = number
        else:
            joined.append([number, number])
    return ", ".join(str(first) if first == last else f"{first}–{last}" for first, last in joined)


def alike(problems: Iterable[Problem]) -> list[Alike]:
    """Group problems by kind, in the order of the kinds' first appearance. One without a place is a group
    alone.
    """
    kinds: dict[object, list[Problem]] = {}
    for number, problem in enumerate(problems):
        has_place = problem.line is not None or problem.column is not None
        kinds.setdefault(problem.kind if has_place else number, []).append(problem)
    return [_alike(of_kind) for of_kind in kinds.values()]


def _alike(problems: list[Problem]) -> Alike:
    places: dict[str | None, list[int | None]] = {}
    for problem in problems:
        places.setdefault(problem.column, []).append(problem.line)
    texts = {(problem.what, problem.mend) for problem in problems}
    return Alike(problems[0], places, len(problems), len(texts) == 1)


class ImportRefused(DomainError):
    """A file is refused, and nothing was written. `problems` are sorted by line. `outcome` is the closing
    sentence.
    """

    def __init__(self, problems: Sequence[Problem], outcome: str = IMPORTED_NOTHING) -> None:
        self.outcome = outcome
        self.problems = sorted(problems, key=lambda problem: problem.line or 0)
        super().__init__("\n".join(str(problem) for problem in self.problems))


def refuse(what: str, mend: str) -> ImportRefused:
    """Return the refusal of a whole file, for one problem without a place."""
    return ImportRefused([Problem(None, None, what, mend)])


class Problems:
    """Collects the problems of one file, at most one for each cell and `most` in all. True if there are any."""

    def __init__(self, most: int = MAX_PROBLEMS, outcome: str = IMPORTED_NOTHING) -> None:
        self._most = most
        self._outcome = outcome
        self._found: dict[tuple[int | None, str | None, str], Problem] = {}
        self._cells: set[tuple[int, str]] = set()

    def add(self, line: int | None, column: str | None, what: str, mend: str) -> None:
        """Add a problem, unless its cell has one already or the collection is full."""
        if self.is_full:
            return
        if line is not None and column is not None:
            if (line, column) in self._cells:
                return
            self._cells.add((line, column))
        self._found[line, column, what] = Problem(line, column, what, mend)

    @property
    def is_full(self) -> bool:
        """Whether the limit is reached, so that the file need not be read further."""
        return len(self._found) >= self._most

    def replace_column(self, column: str, what: str, mend: str) -> None:
        """Replace the problems of a column's cells by one problem of the whole column."""
        self._found = {key: problem for key, problem in self._found.items() if key[1] != column}
        self.add(None, column, what, mend)

    def forget(self, lines: Collection[int]) -> None:
        """Remove the problems of lines that are not imported after all.

        Does nothing if the collection is full, because problems of other lines may have been left out.
        """
        if self.is_full:
            return
        self._found = {key: problem for key, problem in self._found.items() if problem.line not in lines}

    def __bool__(self) -> bool:
        return bool(self._found)

    def require_none(self) -> None:
        """Raise ImportRefused with all problems, if there are any."""
        problems = list(self._found.values())
        if self.is_full:
            what = english("more than {count:,} problems", count=self._most)
            problems.append(Problem(None, None, what, english("mend these and import again")))
        if problems:
            raise ImportRefused(problems, self._outcome)
