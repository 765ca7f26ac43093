"""The rules on the text of one cell: what is refused, how it is normalized, and what a national ID number is."""

import re
import unicodedata

from models.base.font import undrawn, visible
from models.base.names import WITHOUT_INK, becomes_link
from models.base.spelling import spelled
from models.base.thai import arabic_digits
from models.imports.tabular.problems import ID_DIGITS, BadCell, english

# Unicode categories of controls, invisible formats (bidi), private use, surrogates, line and paragraph separators.
# They can make two different names look alike.
REFUSED_CATEGORIES = frozenset({"Cc", "Cf", "Co", "Cs", "Zl", "Zp"})
_BLANKS = re.compile(r"\s+")

# Characters with which a spreadsheet begins a formula; the full-width ones in Asian locales.
_FORMULA_START = re.compile("[=+@＝＋＠－-]")
# Not formulas: dashes alone (for "nothing"), a dash before a space, and a plain signed number.
_NO_FORMULA = re.compile(r"[-－]+|- .*|[+-][0-9๐-๙][0-9๐-๙., -]*")
# Excel's error values (ECMA-376 part 1, 18.17.3, and later ones), LibreOffice's error numbers, and the hash signs
# of a cell that is too narrow for its number.
_ERROR_VALUE = re.compile(
    r"#(?:N/A|GETTING_DATA|[A-Z][A-Z0-9_/]*[!?])|#{2,}|(?:Err|ERR|Error|ข้อผิดพลาด): ?[0-9]{3}"
)
# A long number in scientific notation, as Excel and LibreOffice export it to CSV. Its other digits are lost.
_SCIENTIFIC = re.compile(r"[+-]?[0-9](?:[.,][0-9]+)?[eE][+-][0-9]{2,3}")
_ID_NUMBER = re.compile(r"(?<![0-9])[0-9](?:[ -]?[0-9]){12}(?![0-9])")
# The most characters of a cell with one national ID number: with dashes, and spaces around it.
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
    """Normalize the text of a cell: one spelling, trimmed, inner whitespace as one space.

    `verbatim` keeps the whitespace (for passwords). Raises BadCell for invisible characters, formulas, a
    spreadsheet's error values and scientific notation.
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
    """Check the last of 13 digits, which is computed from the others (Department of Provincial Administration)."""
    total = sum(int(digit) * weight for digit, weight in zip(digits, range(13, 1, -1), strict=False))
    return (11 - total % 11) % 10 == int(digits[12])


def holds_national_id(text: str) -> bool:
    """Return whether a text contains a valid Thai national ID number: 13 Thai or Arabic digits, optionally with
    spaces or dashes between them, with the right check digit. By chance, one in ten 13-digit numbers is valid.
    """
    if len(text) < ID_DIGITS or not _DIGIT.search(text):
        return False
    for match in _ID_NUMBER.finditer(arabic_digits(text)):
        digits = re.sub("[ -]", "", match[0])
        if digits[0] != "0" and _has_check_digit(digits):
            return True
    return False


def is_national_id(text: str) -> bool:
    """Return whether a cell is a valid Thai national ID number and nothing else."""
    # A cheap pre-check: most cells have another length or do not begin with a digit.
    if not ID_DIGITS <= len(text) <= _LONGEST_ID or not _DIGIT.match(text.lstrip()):
        return False
    return bool(_ID_NUMBER.fullmatch(arabic_digits(text.strip()))) and holds_national_id(text)


def refuse_national_id(text: str) -> str:
    """Return the text. Raises BadCell if it contains a national ID number, which is never stored."""
    if holds_national_id(text):
        what = english("holds a national ID number, which is not stored")
        raise BadCell(what, english("take the number out"))
    return text


def refuse_undrawn(text: str) -> str:
    """Return the text. Raises BadCell, naming the character, if papers cannot show it (models/base/font.py)."""
    letter = undrawn(text)
    if letter is not None:
        character = f"{visible(letter)} ({unicodedata.name(letter, f'U+{ord(letter):04X}')})"
        what = english("contains {character}, which certificates cannot show", character=character)
        raise BadCell(what, english("write it in Thai or Latin letters"))
    return text


def printed_name(text: str) -> str:
    """Return the text. Raises BadCell if it has no letter or holds a national ID number, if Telegram would show a
    part of it as a link, or papers cannot show it.
    """
    if becomes_link(text):
        raise BadCell("holds what Telegram shows as a link", "write the plain name")
    refuse_national_id(text)
    if text and not any(letter.isalpha() for letter in text):
        raise BadCell("has no letter", "write the name in letters")
    return refuse_undrawn(text)
