"""What no typed or imported name may contain: invisible characters, and text that Telegram turns into a link."""

import re
import unicodedata

# Characters that Unicode classifies as letters, marks or symbols but that are invisible: Unicode's
# Default_Ignorable_Code_Point and the braille blank; marks that Telegram strips from a text (td,
# clean_input_string); and the replacement character, which a failed conversion leaves behind. With them two
# different names look alike.
WITHOUT_INK = re.compile(
    "[\u030a\u0333\u033f\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u2800\u3164\ufe00-\ufe0f\uffa0\ufffd"
    "\U000e0100-\U000e01ef]"
)

# Telegram detects mentions, hashtags, cashtags, commands, e-mail addresses and links in every text (Bot API,
# MessageEntity), and a bot cannot switch that off. The pattern tells a top-level domain from the next word of a
# sentence as td does (MessageEntity.cpp, is_common_tld): one capital followed by small letters is a word, so that
# Mr.Kim stays a name.
_LINK = re.compile(
    r"[@#]\w|\$[A-Z]|(?<![\w/<>])/[A-Za-z0-9_]|://"
    r"|[\w-]\.(?:(?![A-Z][a-z]+(?!\w))[A-Za-z]{2,}|xn--[\w-]+|ไทย|คอม)(?!\w)"
    r"|\d\.\d+\.\d+\.\d"
)


# Unicode's general categories of invisible characters: controls, formats (bidi, zero width), surrogates, private
# use.
UNSEEN = frozenset({"Cc", "Cf", "Cs", "Co"})


def is_unseen(letter: str, also: frozenset[str] = frozenset()) -> bool:
    """Return whether a character is invisible, or its Unicode general category is in `also`."""
    category = unicodedata.category(letter)
    return category in UNSEEN or category in also or WITHOUT_INK.match(letter) is not None


def with_ink(text: str) -> str:
    """Return a text without invisible characters: formats such as zero-width spaces, and those of WITHOUT_INK."""
    return WITHOUT_INK.sub("", "".join(letter for letter in text if unicodedata.category(letter) != "Cf"))


def becomes_link(name: str) -> bool:
    """Return whether Telegram would show a part of the name as a link, a mention or a command."""
    return _LINK.search(name) is not None
