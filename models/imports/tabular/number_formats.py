"""What a cell displays of a number or text, by its number format (ECMA-376 part 1, 18.8.31).

A spreadsheet stores 1 where a cell displays 0001 or A-001, and people mean what they see. A number is therefore
accepted only if the cell certainly displays exactly the accepted text. Every other number is refused.
"""

import math
import re
from datetime import date, timedelta
from decimal import ROUND_HALF_UP, Decimal
from functools import lru_cache

from models.imports.tabular.problems import BadCell, BadNumber, english

# Excel stores 15 digits of a number, and replaces further ones by zeros.
MAX_NUMBER = 10**15
# From 12 digits on, Excel displays 1.23457E+11 in a cell with the format General.
MAX_GENERAL_NUMBER = 10**11
# The most characters of a format, or of a displayed text, that a message repeats.
_LONGEST = 40
AS_TEXT = english("format the column as text and type it again")
_AS_MEANT = english("format the column as text and type what the cell is to say")
_FRACTION = BadCell(english("is a number with a fraction"), AS_TEXT)

_GENERAL = {"general", "@"}
_ZEROS = re.compile("0+")
# One piece of a section: a quoted text, an escaped character, a literal character, or a digit place.
_PIECE = re.compile(r'"(?P<quoted>[^"]*)"|\\(?P<escaped>.)|(?P<plain>[ ()+-])|(?P<digit>0)')
_SECTION = re.compile(r'(?:"[^"]*"|\\.|[^;"\\])*')
_FIXED = re.compile(r'"[^"]*"|\\.')
_COLOUR = re.compile(r"\[(?:black|blue|cyan|green|magenta|red|white|yellow)\]", re.IGNORECASE)
# Pieces that affect only the appearance of a text: a colour, padding as wide as a character, a fill character.
_LOOK = re.compile(rf"{_COLOUR.pattern}|[_*].", re.IGNORECASE)

# A date or time code, outside of quotes and brackets (ECMA-376 part 1, 18.8.31).
_DATE = re.compile("[dmyhs]", re.IGNORECASE)
_ELAPSED = re.compile(r"\[(?:h+|m+|s+)\]", re.IGNORECASE)
_BRACKETS = re.compile(r"\[[^\]]*\]")
# The serial number of a spreadsheet's last day, 31 December 9999.
_LAST_DAY = 2_958_465
# Day 0 of the two date systems. Excel's 1900 system counts a 29 February 1900 that did not exist, so that only
# later days are certain.
_EPOCH, _EPOCH_1904 = date(1899, 12, 30), date(1904, 1, 1)
_FIRST_CERTAIN_DAY = 61

# The codes of the built-in formats by id, which workbooks do not contain (ECMA-376 part 1, 18.8.30).
# Ids whose code depends on the language are left out.
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
    """Split a format into its sections for positive numbers, negative numbers, zero, and texts."""
    sections: list[str] = []
    place = 0
    while match := _SECTION.match(code, place):
        sections.append(match[0])
        place = match.end() + 1
        if place > len(code):
            return sections
        if code[place - 1] != ";":
            break
    # An unclosed quote, or a backslash at the end.
    return [code]


def _filled_in(section: str, number: int) -> str | None:
    """Return what a section of zeros and literal texts displays; None if it contains anything else."""
    pieces: list[str | None] = []
    place = 0
    while place < len(section):
        match = _PIECE.match(section, place)
        if match is None:
            return None
        # None marks a digit place.
        pieces.append(None if match["digit"] else match["quoted"] or match["escaped"] or match["plain"] or "")
        place = match.end()
    zeros = pieces.count(None)
    if not zeros:
        return None
    digits = str(number).zfill(zeros)
    # The first place takes all surplus digits.
    digit_groups = iter([digits[: len(digits) - zeros + 1], *digits[len(digits) - zeros + 1 :]])
    return "".join(next(digit_groups) if piece is None else piece for piece in pieces)


def _certain_text(number: float, code: str) -> str | None:
    """Return what a cell displays of a non-negative number; None if that depends on the program, its language or
    the cell's width.
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
    """Return a format's code, which may contain any character, for a message."""
    return "".join(letter if letter.isprintable() else "?" for letter in text)[:_LONGEST] or '""'


def _refused(number: float, code: str, whole: bool) -> BadNumber:
    digits = str(int(number)) if whole else repr(number)
    displayed = (_certain_text(number, code) or "").strip()
    # Naming the same digits again (displayed in a colour or with spaces) would be a refusal without a reason.
    if displayed in ("", digits) or not displayed.isprintable() or len(displayed) > _LONGEST:
        what = english(
            "is the number {number} in the format {format}, which may show something else",
            number=digits,
            format=_printable(code),
        )
        return BadNumber(what, _AS_MEANT, digits, is_named=True)
    what = english("is the number {number}, and the cell shows {shown}", number=digits, shown=displayed)
    mend = english("format the column as text and type {shown}", shown=displayed)
    return BadNumber(what, mend, digits, is_named=True)


def _outside(number: float) -> BadCell | None:
    """Return the refusal of a number that is invalid in every format; None if it may be valid."""
    # Compare first: math.isfinite cannot convert an int of 400 digits to a float.
    if abs(number) >= MAX_NUMBER or not math.isfinite(number):
        return BadCell(english("is a number of more than 15 digits"), AS_TEXT)
    if number < 0:
        # No code, record number or name is negative. A spreadsheet makes a negative number of a dash before
        # digits.
        return BadCell(english("is a negative number"), _AS_MEANT)
    return None


class UnknownFormat(str):
    """The placeholder for an unknown format code: what a number looks like is not known."""


def _is_date(code: str) -> bool:
    """Return whether a format displays a number as a date or time."""
    if isinstance(code, UnknownFormat):
        return False
    return _ELAPSED.search(code) is not None or _DATE.search(_BRACKETS.sub("", _FIXED.sub("", code))) is not None


def _date(number: float, starts_1904: bool) -> BadCell:
    """Return the refusal of a number that a cell displays as a date, naming the date if it is certain."""
    epoch, first = (_EPOCH_1904, 0) if starts_1904 else (_EPOCH, _FIRST_CERTAIN_DAY)
    what = english("is a date or time")
    if not first <= number <= _LAST_DAY - (_EPOCH_1904 - _EPOCH).days * starts_1904:
        return BadCell(what, _AS_MEANT)
    day = epoch + timedelta(days=int(number))
    return BadNumber(
        english("is the date {date}", date=f"{day:%d/%m/%Y}"), _AS_MEANT, f"{day:%d%m%Y}", is_named=True
    )


def number_text(number: float, code: str, *, starts_1904: bool = False) -> str | BadCell:
    """Return the text that a cell displays of a number, or a BadCell if that is not certain.

    `code` is the number format. Accepted are whole numbers in the format General or @ (their digits), or in a
    format of zeros (padded to that many digits). `starts_1904`: the workbook's dates count from 1904.
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
    """Return the digits of a whole number, padded to `zeros` digits; with 0, as in the format General."""
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
    """Return whether a cell of this format displays a text otherwise than it is stored."""
    sections = _sections(code)
    of_texts = sections[3] if len(sections) > 3 else sections[-1]
    if len(sections) < 4 and "@" not in _FIXED.sub("", of_texts):
        return False
    return _LOOK.sub("", of_texts).strip() != "@"
