"""What is wrong with a file: each problem with its line and column, and how to mend it."""

import re
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from models.base.errors import DomainError

# Nobody mends more at once; a file of half a million bad rows must not fill the memory with reports.
MAX_PROBLEMS = 10_000


# What the operator reads below the problems of a file.
IMPORTED_NOTHING = "nothing was imported"


class English(str):
    """A text of the program as the command line says it. The chat says it in its own language, by `template` and
    `values` (handlers/chat/uploads.py); a value may be such a text itself.
    """

    template: str
    values: dict[str, object]


def english(template: str, **values: object) -> English:
    """The text that a template makes with its values."""
    made = English(template.format(**values))
    made.template, made.values = template, values
    return made


def packed(text: object) -> object:
    """A text with its template and values, as JSON for another process or a later day."""
    if not isinstance(text, English):
        return text if text is None or isinstance(text, int) else str(text)
    return {"template": text.template, "values": {name: packed(value) for name, value in text.values.items()}}


def unpacked(parts: Any) -> Any:
    """The text that `packed` has packed."""
    if not isinstance(parts, dict):
        return parts
    template = parts["template"]
    return english(template, **{name: unpacked(value) for name, value in parts["values"].items()})


# Of a national ID number, the check digit among them.
ID_DIGITS = 13
_ID_DIGIT = re.compile("[0-9๐-๙]")


def shown(text: str) -> str:
    """A cell's text as a refusal may repeat it: not where so many digits could be an ID number."""
    return english("(not shown)") if len(_ID_DIGIT.findall(text)) >= ID_DIGITS else text


class BadCell(Exception):
    """One cell cannot be taken: what is wrong with it, and how to mend it. Never holds the cell's own text
    where that may be a password.
    """

    def __init__(self, what: str, mend: str) -> None:
        super().__init__(what)
        self.what = what
        self.mend = mend


class BadNumber(BadCell):
    """A cell that shows something else than the number in it; `digits` is the number.

    `is_named`: `what` or `mend` name the number, so that a column of secrets raises `hidden` in its place.
    """

    def __init__(self, what: str, mend: str, digits: str, *, is_named: bool) -> None:
        super().__init__(what, mend)
        self.digits = digits
        self._is_named = is_named

    @property
    def hidden(self) -> BadCell:
        """The same without the number."""
        if not self._is_named:
            return self
        return BadCell(
            english("is a number that the cell shows in another form"),
            english("format the column as text and type what the cell is to say"),
        )


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing to mend. `line` counts from 1 (the header's, as a rule); None for what concerns the whole file.

    `column` is the header as the file writes it; None for what concerns the whole line.
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
        """What problems that are alike have in common: their texts, whatever values stand in them."""
        return _template(self.what), _template(self.mend)


def _template(text: str) -> str:
    return text.template if isinstance(text, English) else text


@dataclass(frozen=True)
class Alike:
    """Problems of one kind, told together: the first of them, and the places of all by column.

    `lines` are in order; a problem without a line or a column has None in its place.
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
        told = f"{self.first.what}{example}; {self.first.mend}"
        return f"{place}: {told}" if place else told


def _place(column: str | None, lines: list[int | None]) -> str:
    numbers = [line for line in lines if line is not None]
    text = f"line{'s' if len(numbers) > 1 else ''} {spans(numbers)}" if numbers else ""
    return ", ".join(part for part in (text, column) if part)


def spans(numbers: Iterable[int]) -> str:
    """Numbers as a reader has them: `5–9, 12`."""
    joined: list[list[int]] = []
    for number in sorted(numbers):
        if joined and number <= joined[-1][1] + 1:
            joined[-1][1] = number
        else:
            joined.append([number, number])
    return ", ".join(str(first) if first == last else f"{first}–{last}" for first, last in joined)


def alike(problems: Iterable[Problem]) -> list[Alike]:
    """Problems by kind, in the order in which the kinds appear; what has no place stands alone."""
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
    """A file cannot be taken; nothing was written. `problems` are all that were found, in order of lines;
    `outcome` says that nothing has come of it.
    """

    def __init__(self, problems: Sequence[Problem], outcome: str = IMPORTED_NOTHING) -> None:
        self.outcome = outcome
        self.problems = sorted(problems, key=lambda problem: problem.line or 0)
        super().__init__("\n".join(str(problem) for problem in self.problems))


def refuse(what: str, mend: str) -> ImportRefused:
    """The refusal of a file as a whole."""
    return ImportRefused([Problem(None, None, what, mend)])


class Problems:
    """Collects what is wrong with one file, at most one problem a cell, so that all can be mended together."""

    def __init__(self, most: int = MAX_PROBLEMS, outcome: str = IMPORTED_NOTHING) -> None:
        self._most = most
        self._outcome = outcome
        self._found: dict[tuple[int | None, str | None, str], Problem] = {}
        self._cells: set[tuple[int, str]] = set()

    def add(self, line: int | None, column: str | None, what: str, mend: str) -> None:
        """Note a problem, unless its cell has one or there are too many already."""
        if self.is_full:
            return
        if line is not None and column is not None:
            if (line, column) in self._cells:
                return
            self._cells.add((line, column))
        self._found[line, column, what] = Problem(line, column, what, mend)

    @property
    def is_full(self) -> bool:
        """Whether reading on makes no sense."""
        return len(self._found) >= self._most

    def replace_column(self, column: str, what: str, mend: str) -> None:
        """One problem of a whole column instead of those of its cells."""
        self._found = {key: problem for key, problem in self._found.items() if key[1] != column}
        self.add(None, column, what, mend)

    def forget(self, lines: Collection[int]) -> None:
        """Drop what was noted of lines that are not imported after all. Nothing when there are too many problems:
        then what is wrong with other lines was not noted.
        """
        if self.is_full:
            return
        self._found = {key: problem for key, problem in self._found.items() if problem.line not in lines}

    def __bool__(self) -> bool:
        return bool(self._found)

    def require_none(self) -> None:
        """Raises ImportRefused when there is anything to mend."""
        found = list(self._found.values())
        if self.is_full:
            what = english("more than {count:,} problems", count=self._most)
            found.append(Problem(None, None, what, english("mend these and import again")))
        if found:
            raise ImportRefused(found, self._outcome)
