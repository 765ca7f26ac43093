"""One spelling for texts that look alike.

Thai has several sequences of characters for one visible word, and Unicode's normalization joins almost none of
them: of the Thai characters only PHINTHU, SARA U, SARA UU and the tone marks have a combining class (Unicode
Standard, 16.1 Thai). Keyboards refuse most of the wrong sequences (WTT 2.0, the Thai API Consortium's input
check). Text that was pasted, converted or read out of a PDF has them.
"""

import re
import unicodedata
from collections.abc import Callable
from dataclasses import dataclass

# Marks above and below a consonant, in the order in which they are typed and stored (WTT 2.0): a vowel or what
# stands in its place, then a tone mark, then THANTHAKHAT or YAMAKKAN. The three below come first, as Unicode's
# canonical order has them.
_MARKS = "ฺุูัิีึื็ํ่้๊๋์๎"
_TONES = "่-๋"


@dataclass(frozen=True)
class Rule:
    """One kind of spelling: what is replaced, by what, and why that is the same text."""

    pattern: re.Pattern[str]
    replacement: str | Callable[[re.Match[str]], str]
    reason: str


def _rule(pattern: str, replacement: str | Callable[[re.Match[str]], str], reason: str) -> Rule:
    return Rule(re.compile(pattern), replacement, reason)


def _in_order(marks: re.Match[str]) -> str:
    return "".join(sorted(set(marks[0]), key=_MARKS.index))


# Of any script. Unicode's NFC comes between these and the rules of Thai, because what they take away may have
# kept a letter and its mark apart.
SIGNS = (
    _rule(
        "[\u00ad\u200b-\u200d\u2060\ufeff]",
        "",
        "Nobody sees them: soft hyphen, zero-width space and joiners, the byte order mark inside a text. Editors"
        " and web pages put them between Thai words, where a line may be broken.",
    ),
    _rule(
        "[\u00a0\u1680\u2000-\u200a\u202f\u205f\u3000]",
        " ",
        "A blank, whatever its width and whether a line may be broken there.",
    ),
    _rule(
        "[\uff01-\uff5e]",
        lambda sign: chr(ord(sign[0]) - 0xFEE0),
        "The letters, digits and signs of ASCII as wide as a Chinese character, which some keyboards type.",
    ),
    _rule("[\u2010\u2011]", "-", "The hyphens of text processors, one of which keeps a line together."),
)

THAI = (
    _rule("เเ", "แ", "SARA E twice looks like SARA AE. Two keys of one finger; no word has SARA E twice."),
    _rule(
        "(?<![ฤฦ])ๅ",
        "า",
        "LAKKHANGYAO lengthens RU and LU only (WTT 2.0, FV3). Anywhere else somebody meant SARA AA.",
    ),
    _rule(
        f"([ะาำ]+)([{_TONES}]+)",
        r"\2\1",
        "A tone mark stands on the consonant, not on the vowel behind it; typed last, it is shown there anyway.",
    ),
    _rule(
        f"[{_MARKS}]{{2,}}",
        _in_order,
        "The marks of one consonant in the order in which they are typed, each of them once: most fonts show the"
        " same in any order, and a mark that is there twice at one place.",
    ),
    _rule(
        "ํ([่-๎]*)[าำ]",
        r"\1ำ",
        "NIKHAHIT and SARA AA are what SARA AM is made of (Unicode, compatibility decomposition of U+0E33). They"
        " are shown alike, with a tone mark between them too.",
    ),
    _rule("ิํ", "ึ", "SARA I and NIKHAHIT look like SARA UE, as which Thai writes the Pali syllable."),
)

# A text in which this is not found, and which is in NFC, is spelled as it should be: signs, letters that the rules
# name, and two marks together other than a vowel with a tone mark or THANTHAKHAT above it. It finds more than the
# rules change, for it is read for each of half a million names. Both Python and PostgreSQL understand it.
ODD = (
    "[\u00ad\u200b-\u200d\u2060\ufeff\u00a0\u1680\u2000-\u200a\u202f\u205f\u3000\uff01-\uff5e\u2010\u2011ๅํ]|เเ"
    f"|[ะาำ{_MARKS}][{_MARKS}](?<![ัิ-ฺ็][่-์])"
)
_is_odd = re.compile(ODD).search


def spelled(text: str) -> str:
    """The one spelling of all texts that look like this one; blanks at its ends stay, and so do their numbers.

    What is spelled already comes back as it is: at every entrance, of a file or the chat, a text goes through here
    once, and what an older version has stored is compared in this spelling and not written over.
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
