"""Which characters the PDF papers can show: those of their font, Sarabun (bot/papers/typesetting.py).

A character that the font lacks would appear on a certificate as an empty box or in another font. Texts that appear
on papers are therefore refused where they are typed or imported, and the message names the character.
"""

import re
import unicodedata

# The font's character map without control characters and a company's logo. Line breaks are allowed: the papers
# wrap lines themselves.
_LETTERS = (
    "\n -~\xa0-žƏƒƠơƯưǍ-ǜǦǧǺ-ǿȘ-țȷɑəʻʼʾʿˆ-ˌ˘-˝"
    "\u0300-\u0304\u0306-\u030c\u031b\u0323\u0324\u0326-\u0328\u032e\u0331ΔΩμπ"
    "ก-\u0e3a฿-๛Ḍ-ḏḠḡḤḥḪḫḶ-ḻṂ-ṉṚ-ṣṬ-ṯẀ-ẅẎẏẒẓẗẞẠ-ỹ"
    "\u2007\u2010\u2012-―‘-‚“-„†-•…‰′″‹›⁄⁰⁴-⁹⁽-₉₍₎₡₤₦₧₫€₱₲₵₹₺₽ℊℓ℗℠™℮⅓⅔⅛-⅞"
    "←-↓∂∆∏∑−∕∙-√∞∫≈≠≤≥■▲△▶▷▼▽◀◁◆◊ﬁﬂ"
)
# Also refused: an accent of another script on a Thai letter (no Thai word has one, and some look like a Thai
# mark), and a Thai mark without a Thai letter before it (the font draws it on a dotted circle, or almost
# invisibly).
_UNDRAWN = re.compile(
    f"[^{_LETTERS}]|(?<=[\u0e01-\u0e5b])[\u0300-\u036f]|(?<![\u0e01-\u0e5b])[\u0e31\u0e34-\u0e3a\u0e47-\u0e4e]"
)


def undrawn(text: str) -> str | None:
    """Return the first character of a text that the papers cannot show correctly; None if there is none."""
    match = _UNDRAWN.search(text)
    return match[0] if match else None


def visible(letter: str) -> str:
    """Return a character so that it can be seen alone: a combining mark is put on a dotted circle."""
    return f"◌{letter}" if letter and unicodedata.category(letter) == "Mn" else letter
