"""What a cell shows of a number, or of a text, by its number format (ECMA-376 part 1, 18.8.31).

A spreadsheet keeps 1 where a cell shows 0001 or A-001. People mean what they see, so a number is taken only where
it is certain that the cell shows exactly the text that is taken; every other number is refused.
"""

import math
import re
from decimal import ROUND_HALF_UP, Decimal

from models.imports.tabular.problems import BadCell, BadNumber, english

# Excel keeps 15 digits of a number; behind them it has written zeros.
MAX_NUMBER = 10**15
# From 12 digits on Excel shows 1.23457E+11 in a cell without a format of its own.
MAX_GENERAL_NUMBER = 10**11
# Letters of a format, or of what a cell shows, that are told.
_LONGEST = 40
AS_TEXT = english("format the column as text and type it again")
_AS_MEANT = english("format the column as text and type what the cell is to say")

_GENERAL = {"general", "@"}
_ZEROS = re.compile("0+")
# One piece of a section: a text in quotes, a letter behind a backslash, or a sign that stands for itself.
_PIECE = re.compile(r'"(?P<quoted>[^"]*)"|\\(?P<escaped>.)|(?P<plain>[ ()+-])|(?P<digit>0)')
_SECTION = re.compile(r'(?:"[^"]*"|\\.|[^;"\\])*')
_FIXED = re.compile(r'"[^"]*"|\\.')
_COLOUR = re.compile(r"\[(?:black|blue|cyan|green|magenta|red|white|yellow)\]", re.IGNORECASE)
# What is only the look of a section for texts: a colour, a blank as wide as a sign, a sign that fills the cell.
_LOOK = re.compile(rf"{_COLOUR.pattern}|[_*].", re.IGNORECASE)


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


def number_text(number: float, code: str) -> str | BadCell:
    """The text that a cell shows of a number; a BadCell where it is not certain that it shows just that.

    `code` is the number format. A number is shown as its digits without a format, and with as many digits as
    there are zeros by a format of zeros.
    """
    outside = _outside(number)
    if outside is not None:
        return outside
    whole = number == int(number)
    if code.casefold() not in _GENERAL and not (whole and _ZEROS.fullmatch(code)):
        return _refused(number, code, whole)
    if not whole:
        return BadCell(english("is a number with a fraction"), AS_TEXT)
    digits = str(int(number))
    if code.casefold() not in _GENERAL:
        return digits.zfill(len(code))
    if number >= MAX_GENERAL_NUMBER:
        what = english("is a number of more than 11 digits, which Excel shows in a shortened form")
        mend = english("format the column as text and type all digits")
        return BadNumber(what, mend, digits, is_named=False)
    return digits


def changes_text(code: str) -> bool:
    """Whether a cell of this format shows another text than the one in it."""
    sections = _sections(code)
    of_texts = sections[3] if len(sections) > 3 else sections[-1]
    if len(sections) < 4 and "@" not in _FIXED.sub("", of_texts):
        return False
    return _LOOK.sub("", of_texts).strip() != "@"
