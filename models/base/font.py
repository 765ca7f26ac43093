"""Which letters papers can show: those of their font, Sarabun (bot/papers/typesetting.py).

A letter that the font does not have would stand on a certificate as an empty box, or in the letters of another
font. So what a paper bears is refused where it is typed or imported, and the letter is named.
"""

import re
import unicodedata

# By the character map of the font, without controls and a company's sign. Line ends are the matter of the paper.
_LETTERS = (
    "\n -~\xa0-žƏƒƠơƯưǍ-ǜǦǧǺ-ǿȘ-țȷɑəʻʼʾʿˆ-ˌ˘-˝"
    "\u0300-\u0304\u0306-\u030c\u031b\u0323\u0324\u0326-\u0328\u032e\u0331ΔΩμπ"
    "ก-\u0e3a฿-๛Ḍ-ḏḠḡḤḥḪḫḶ-ḻṂ-ṉṚ-ṣṬ-ṯẀ-ẅẎẏẒẓẗẞẠ-ỹ"
    "\u2007\u2010\u2012-―‘-‚“-„†-•…‰′″‹›⁄⁰⁴-⁹⁽-₉₍₎₡₤₦₧₫€₱₲₵₹₺₽ℊℓ℗℠™℮⅓⅔⅛-⅞"
    "←-↓∂∆∏∑−∕∙-√∞∫≈≠≤≥■▲△▶▷▼▽◀◁◆◊ﬁﬂ"
)
# No Thai word has an accent of another script on its letters; some look like a Thai mark. A Thai mark without a
# Thai letter before it stands on a dotted circle, or is hardly seen.
_UNDRAWN = re.compile(
    f"[^{_LETTERS}]|(?<=[\u0e01-\u0e5b])[\u0300-\u036f]|(?<![\u0e01-\u0e5b])[\u0e31\u0e34-\u0e3a\u0e47-\u0e4e]"
)


def undrawn(text: str) -> str | None:
    """The first letter of a text that papers cannot show as it is meant."""
    match = _UNDRAWN.search(text)
    return match[0] if match else None


def visible(letter: str) -> str:
    """A letter by itself; a mark on a dotted circle."""
    return f"◌{letter}" if letter and unicodedata.category(letter) == "Mn" else letter
