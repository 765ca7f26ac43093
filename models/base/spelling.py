"""One spelling for texts that look alike.

Thai has several character sequences for one visible word. Unicode normalization unifies almost none of them,
because only PHINTHU, SARA U, SARA UU and the tone marks have a combining class (Unicode Standard, 16.1 Thai).
Keyboards refuse most of the wrong sequences (WTT 2.0, the input check of the Thai API Consortium), but text that
was pasted, converted or extracted from a PDF contains them.
"""

import re
import unicodedata
from collections.abc import Callable
from dataclasses import dataclass

# Marks above and below a consonant, in the order in which they are typed and stored (WTT 2.0): the vowel position,
# then the tone mark, then THANTHAKHAT or YAMAKKAN. The three marks below the consonant come first, as in Unicode's
# canonical order.
_MARKS = "ฺุูัิีึื็ํ่้๊๋์๎"
_TONES = "่-๋"


@dataclass(frozen=True)
class Rule:
    """One replacement: the pattern, its replacement, and the reason why both are the same text."""

    pattern: re.Pattern[str]
    replacement: str | Callable[[re.Match[str]], str]
    reason: str


def _rule(pattern: str, replacement: str | Callable[[re.Match[str]], str], reason: str) -> Rule:
    return Rule(re.compile(pattern), replacement, reason)


def _in_order(marks: re.Match[str]) -> str:
    return "".join(sorted(set(marks[0]), key=_MARKS.index))


# Rules for any script. `spelled` applies NFC after these and before the Thai rules, because a removed character
# may have separated a letter from its mark.
SIGNS = (
    _rule(
        "[\u00ad\u200b-\u200d\u2060\ufeff]",
        "",
        "Invisible: soft hyphen, zero-width space and joiners, a byte order mark inside a text. Editors and web"
        " pages insert them between Thai words as line break opportunities.",
    ),
    _rule(
        "[\u00a0\u1680\u2000-\u200a\u202f\u205f\u3000]",
        " ",
        "Spaces of other widths, and spaces that allow no line break.",
    ),
    _rule(
        "[\uff01-\uff5e]",
        lambda sign: chr(ord(sign[0]) - 0xFEE0),
        "Full-width forms of ASCII characters, which some keyboards type.",
    ),
    _rule("[\u2010\u2011]", "-", "Hyphens of word processors, one of which allows no line break."),
)

THAI = (
    _rule("เเ", "แ", "SARA E twice looks like SARA AE, and no word has SARA E twice."),
    _rule(
        "(?<![ฤฦ])ๅ",
        "า",
        "LAKKHANGYAO follows only RU and LU (WTT 2.0, FV3). Anywhere else the writer meant SARA AA.",
    ),
    _rule(
        f"([ะาำ]+)([{_TONES}]+)",
        r"\2\1",
        "A tone mark belongs to the consonant before the vowel. Fonts draw it there even when it was typed last.",
    ),
    _rule(
        f"[{_MARKS}]{{2,}}",
        _in_order,
        "The marks of one consonant in typing order, each once. Most fonts draw every order alike, and draw a"
        " repeated mark on top of itself.",
    ),
    _rule(
        "ํ([่-๎]*)[าำ]",
        r"\1ำ",
        "NIKHAHIT and SARA AA are the compatibility decomposition of SARA AM (Unicode, U+0E33). Both look alike,"
        " also with a tone mark between them.",
    ),
    _rule("ิํ", "ึ", "SARA I with NIKHAHIT looks like SARA UE, and Thai writes the Pali syllable with SARA UE."),
)

# A cheap pre-check, because it runs on each of half a million names: a text in NFC that this pattern does not
# match needs no rule. It matches the characters that the rules name, and two adjacent marks other than a vowel
# with a tone mark or THANTHAKHAT above it; so it also matches some texts that the rules leave alone. Python and
# PostgreSQL both understand the pattern.
ODD = (
    "[\u00ad\u200b-\u200d\u2060\ufeff\u00a0\u1680\u2000-\u200a\u202f\u205f\u3000\uff01-\uff5e\u2010\u2011ๅํ]|เเ"
    f"|[ะาำ{_MARKS}][{_MARKS}](?<![ัิ-ฺ็][่-์])"
)
_is_odd = re.compile(ODD).search


def spelled(text: str) -> str:
    """Return the one spelling shared by all texts that look like this one. Idempotent.

    Spaces are neither trimmed nor merged. Every text from a file or the chat passes through here once. Texts that
    an older version stored are compared in this spelling, and stay in the database as they are.
    """
    if text.isascii():
        return text
    if not _is_odd(text):
        return unicodedata.normalize("NFC", text)
    for rule in SIGNS:
        text = rule.pattern.sub(rule.replacement, text)
    text = unicodedata.normalize("NFC", text)
    for rule in THAI:
        text = rule.pattern.sub(rule.replacement, text)
    return text
