"""What a cell shows of a number, or of a text, by its number format (ECMA-376 part 1, 18.8.31).

A spreadsheet keeps 1 where a cell shows 0001 or A-001. People mean what they see, so a number is taken only where
it is certain that the cell shows exactly the text that is taken; every other number is refused.
"""

import math
import re
from datetime import date, timedelta
from decimal import ROUND_HALF_UP, Decimal
from functools import lru_cache

from models.imports.tabular.problems import BadCell, BadNumber, english

# Excel keeps 15 digits of a number; behind them it has written zeros.
MAX_NUMBER = 10**15
# From 12 digits on Excel shows 1.23457E+11 in a cell without a format of its own.
MAX_GENERAL_NUMBER = 10**11
# Letters of a format, or of what a cell shows, that are told.
_LONGEST = 40
AS_TEXT = english("format the column as text and type it again")
_AS_MEANT = english("format the column as text and type what the cell is to say")
_FRACTION = BadCell(english("is a number with a fraction"), AS_TEXT)

_GENERAL = {"general", "@"}
_ZEROS = re.compile("0+")
# One piece of a section: a text in quotes, a letter behind a backslash, or a sign that stands for itself.
_PIECE = re.compile(r'"(?P<quoted>[^"]*)"|\\(?P<escaped>.)|(?P<plain>[ ()+-])|(?P<digit>0)')
_SECTION = re.compile(r'(?:"[^"]*"|\\.|[^;"\\])*')
_FIXED = re.compile(r'"[^"]*"|\\.')
_COLOUR = re.compile(r"\[(?:black|blue|cyan|green|magenta|red|white|yellow)\]", re.IGNORECASE)
# What is only the look of a section for texts: a colour, a blank as wide as a sign, a sign that fills the cell.
_LOOK = re.compile(rf"{_COLOUR.pattern}|[_*].", re.IGNORECASE)

# A letter of a date or time, outside of quotes and brackets (ECMA-376 part 1, 18.8.31).
_DATE = re.compile("[dmyhs]", re.IGNORECASE)
_ELAPSED = re.compile(r"\[(?:h+|m+|s+)\]", re.IGNORECASE)
_BRACKETS = re.compile(r"\[[^\]]*\]")
# The last day that a spreadsheet knows, 31 December 9999.
_LAST_DAY = 2_958_465
# Day 0 of the two calendars of workbooks; Excel's counts a 29 February 1900 that never was.
_EPOCH, _EPOCH_1904 = date(1899, 12, 30), date(1904, 1, 1)
_FIRST_CERTAIN_DAY = 61

#: The codes of the formats that are built in, by number, for workbooks do not spell them out (ECMA-376 part 1,
#: 18.8.30). Numbers that depend on the language are left out.
BUILTIN_CODES = {
    0: "General",
    1: "0",
    2: "0.00",
    3: "#,##0",
    4: "#,##0.00",
    9: "0%",
    10: "0.00%",
    11: "0.00E+00",
    12: "# ?/?",
    13: "# ??/??",
    14: "mm-dd-yy",
    15: "d-mmm-yy",
    16: "d-mmm",
    17: "mmm-yy",
    18: "h:mm AM/PM",
    19: "h:mm:ss AM/PM",
    20: "h:mm",
    21: "h:mm:ss",
    22: "m/d/yy h:mm",
    37: "#,##0 ;(#,##0)",
    38: "#,##0 ;[Red](#,##0)",
    39: "#,##0.00;(#,##0.00)",
    40: "#,##0.00;[Red](#,##0.00)",
    45: "mm:ss",
    46: "[h]:mm:ss",
    47: "mmss.0",
    48: "##0.0E+0",
    49: "@",
}


def _sections(code: str) -> list[str]:
    """The sections of a format, for positive numbers, negative ones, zero, and texts."""
    sections: list[str] = []
    place = 0
    while match := _SECTION.match(code, place):
        sections.append(match[0])
        place = match.end() + 1
        if place > len(code):
            return sections
        if code[place - 1] != ";":
            break
    # A quote that is never closed, or nothing behind a backslash.
    return [code]


def _filled_in(section: str, number: int) -> str | None:
    """What a section of zeros and fixed texts shows; None when there is anything else in it."""
    pieces: list[str | None] = []
    place = 0
    while place < len(section):
        match = _PIECE.match(section, place)
        if match is None:
            return None
        # None stands for a digit.
        pieces.append(None if match["digit"] else match["quoted"] or match["escaped"] or match["plain"] or "")
        place = match.end()
    zeros = pieces.count(None)
    if not zeros:
        return None
    digits = str(number).zfill(zeros)
    # The first zero takes all the digits for which there is no zero.
    spread = iter([digits[: len(digits) - zeros + 1], *digits[len(digits) - zeros + 1 :]])
    return "".join(next(spread) if piece is None else piece for piece in pieces)


