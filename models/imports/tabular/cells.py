"""The rules on the text of one cell: what is refused, what is trimmed, and what a national ID number is."""

import re
import unicodedata

from models.base.font import undrawn, visible
from models.base.names import WITHOUT_INK, becomes_link
from models.base.spelling import spelled
from models.base.thai import arabic_digits
from models.imports.tabular.problems import ID_DIGITS, BadCell, english

# Controls, invisible formats (bidi), private use, surrogates, line and paragraph separators: they can make two
# names look alike or one name look like another.
REFUSED_CATEGORIES = frozenset({"Cc", "Cf", "Co", "Cs", "Zl", "Zp"})
_BLANKS = re.compile(r"\s+")

# A spreadsheet takes these for the start of a formula, the full-width ones in Asian locales.
_FORMULA_START = re.compile("[=+@＝＋＠－-]")
# A dash for "nothing", or before a blank, and a plain signed number are no formulas.
_NO_FORMULA = re.compile(r"[-－]+|- .*|[+-][0-9๐-๙][0-9๐-๙., -]*")
# Excel's error values (ECMA-376 part 1, 18.17.3, and those that came later), LibreOffice's numbers, and the signs
# that fill a cell which is too narrow for its number.
_ERROR_VALUE = re.compile(
    r"#(?:N/A|GETTING_DATA|[A-Z][A-Z0-9_/]*[!?])|#{2,}|(?:Err|ERR|Error|ข้อผิดพลาด): ?[0-9]{3}"
)
# A long number as Excel and LibreOffice write it into a narrow cell and into CSV; the other digits are gone.
_SCIENTIFIC = re.compile(r"[+-]?[0-9](?:[.,][0-9]+)?[eE][+-][0-9]{2,3}")
_ID_NUMBER = re.compile(r"(?<![0-9])[0-9](?:[ -]?[0-9]){12}(?![0-9])")
# Characters of one with all its dashes and some blanks around it.
_LONGEST_ID = 100
_DIGIT = re.compile("[0-9๐-๙]")


def _describe(character: str) -> str:
    if character in "\n\r":
        return english("a line break")
    if character == "\t":
        return english("a tab")
    name = unicodedata.name(character, "a control character")
    return f"U+{ord(character):04X} ({name})"


def _refuse_invisible(text: str) -> None:
    for character in text:
        if unicodedata.category(character) in REFUSED_CATEGORIES:
            raise BadCell(
                english("contains {character}, which cannot be seen", character=_describe(character)),
                english("type the cell again without it"),
            )


def clean(text: str, *, verbatim: bool = False) -> str:
    """The text of a cell as it is kept: in one spelling, blanks trimmed, inner runs of blanks one space.

    `verbatim` leaves the blanks alone (passwords). Raises BadCell for invisible characters, formulas and a
    spreadsheet's error values.
    """
    text = spelled(text)
    if not text.isprintable():
        _refuse_invisible(text)
    if not text.isascii() and (lost := WITHOUT_INK.search(text)):
        what = english("contains {character}", character=_describe(lost[0]))
        raise BadCell(what, english("type the cell again without it"))
    trimmed = text.strip()
    if _FORMULA_START.match(trimmed) and not _NO_FORMULA.fullmatch(trimmed):
        raise BadCell(
            english("starts with {sign} like a formula", sign=trimmed[0]),
            english("write the plain text, without a sign in front of it"),
        )
    if _ERROR_VALUE.fullmatch(trimmed):
        what = english("is the error value {value} of a spreadsheet", value=trimmed[:12])
        raise BadCell(what, english("write the text that belongs there"))
    if _SCIENTIFIC.fullmatch(trimmed):
        what = english("is in scientific notation, as 1.23E+12: a spreadsheet has dropped digits of a long number")
        raise BadCell(what, english("format the column as text and type all digits"))
    return text if verbatim else _BLANKS.sub(" ", trimmed)


def _has_check_digit(digits: str) -> bool:
    """The last of the 13 digits follows from the other twelve (Department of Provincial Administration)."""
    total = sum(int(digit) * weight for digit, weight in zip(digits, range(13, 1, -1), strict=False))
    return (11 - total % 11) % 10 == int(digits[12])


def holds_national_id(text: str) -> bool:
    """Whether there is a valid Thai national ID number in a text: 13 digits, Thai or Arabic, blanks or dashes
    between them or not, the check digit right. One in ten numbers of 13 digits is one by chance.
    """
    if len(text) < ID_DIGITS or not _DIGIT.search(text):
        return False
    for found in _ID_NUMBER.finditer(arabic_digits(text)):
        digits = re.sub("[ -]", "", found[0])
        if digits[0] != "0" and _has_check_digit(digits):
            return True
    return False


def is_national_id(text: str) -> bool:
    """Whether a cell is a valid Thai national ID number and nothing else."""
    # Most cells are no numbers, and are told by their length and their first letter.
    if not ID_DIGITS <= len(text) <= _LONGEST_ID or not _DIGIT.match(text.lstrip()):
        return False
    return bool(_ID_NUMBER.fullmatch(arabic_digits(text.strip()))) and holds_national_id(text)


def refuse_national_id(text: str) -> str:
    """The text itself. Raises BadCell when there is a national ID number in it: they are not stored."""
    if holds_national_id(text):
        what = english("holds a national ID number, which is not stored")
        raise BadCell(what, english("take the number out"))
    return text


def refuse_undrawn(text: str) -> str:
    """The text itself. Raises BadCell, naming the letter, when no paper could show it."""
    letter = undrawn(text)
    if letter is not None:
        character = f"{visible(letter)} ({unicodedata.name(letter, f'U+{ord(letter):04X}')})"
        what = english("contains {character}, which certificates cannot show", character=character)
        raise BadCell(what, english("write it in Thai or Latin letters"))
    return text


def printed_name(text: str) -> str:
    """The text itself. Raises BadCell when it has no letter, holds a national ID number, when a chat would show a
    part of it as a link, or papers not all of it.
    """
    if becomes_link(text):
        raise BadCell("holds what Telegram shows as a link", "write the plain name")
    refuse_national_id(text)
    if text and not any(letter.isalpha() for letter in text):
        raise BadCell("has no letter", "write the name in letters")
    return refuse_undrawn(text)