def _certain_text(number: float, code: str) -> str | None:
    """What the cell shows of a number that is not negative, or None where that depends on the program, the machine
    or the cell's width.
    """
    rounded = int(Decimal(repr(number)).quantize(Decimal(1), ROUND_HALF_UP))
    if rounded >= MAX_NUMBER or (rounded == 0 and number != 0):
        return None
    sections = _sections(_COLOUR.sub("", code))
    if any("[" in _FIXED.sub("", section) for section in sections):
        # A condition or a language.
        return None
    if number == 0 and len(sections) > 2:
        return _filled_in(sections[2], 0)
    return _filled_in(sections[0], rounded)


def _printable(text: str) -> str:
    """A format's code, which may hold anything, as it may be printed."""
    return "".join(letter if letter.isprintable() else "?" for letter in text)[:_LONGEST] or '""'


def _refused(number: float, code: str, whole: bool) -> BadNumber:
    digits = str(int(number)) if whole else repr(number)
    shown = (_certain_text(number, code) or "").strip()
    # The same digits, in a colour or with blanks around them, would be a refusal without a reason.
    if shown in ("", digits) or not shown.isprintable() or len(shown) > _LONGEST:
        what = english(
            "is the number {number} in the format {format}, which may show something else",
            number=digits,
            format=_printable(code),
        )
        return BadNumber(what, _AS_MEANT, digits, is_named=True)
    what = english("is the number {number}, and the cell shows {shown}", number=digits, shown=shown)
    mend = english("format the column as text and type {shown}", shown=shown)
    return BadNumber(what, mend, digits, is_named=True)


def _outside(number: float) -> BadCell | None:
    """What is wrong with a number in whatever format."""
    # In this order: an int of 400 digits is not turned into a float.
    if abs(number) >= MAX_NUMBER or not math.isfinite(number):
        return BadCell(english("is a number of more than 15 digits"), AS_TEXT)
    if number < 0:
        # No code, number of a record or name is one; a spreadsheet makes one of a dash before digits.
        return BadCell(english("is a negative number"), _AS_MEANT)
    return None


class UnknownFormat(str):
    """What stands in place of a format's code where that is not known: nothing says what a number looks like."""


def _is_date(code: str) -> bool:
    """Whether a format shows a number as a date or time."""
    if isinstance(code, UnknownFormat):
        return False
    return _ELAPSED.search(code) is not None or _DATE.search(_BRACKETS.sub("", _FIXED.sub("", code))) is not None


def _date(number: float, starts_1904: bool) -> BadCell:
    """The refusal of a number that a cell shows as a date: which one, where that is certain."""
    epoch, first = (_EPOCH_1904, 0) if starts_1904 else (_EPOCH, _FIRST_CERTAIN_DAY)
    what = english("is a date or time")
    if not first <= number <= _LAST_DAY - (_EPOCH_1904 - _EPOCH).days * starts_1904:
        return BadCell(what, _AS_MEANT)
    day = epoch + timedelta(days=int(number))
    return BadNumber(
        english("is the date {date}", date=f"{day:%d/%m/%Y}"), _AS_MEANT, f"{day:%d%m%Y}", is_named=True
    )


def number_text(number: float, code: str, *, starts_1904: bool = False) -> str | BadCell:
    """The text that a cell shows of a number; a BadCell where it is not certain that it shows just that.

    `code` is the number format. A number is shown as its digits without a format, and with as many digits as
    there are zeros by a format of zeros. `starts_1904`: the workbook counts its days from 1904.
    """
    if code.casefold() not in _GENERAL and not _ZEROS.fullmatch(code) and _is_date(code):
        return _date(number, starts_1904)
    outside = _outside(number)
    if outside is not None:
        return outside
    whole = number == int(number)
    is_general = code.casefold() in _GENERAL
    if not is_general and not (whole and _ZEROS.fullmatch(code)):
        return _refused(number, code, whole)
    return _digits(number, 0 if is_general else len(code)) if whole else _FRACTION


def _digits(number: float, zeros: int) -> str | BadCell:
    """The digits of a whole number, by a format of so many zeros or, with 0, without a format."""
    digits = str(int(number))
    if zeros:
        return digits.zfill(zeros)
    if number >= MAX_GENERAL_NUMBER:
        what = english("is a number of more than 11 digits, which Excel shows in a shortened form")
        mend = english("format the column as text and type all digits")
        return BadNumber(what, mend, digits, is_named=False)
    return digits


@lru_cache(1000)
def changes_text(code: str) -> bool:
    """Whether a cell of this format shows another text than the one in it."""
    sections = _sections(code)
    of_texts = sections[3] if len(sections) > 3 else sections[-1]
    if len(sections) < 4 and "@" not in _FIXED.sub("", of_texts):
        return False
    return _LOOK.sub("", of_texts).strip() != "@"
